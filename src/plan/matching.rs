//! Whether a record of one side is a person the other side knows.
//!
//! Only certain matches are made here: a reference that names the contact, or the same e-mail or phone under names
//! that do not contradict. One family's shared phone is not one person.

use crate::domain::{Contact, Field, Fields, Matter, RecordKind, System, parse_external_ref};

/// Why two records are taken for the same person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    /// The matter names the contact.
    Reference,
    /// Same e-mail, no contradiction.
    Email,
    /// Same phone, no contradiction.
    Phone,
}

impl Evidence {
    /// Where the matter came into being: one that names a contact is our own creation, met before its answer was
    /// recorded; one that merely looks the same was there by itself.
    pub(super) fn origin(self) -> System {
        match self {
            Self::Reference => System::HighLevel,
            Self::Email | Self::Phone => System::CasePeer,
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Reference => "it names the contact",
            Self::Email => "same e-mail and name",
            Self::Phone => "same phone and name",
        }
    }
}

/// The evidence that this matter's client is this contact, if there is any.
pub(super) fn evidence(contact: &Contact, matter: &Matter, location: &str) -> Option<Evidence> {
    if let Some(reference) = &matter.external_ref
        && let Some(named) = parse_external_ref(reference, location, RecordKind::Contact)
    {
        return (named == contact.record).then_some(Evidence::Reference);
    }
    if !names_agree(&contact.fields, &matter.fields) {
        return None;
    }
    let same = |field| contact.fields.get(field).is_some_and(|value| matter.fields.get(field) == Some(value));
    if same(Field::Email) {
        Some(Evidence::Email)
    } else if same(Field::Phone) {
        Some(Evidence::Phone)
    } else {
        None
    }
}

/// Whether this matter's client is certain to be this contact.
pub fn is_same_person(contact: &Contact, matter: &Matter, location: &str) -> bool {
    evidence(contact, matter, location).is_some()
}

/// A missing name contradicts nothing, but at least one name must be the same on both sides.
fn names_agree(left: &Fields, right: &Fields) -> bool {
    let mut shared = 0;
    for field in [Field::FirstName, Field::LastName] {
        match (left.get(field), right.get(field)) {
            (Some(left), Some(right)) if left.to_lowercase() == right.to_lowercase() => shared += 1,
            (Some(_), Some(_)) => return false,
            _ => {}
        }
    }
    shared > 0
}
