//! "This record here is that record there", and what both sides agreed on last.

use serde::{Deserialize, Serialize};

use super::{Fields, Opportunity, RecordKind, RecordRef, System};

/// A pair of records that are the same thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The record in HighLevel.
    pub highlevel: RecordRef,
    /// The record in CASEpeer.
    pub casepeer: RecordRef,
    /// The system in which the thing came into being.
    pub origin: System,
    /// What both sides agreed on last.
    pub base: Base,
    /// How often the base has moved. Names one transition, so that A→B→A is three of them.
    pub revision: i64,
}

impl Link {
    /// A link that nothing has been agreed on yet.
    pub fn new(highlevel: RecordRef, casepeer: RecordRef, origin: System, base: Base) -> Self {
        debug_assert!(highlevel.system == System::HighLevel && casepeer.system == System::CasePeer);
        Self { highlevel, casepeer, origin, base, revision: 0 }
    }

    /// Whether both records are there: a link of a record that was deleted stays as its tombstone.
    pub fn is_live(&self) -> bool {
        !self.base.is_deleted
    }

    /// The record on one side.
    pub fn on(&self, system: System) -> &RecordRef {
        match system {
            System::HighLevel => &self.highlevel,
            System::CasePeer => &self.casepeer,
        }
    }
}

/// The record that stands for a contact, a lead or a case on the other side. A contact with several matters is worked
/// on under its newest case, or its newest lead while there is no case.
pub fn counterpart<'a>(links: &'a [Link], record: &RecordRef) -> Option<&'a RecordRef> {
    let there = record.system.opposite();
    let live = links.iter().filter(|link| link.is_live() && link.on(record.system) == record);
    let others = live.map(|link| link.on(there));
    let newest = |kind| others.clone().rfind(|other| other.kind == kind);
    match there {
        System::HighLevel => newest(RecordKind::Contact),
        System::CasePeer => newest(RecordKind::Case).or_else(|| newest(RecordKind::Lead)),
    }
}

/// The values both sides agreed on last: the third side of a three-way merge.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Base {
    /// A person's fields.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub fields: Fields,
    /// Whether a task was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_completed: Option<bool>,
    /// The status a case was last seen in, where its system only says that something changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Where the case's deal was put.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opportunity: Option<Opportunity>,
    /// Whether the initial tasks of a matter that began in CASEpeer have been seen to; nothing if it gets none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_tasks: Option<bool>,
    /// Why a person's two records were taken for one; nothing if one was made for the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched: Option<Matched>,
    /// What a HighLevel note said when it was copied last, as a digest: told anew when it says something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The tags that the status put on the contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// The business that the contact was put under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub business: Option<String>,
    /// The CASEpeer client whose lead or case this is: several of them may show one client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Whether HighLevel's record was deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_deleted: bool,
    /// What was sent to either side, while nobody knows whether it arrived; the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sent: Vec<Sent>,
}

/// Values of the other side that were sent to this one. The answer never came: they may have arrived or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The system they were sent to.
    pub to: System,
    /// The values.
    pub fields: Fields,
}

/// How many unanswered writes are kept in mind: as many as an event has attempts.
const MOST_SENT: usize = 10;

/// Why two records were taken for one person's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Matched {
    /// How likely they are one person, in per mille.
    pub score: u16,
    /// What spoke for it and what against, in words that name no person.
    pub reasons: Vec<String>,
}

impl Base {
    /// A base that knows a person's fields.
    pub fn of_fields(fields: Fields) -> Self {
        Self { fields, ..Self::default() }
    }

    /// A base that knows whether a task was done.
    pub fn of_task(is_completed: bool) -> Self {
        Self { is_completed: Some(is_completed), ..Self::default() }
    }

    /// The same base of a matter that gets its initial tasks, or got them.
    #[must_use]
    pub fn with_initial_tasks(self, are_seen_to: bool) -> Self {
        Self { initial_tasks: Some(are_seen_to), ..self }
    }

    /// The same base of a link that was found by matching.
    #[must_use]
    pub fn with_match(self, matched: Matched) -> Self {
        Self { matched: Some(matched), ..self }
    }

    /// The same base of a matter of this client.
    #[must_use]
    pub fn with_client(self, client: Option<&RecordRef>) -> Self {
        Self { client: client.map(|client| client.id.clone()), ..self }
    }

    /// A base that knows where a deal was put.
    pub fn of_opportunity(opportunity: Opportunity) -> Self {
        Self { opportunity: Some(opportunity), ..Self::default() }
    }

    /// A base that knows what a note said.
    pub fn of_text(digest: Option<String>) -> Self {
        Self { text: digest, ..Self::default() }
    }

    /// A base that knows a case's status.
    pub fn of_status(status: impl Into<String>) -> Self {
        Self { status: Some(status.into()), ..Self::default() }
    }

    /// Keeps in mind what was sent without an answer.
    pub fn note_sent(&mut self, sent: Sent) {
        self.sent.retain(|known| *known != sent);
        self.sent.push(sent);
        self.sent.drain(..self.sent.len().saturating_sub(MOST_SENT));
    }

    /// The fields that both sides had last, as far as what they have now shows. A value that was sent to a side and is
    /// there has arrived, although the answer did not come: nobody has changed it there since, so that it must not stand
    /// against what the side it came from says by now. Where both still have it, that has yet to be agreed on.
    pub fn had_last(&self, highlevel: &Fields, casepeer: &Fields) -> Fields {
        let mut fields = self.fields.clone();
        for Sent { to, fields: sent } in &self.sent {
            let (side, other) = match to {
                System::HighLevel => (highlevel, casepeer),
                System::CasePeer => (casepeer, highlevel),
            };
            for (name, value) in sent.iter() {
                if side.value(name) == Some(value) && other.value(name) != Some(value) {
                    fields.put(name.clone(), value.to_owned());
                }
            }
        }
        fields
    }

    /// Takes over what `newer` knows and keeps the rest.
    pub fn overlay(&mut self, newer: &Self) {
        self.fields.overlay(&newer.fields);
        for sent in &mut self.sent {
            sent.fields.retain(|name, _| newer.fields.value(name).is_none());
        }
        self.sent.retain(|sent| !sent.fields.is_empty());
        if newer.is_completed.is_some() {
            self.is_completed = newer.is_completed;
        }
        if newer.status.is_some() {
            self.status.clone_from(&newer.status);
        }
        if newer.opportunity.is_some() {
            self.opportunity.clone_from(&newer.opportunity);
        }
        if newer.initial_tasks.is_some() {
            self.initial_tasks = newer.initial_tasks;
        }
        if newer.text.is_some() {
            self.text.clone_from(&newer.text);
        }
        if newer.tags.is_some() {
            self.tags.clone_from(&newer.tags);
        }
        if newer.client.is_some() {
            self.client.clone_from(&newer.client);
        }
        if newer.business.is_some() {
            self.business.clone_from(&newer.business);
        }
        self.is_deleted |= newer.is_deleted;
        if newer.matched.is_some() {
            self.matched.clone_from(&newer.matched);
        }
    }
}
