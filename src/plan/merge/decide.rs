//! The merge of one field.

use crate::domain::System;
use crate::rules::{Owner, Policy, WriteRule};

/// What to do with one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: there is no value, or both sides have what they agreed on.
    Nothing,
    /// Both sides have the same and the base does not know it yet.
    Agreed,
    /// One side changed it: write its value to this system.
    Write(System),
    /// Both changed it, or nothing was ever agreed on: the owner's value is written to this system.
    Conflict(System),
    /// They differ and stay so.
    LeftAlone(Why),
    /// A person must decide.
    Review,
}

/// Why two values stay apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It was emptied on one side; an empty value overwrites nothing.
    Emptied,
    /// The firm lets the field go the other way only.
    Direction,
    /// The firm lets it be written only where there is none yet.
    NotEmpty,
    /// This side has no place for it now: no such custom field, or the person has several matters.
    NoPlace(System),
    /// A person said so.
    Decided,
}

impl Why {
    /// In words; nothing for what the firm chose itself.
    pub fn words(self) -> Option<&'static str> {
        match self {
            Self::Emptied => Some("emptied on one side, and an empty value overwrites nothing"),
            Self::Direction | Self::NotEmpty | Self::NoPlace(_) | Self::Decided => None,
        }
    }
}

/// Decides on one field.
///
/// | base | HighLevel | CASEpeer | |
/// |---|---|---|---|
/// | any | – | – | nothing |
/// | a | a | a | nothing |
/// | not a | a | a | agreed |
/// | a | a | – | left alone: emptied there, and an empty value overwrites nothing |
/// | not a | a | – | a to CASEpeer |
/// | x | a | x | a to CASEpeer |
/// | x | x | b | b to HighLevel |
/// | x | a | b | the owner's value to the other; `manual` to a person |
/// | – | a | b | the same: nobody knows which is older |
///
/// What would be written is not, where the direction or the write rule forbids it. `never` leaves the field out
/// altogether. `newest` is the side whose record was changed last; where the dates do not say, a person decides.
pub fn decide(
    base: Option<&str>,
    highlevel: Option<&str>,
    casepeer: Option<&str>,
    policy: Policy,
    newer: Option<System>,
) -> Verdict {
    if policy.write == WriteRule::Never {
        return Verdict::Nothing;
    }
    let (left, right) = match (highlevel, casepeer) {
        (None, None) => return Verdict::Nothing,
        (Some(left), Some(right)) if left == right => {
            return if base == Some(left) { Verdict::Nothing } else { Verdict::Agreed };
        }
        (Some(value), None) | (None, Some(value)) if base == Some(value) => {
            return Verdict::LeftAlone(Why::Emptied);
        }
        (Some(_), None) => return towards(System::CasePeer, policy, Verdict::Write),
        (None, Some(_)) => return towards(System::HighLevel, policy, Verdict::Write),
        (Some(left), Some(right)) => (left, right),
    };
    if policy.write == WriteRule::IfEmpty {
        return Verdict::LeftAlone(Why::NotEmpty);
    }
    if base == Some(right) {
        return towards(System::CasePeer, policy, Verdict::Write);
    }
    if base == Some(left) {
        return towards(System::HighLevel, policy, Verdict::Write);
    }
    let winner = match policy.owner {
        Owner::HighLevel => Some(System::HighLevel),
        Owner::CasePeer => Some(System::CasePeer),
        Owner::Newest => newer,
        Owner::Manual => None,
    };
    match winner {
        Some(winner) => towards(winner.opposite(), policy, Verdict::Conflict),
        None => Verdict::Review,
    }
}

fn towards(to: System, policy: Policy, verdict: impl Fn(System) -> Verdict) -> Verdict {
    let is_allowed = match to {
        System::HighLevel => policy.direction.to_highlevel(),
        System::CasePeer => policy.direction.to_casepeer(),
    };
    if is_allowed { verdict(to) } else { Verdict::LeftAlone(Why::Direction) }
}
