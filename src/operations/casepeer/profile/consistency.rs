//! `[concurrency]` and `[idempotency]`: what keeps two writers from overwriting each other, and one create from
//! happening twice.

use serde::Deserialize;

use super::place::Place;
use crate::domain::Period;

/// How a write makes sure that nobody changed the record since it was read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Concurrency {
    /// It does not.
    #[default]
    None,
    /// The record's `ETag` goes into a header.
    Etag {
        /// The header.
        #[serde(default = "if_match")]
        header: String,
    },
    /// The record's version goes into the body.
    VersionField {
        /// The vendor's place for it, in records and in bodies.
        at: Place,
    },
    /// The record is read once more just before, and its date compared.
    CompareUpdatedAt,
}

fn if_match() -> String {
    "If-Match".into()
}

/// How a create is kept from happening twice when its answer stays away.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Idempotency {
    /// Nothing does: a create without an answer waits for a person and is never sent again.
    #[default]
    None,
    /// The vendor answers the same key with the first result.
    Header {
        /// The header.
        name: String,
    },
    /// The record carries our name for it, by which it is found again.
    ExternalRefField,
    /// The record is looked for by these keys, in this order, before it is created and after an answer stayed away.
    FindBeforeCreate {
        /// What to look for.
        keys: Vec<FindKey>,
        /// How old a record may be that counts as the same.
        window: Period,
    },
}

/// What a record is looked for by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum FindKey {
    /// Our name for it.
    #[serde(rename = "external_ref")]
    ExternalRef,
    /// The client's e-mail.
    #[serde(rename = "email")]
    Email,
    /// The client's phone, with the same last name.
    #[serde(rename = "phone+last_name")]
    PhoneAndLastName,
}
