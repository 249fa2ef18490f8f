//! Three-way merge of fields against the values both sides agreed on last.

mod decide;

use std::collections::BTreeMap;

pub use decide::{Verdict, Why, decide};

use crate::domain::{FieldName, Fields, Scope, System};
use crate::rules::{FieldRules, Owner, Stage};

/// The three sides of a merge.
#[derive(Debug, Clone, Copy)]
pub struct Sides<'a> {
    /// What both sides agreed on last.
    pub base: &'a Fields,
    /// What HighLevel has.
    pub highlevel: &'a Fields,
    /// What CASEpeer has.
    pub casepeer: &'a Fields,
    /// The side that was changed last, if the vendors' dates say.
    pub newer: Option<System>,
}

/// What a merge found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Merged {
    /// Values to write to HighLevel.
    pub to_highlevel: Fields,
    /// Values to write to CASEpeer.
    pub to_casepeer: Fields,
    /// Values that are equal already but differ from the base.
    pub agreed: Fields,
    /// Fields that changed on both sides, or were never agreed on, with the side whose value stands.
    pub conflicts: Vec<(FieldName, System)>,
    /// Fields that differ and stay so, with the reason.
    pub left_alone: Vec<(FieldName, Why)>,
    /// Fields that a person must decide on.
    pub review: Vec<FieldName>,
}

/// Merges field by field, each under its own rule. `is_only_matter` says whether the person has no other. `may_write` says whether a side has a place for a field now.
pub fn merge(
    sides: Sides<'_>,
    rules: &FieldRules,
    stage: Stage,
    is_only_matter: bool,
    may_write: impl Fn(&FieldName, System) -> bool,
) -> Merged {
    let mut merged = Merged::default();
    for (name, mut policy) in rules.policies(stage) {
        // A contact shows one matter at a time: of several, each knows its own best.
        if !is_only_matter && name.scope() == Scope::Matter {
            policy.owner = Owner::CasePeer;
        }
        let left = sides.highlevel.value(name);
        let right = sides.casepeer.value(name);
        let verdict = decide(sides.base.value(name), left, right, policy, sides.newer);
        match verdict {
            Verdict::Nothing => {}
            Verdict::Agreed => merged.agreed.put(name.clone(), left.unwrap_or_default().to_owned()),
            Verdict::Write(to) | Verdict::Conflict(to) if !may_write(name, to) => {
                merged.left_alone.push((name.clone(), Why::NoPlace(to)));
            }
            Verdict::Write(to) | Verdict::Conflict(to) => {
                if matches!(verdict, Verdict::Conflict(_)) {
                    merged.conflicts.push((name.clone(), to.opposite()));
                }
                let (target, value) = match to {
                    System::HighLevel => (&mut merged.to_highlevel, right),
                    System::CasePeer => (&mut merged.to_casepeer, left),
                };
                target.put(name.clone(), value.unwrap_or_default().to_owned());
            }
            Verdict::LeftAlone(why) => merged.left_alone.push((name.clone(), why)),
            Verdict::Review => merged.review.push(name.clone()),
        }
    }
    merged
}

impl Merged {
    /// Whether nothing is to be done.
    pub fn is_quiet(&self) -> bool {
        self.to_casepeer.is_empty() && self.to_highlevel.is_empty() && self.review.is_empty()
    }

    /// The fields that stay apart, by the reason.
    pub fn apart(&self) -> BTreeMap<&'static str, Vec<&str>> {
        let mut apart: BTreeMap<&'static str, Vec<&str>> = BTreeMap::new();
        for (name, why) in &self.left_alone {
            // What a side has no place for, or keeps to itself, is the firm's own choice: nobody waits for it.
            if let Some(words) = why.words() {
                apart.entry(words).or_default().push(name.title());
            }
        }
        apart
    }
}

#[cfg(test)]
mod tests;
