//! What people say about who is who.

use super::Bridge;
use crate::domain::{Base, Field, Fields, FirmId, Link, Matched, RecordKind, RecordRef, System};
use crate::store::{SharedStore, StoreError, person_key};

impl Bridge {
    /// What people are looked for by who have this e-mail or phone, in any writing; none for what is neither.
    pub fn person_key(&self, field: Field, value: &str) -> Option<[u8; 32]> {
        let fields = Fields::default().with(field, value);
        person_key(&self.keyring, field, fields.get(field)?)
    }
}

/// Why two records could not be linked.
#[derive(Debug, thiserror::Error)]
pub enum CannotLink {
    /// They are not of the kinds that are one person's.
    #[error("a contact of HighLevel is linked with a lead or case of CASEpeer")]
    Kinds,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Remembers that a contact and a lead or case are one person's; the next event of either brings them in step.
pub async fn link(
    store: &SharedStore,
    firm: &FirmId,
    contact: &RecordRef,
    matter: &RecordRef,
) -> Result<(), CannotLink> {
    let is_contact = contact.system == System::HighLevel && contact.kind == RecordKind::Contact;
    let is_matter =
        matter.system == System::CasePeer && matches!(matter.kind, RecordKind::Lead | RecordKind::Case);
    if !is_contact || !is_matter {
        return Err(CannotLink::Kinds);
    }
    let matched = Matched { score: 1000, reasons: vec!["a person said so".into()] };
    let base = Base::default().with_match(matched);
    let link = Link::new(contact.clone(), matter.clone(), System::CasePeer, base);
    Ok(store.link_records(firm, link).await?)
}
