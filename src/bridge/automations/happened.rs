//! From a stored event to what a rule sees of it.

use serde_json::{Map, Value, json};

use super::super::Firm;
use crate::domain::{Link, RecordKind, RecordRef, System, counterpart};
use crate::operations::catalog::Entry;
use crate::rules::automation::{Occasion, trigger_of};
use crate::store::{SharedStore, StoreError};
use crate::webhook::{NoHeaders, casepeer, highlevel};
use jiff::Timestamp;

/// What begins the names of what the bridge itself tells.
pub(in crate::bridge) const OWN: &str = "casebridge.";

/// An event that a rule may be about.
pub(in crate::bridge) struct Happened {
    pub(in crate::bridge) trigger: &'static Entry,
    pub(in crate::bridge) data: Value,
    /// The records it names: first what it is about.
    pub(super) records: Vec<RecordRef>,
}

/// The trigger that an event of this type is, for a firm.
pub(in crate::bridge) fn trigger(firm: &Firm, source: System, kind: &str) -> Option<&'static Entry> {
    let kind = match source {
        System::CasePeer if !kind.starts_with(OWN) => firm.casepeer.profile().events().canonical(kind),
        _ => kind,
    };
    trigger_of(source, kind)
}

impl Happened {
    /// What this payload tells. What cannot be read triggers nothing.
    pub(in crate::bridge) fn read(
        firm: &Firm,
        source: System,
        kind: &str,
        trigger: &'static Entry,
        payload: &[u8],
    ) -> Option<Self> {
        let (data, records) = if kind.starts_with(OWN) {
            let mut body: Value = serde_json::from_slice(payload).ok()?;
            let records = body["records"].as_array().into_iter().flatten();
            let records = records.filter_map(|record| record.as_str()?.parse().ok()).collect();
            (body["data"].take(), records)
        } else if source == System::HighLevel {
            (highlevel::read_record(payload)?, highlevel::read_envelope(payload).ok()?.records)
        } else {
            let events = firm.casepeer.profile().events();
            let told = casepeer::read_told(events, kind, payload)?;
            let word = events.canonical(kind).split('.').next().unwrap_or_default().to_owned();
            let records = casepeer::read_envelope(events, &NoHeaders, payload).ok()?.records;
            (json!({ word: told.fields }), records)
        };
        Some(Self { trigger, data, records })
    }

    /// The record that a rule runs once for; empty if the event names none.
    pub(super) fn subject(&self) -> String {
        self.records.first().map(ToString::to_string).unwrap_or_default()
    }

    /// What rules see of it, but for what is linked; and the people it names, for [`look_up`].
    pub(super) fn occasion(self, firm: &Firm, event: (&str, &str, Timestamp)) -> (Occasion, Vec<RecordRef>) {
        let is_person =
            |kind: RecordKind| matches!(kind, RecordKind::Contact | RecordKind::Lead | RecordKind::Case);
        let people = self.records.into_iter().filter(|record| is_person(record.kind)).collect();
        let (id, kind, at) = event;
        let known = [
            ("event.id", id.to_owned()),
            ("event.type", kind.to_owned()),
            ("event.received_at", at.to_string()),
            ("firm", firm.id.to_string()),
        ];
        let known = known.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        let zone = firm.rules.time_zone.clone();
        (Occasion { trigger: self.trigger, data: self.data, known, at, zone }, people)
    }
}

/// Adds the linked records, and what both sides agree on about the person.
pub(super) async fn look_up(
    occasion: &mut Occasion,
    people: &[RecordRef],
    store: &SharedStore,
    firm: &Firm,
) -> Result<(), StoreError> {
    let links = if people.is_empty() { Vec::new() } else { store.links_of(&firm.id, people).await? };
    occasion.known.extend(person(people, &links));
    Ok(())
}

/// The linked records, and what was agreed on last.
fn person(named: &[RecordRef], links: &[Link]) -> Map<String, Value> {
    let mut known = Map::new();
    let of_kind = |kind| named.iter().find(|record| record.kind == kind).cloned();
    let matter = || of_kind(RecordKind::Case).or_else(|| of_kind(RecordKind::Lead));
    let contact = of_kind(RecordKind::Contact).or_else(|| counterpart(links, &matter()?).cloned());
    let live = || links.iter().filter(|link| link.is_live() && link.highlevel.kind == RecordKind::Contact);
    let newest = |kind| live().rfind(|link| link.casepeer.kind == kind).map(|link| link.casepeer.clone());
    let lead = of_kind(RecordKind::Lead).or_else(|| newest(RecordKind::Lead));
    let case = of_kind(RecordKind::Case).or_else(|| newest(RecordKind::Case));
    for (name, record) in [("contact_id", contact), ("lead_id", lead), ("case_id", case)] {
        if let Some(record) = record {
            known.insert(name.into(), record.id.into());
        }
    }
    if let Some(link) = live().next_back() {
        for (field, value) in link.base.fields.iter() {
            known.insert(format!("person.{field}"), value.into());
        }
    }
    known
}
