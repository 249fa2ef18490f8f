//! How things end: an event's state, a call's class.

use jiff::{SignedDuration, Timestamp};

use super::{EffectKey, Question, System};

macro_rules! closed_list {
    ($(#[$meta:meta])* $name:ident as $list:literal { $($(#[$doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$doc])* $variant),+ }

        impl $name {
            /// Every one, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word used in rows, answers and metrics.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, out: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                out.write_str(self.as_str())
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::domain::UnknownWord;
            fn from_str(word: &str) -> Result<Self, Self::Err> {
                let found = Self::ALL.iter().find(|one| one.as_str() == word);
                found.copied().ok_or_else(|| Self::Err::new($list, word))
            }
        }
    };
}

pub(super) use closed_list;

closed_list! {
    /// Where an event stands.
    EventState as "state of an event" {
        /// An older event of the same person comes first.
        Waiting = "waiting",
        /// At the head of its lane: may be claimed.
        Ready = "ready",
        /// Claimed by a worker.
        Running = "running",
        /// At the head of its lane, due again later.
        Retrying = "retrying",
        /// Kept until the firm's connection works again.
        Parked = "parked",
        /// A person has to decide.
        InReview = "in_review",
        /// Handed to a carrier that confirms later.
        HandedOff = "handed_off",
        /// The other system was changed.
        Done = "done",
        /// There was nothing to change.
        NothingToDo = "nothing_to_do",
        /// Settled together with a later update of the same record.
        Superseded = "superseded",
        /// Settled without effect and in need of a person.
        Undelivered = "undelivered",
        /// A person decided that it needs no effect.
        Discarded = "discarded",
    }
}

impl EventState {
    /// Whether nothing more happens unless somebody asks for it.
    pub fn is_settled(self) -> bool {
        !matches!(self, Self::Waiting | Self::Ready | Self::Running | Self::Retrying | Self::Parked)
    }
}

closed_list! {
    /// How one API call went.
    CallClass as "class of a call" {
        /// It was carried out.
        Ok = "ok",
        /// The vendor understood it and said no: asking again will not help.
        Rejected = "rejected",
        /// The record exists already, or has changed meanwhile.
        Conflict = "conflict",
        /// Too many calls; wait.
        RateLimited = "rate_limited",
        /// The credential is not accepted.
        Unauthorised = "unauthorised",
        /// The credential is good, but this was not granted with it.
        Unpermitted = "unpermitted",
        /// The vendor could not be reached or is failing, and nothing was changed.
        Unreachable = "unreachable",
        /// No answer in time to a call that changes nothing.
        Timeout = "timeout",
        /// It may or may not have been carried out.
        Ambiguous = "ambiguous",
    }
}

closed_list! {
    /// Why an event was given up, for a person who looks at many.
    Cause as "cause" {
        /// This build cannot read the body.
        Unreadable = "unreadable",
        /// Nobody knows whose it is, or it is another app's or another firm's.
        NotOurs = "not_ours",
        /// It is older than any sender's retries.
        TooOld = "too_old",
        /// A vendor understood the call and said no.
        Rejected = "rejected",
        /// The record kept changing under our hands.
        Conflict = "conflict",
        /// Every attempt failed.
        Exhausted = "exhausted",
        /// Something must be set up or corrected first.
        Setup = "setup",
        /// A record was announced, but its system does not know it.
        Missing = "missing",
        /// A person must say which record is meant, or whether a create was carried out.
        Ambiguous = "ambiguous",
    }
}

closed_list! {
    /// Why a firm's events are parked.
    ParkCause as "cause of parking" {
        /// A credential is not accepted.
        Credentials = "credentials",
        /// A vendor is down.
        Outage = "outage",
        /// A person paused the firm.
        Paused = "paused",
    }
}

/// How the processing of an event ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Commands were carried out.
    Done,
    /// No command was needed.
    NothingToDo {
        /// Why.
        why: String,
    },
    /// Try again later.
    RetryIn {
        /// How much later. A span and not a moment: whose clock would it be by?
        pause: SignedDuration,
        /// Why.
        why: String,
        /// Whether this uses one of the attempts.
        counts: bool,
    },
    /// Keep it, and everything else of the firm, until the connection works again.
    Parked {
        /// Why.
        cause: ParkCause,
        /// Which connection.
        system: System,
        /// What happened.
        why: String,
    },
    /// Ask a person, and go on with the answer.
    InReview {
        /// What; at least one.
        questions: Vec<Question>,
    },
    /// A carrier took it over and confirms later.
    HandedOff {
        /// What it took over.
        effect: EffectKey,
        /// When a person is asked, if nothing was said by then.
        until: Timestamp,
        /// What was handed over.
        why: String,
    },
    /// Give up and show a person.
    Undelivered {
        /// What kind of trouble it is.
        cause: Cause,
        /// Why.
        why: String,
    },
}
