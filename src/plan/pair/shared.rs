//! Several matters of one person: what is the person's is merged once for each client that has them, and every link
//! learns what was agreed, so that none of them takes an old value for the base.

use super::{Told, merge_pair};
use crate::domain::{Base, Command, Contact, FieldName, Fields, Link, Plan, RecordRef, Scope};
use crate::plan::snapshot::{Pair, Snapshot};
use crate::rules::SyncRules;

/// Merges a contact with these of its matters; `siblings` are the links of others, which are not looked at.
pub(in crate::plan) fn merge_pairs(
    plan: &mut Plan,
    contact: &Contact,
    pairs: &[Pair],
    siblings: &[Link],
    snapshot: &Snapshot,
    rules: &SyncRules,
) {
    let mut contact = contact.clone();
    let mut clients: Vec<(&RecordRef, Told)> = Vec::new();
    for pair in pairs {
        let known = pair.matter.client.as_ref().and_then(|client| {
            clients.iter().find(|(known, _)| *known == client).map(|(_, told)| told.clone())
        });
        let told = match known {
            Some(told) => {
                let (contact, pair) = as_told(&contact, pair, &told);
                merge_pair(plan, &contact, &pair, snapshot, rules)
            }
            None => merge_pair(plan, &contact, pair, snapshot, rules),
        };
        contact.fields.overlay(&told.to_highlevel);
        agree_with_siblings(plan, &contact, pair, &told, siblings);
        if let Some(client) = &pair.matter.client {
            clients.push((client, told));
        }
    }
}

/// A contact and a matter of a client whom another of its matters has been merged for: what was written there shows here,
/// and what stays apart was spoken of there.
fn as_told(contact: &Contact, pair: &Pair, told: &Told) -> (Contact, Pair) {
    let (mut contact, mut pair) = (contact.clone(), pair.clone());
    pair.matter.fields.overlay(&told.to_casepeer);
    let (here, there) = (contact.fields.clone(), pair.matter.fields.clone());
    let is_apart = |name: &FieldName| name.scope() == Scope::Person && here.value(name) != there.value(name);
    for fields in [&mut contact.fields, &mut pair.matter.fields, &mut pair.link.base.fields] {
        fields.retain(|name, _| !is_apart(name));
    }
    (contact, pair)
}

/// The links of the client's other matters learn what both sides have.
fn agree_with_siblings(plan: &mut Plan, contact: &Contact, pair: &Pair, told: &Told, siblings: &[Link]) {
    let Some(client) = &pair.matter.client else { return };
    let mut agreed = told.to_casepeer.clone();
    for (name, value) in contact.fields.iter() {
        let is_written = told.to_highlevel.value(name).is_some();
        if is_written || agreed.value(name).is_none() && pair.matter.fields.value(name) == Some(value) {
            agreed.put(name.clone(), value.to_owned());
        }
    }
    agreed.retain(|name, _| name.scope() == Scope::Person);
    let is_the_clients = |link: &&Link| link.base.client.as_deref() == Some(client.id.as_str());
    for link in siblings.iter().filter(is_the_clients) {
        let mut fields: Fields = agreed.clone();
        fields.retain(|name, value| link.base.fields.value(name) != Some(value));
        if !fields.is_empty() {
            let (highlevel, casepeer) = (link.highlevel.clone(), link.casepeer.clone());
            let base = Base::of_fields(fields);
            plan.add(Command::Agree { highlevel, casepeer, base }, "it shows the same client");
        }
    }
}
