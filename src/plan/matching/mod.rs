//! Whether a record of one side is a person the other side knows.
//!
//! An external reference of ours decides. Without one, two records that share an e-mail or a phone are compared by
//! name and date of birth (`compare`): certain matches link, clear differences create, and the rest is asked.

mod compare;
mod known;
mod names;
mod nicknames;

pub use compare::{Comparison, Identity, Verdict};
pub(super) use known::{Known, contact_of, matters_of};
pub use known::{match_subject, show_contact, show_matter, was_ruled_out};

use crate::domain::{Contact, Matched, Matter, RecordKind, System, parse_external_ref};

/// What speaks for a contact and a matter being one person's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Likeness {
    /// The comparison.
    pub comparison: Comparison,
    /// Where the matter came into being: one that names the contact is our own creation, met before its answer was
    /// recorded; one that merely looks the same was there by itself.
    pub origin: System,
}

impl Likeness {
    /// The score's reasons as one.
    pub(super) fn words(&self) -> String {
        self.comparison.reasons.join(", ")
    }

    /// What is kept with the link.
    pub(super) fn matched(&self) -> Matched {
        Matched { score: self.comparison.score, reasons: self.comparison.reasons.clone() }
    }
}

impl Contact {
    /// What this contact is recognised by.
    pub fn identity(&self) -> Identity {
        Identity::of(&self.fields)
    }
}

impl Matter {
    /// What this matter's client is recognised by.
    pub fn identity(&self) -> Identity {
        Identity::of(&self.fields)
    }
}

/// How alike a contact and a matter's client are.
pub fn likeness(contact: &Contact, matter: &Matter, location: &str) -> Likeness {
    let reference = matter.external_ref.as_deref();
    let named = reference.and_then(|it| parse_external_ref(it, location, RecordKind::Contact));
    if named.as_ref() == Some(&contact.record) {
        let reasons = vec!["it names the contact".to_owned()];
        let comparison = Comparison { verdict: Verdict::Same, score: 1000, reasons, contradicts: false };
        return Likeness { comparison, origin: System::HighLevel };
    }
    let mut comparison = contact.identity().compare(&matter.identity());
    if named.is_some() {
        // Two contacts that look like one person: whether they are, and which of them stays, a person says.
        comparison.reasons.push("it names another contact".into());
        comparison.contradicts = true;
        if comparison.verdict == Verdict::Same {
            comparison.verdict = Verdict::Unclear;
        }
    }
    Likeness { comparison, origin: System::CasePeer }
}
