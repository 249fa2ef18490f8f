//! What the bridge makes of a population: each contact is planned as if it had just come, against all of CASEpeer.

use std::collections::{BTreeSet, HashMap};

use casebridge::domain::{
    Command, Contact, Event, EventId, Fact, Field, Fields, FirmId, Matter, RecordKind, RecordRef, System,
    Users,
};
use casebridge::plan::{ContactView, Snapshot, View, plan};
use casebridge::rules::SyncRules;
use jiff::Timestamp;

use super::population::{Entry, Population};

/// What came of it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Verdicts {
    /// Contacts whose person CASEpeer knows.
    pub pairs: usize,
    /// Of those, the ones that share an e-mail or phone with it, without which no vendor finds them.
    pub findable: usize,
    /// Links that were made.
    pub links: usize,
    /// Of those, the wrong ones.
    pub wrong: usize,
    /// Contacts that a person is asked about.
    pub asked: usize,
    /// Of those, the ones whose person is among the records that are shown.
    pub asked_rightly: usize,
    /// Contacts whose person shares an e-mail or phone, and got a second lead.
    pub seconds: usize,
    /// The wrong links, for whoever looks into them: made up, so they may be shown.
    pub examples: Vec<String>,
}

impl Verdicts {
    /// Of the links that were made, the right ones.
    pub fn precision(&self) -> f64 {
        1.0 - ratio(self.wrong, self.links)
    }

    /// Of the pairs that can be found, those that were linked.
    pub fn recall(&self) -> f64 {
        ratio(self.links - self.wrong, self.findable)
    }

    /// Of the pairs that can be found, those that were linked or are shown to a person.
    pub fn recall_with_review(&self) -> f64 {
        ratio(self.links - self.wrong + self.asked_rightly, self.findable)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a made-up population")]
pub fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The matters of a population, by what a vendor finds them by.
struct Office {
    matters: Vec<Matter>,
    by_detail: HashMap<String, Vec<usize>>,
}

fn fields(entry: &Entry) -> Fields {
    Fields::default()
        .with(Field::FirstName, &entry.first)
        .with(Field::LastName, &entry.last)
        .with(Field::Email, &entry.email)
        .with(Field::Phone, &entry.phone)
        .with(Field::DateOfBirth, &entry.born)
}

fn details(fields: &Fields) -> impl Iterator<Item = String> {
    [Field::Email, Field::Phone].into_iter().filter_map(|field| fields.get(field).map(str::to_owned))
}

impl Office {
    fn of(entries: &[Entry]) -> Self {
        let mut office = Self { matters: Vec::new(), by_detail: HashMap::new() };
        for (at, entry) in entries.iter().enumerate() {
            let fields = fields(entry);
            details(&fields).for_each(|detail| office.by_detail.entry(detail).or_default().push(at));
            office.matters.push(Matter {
                client: Some(RecordRef::casepeer(RecordKind::Client, at.to_string())),
                fields,
                ..Matter::new(RecordRef::casepeer(RecordKind::Lead, at.to_string()))
            });
        }
        office
    }

    fn sharing(&self, fields: &Fields) -> Vec<usize> {
        let mut found: Vec<usize> = details(fields)
            .flat_map(|detail| self.by_detail.get(&detail).cloned().unwrap_or_default())
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Plans every contact of a population.
pub fn judge(population: &Population) -> Verdicts {
    let office = Office::of(&population.casepeer);
    let known: HashMap<usize, usize> =
        population.casepeer.iter().enumerate().map(|(at, entry)| (entry.truth, at)).collect();
    let rules = SyncRules::default();
    let mut verdicts = Verdicts::default();
    for (at, entry) in population.highlevel.iter().enumerate() {
        let record = RecordRef::highlevel(RecordKind::Contact, at.to_string());
        let fields = fields(entry);
        let sharing = office.sharing(&fields);
        let theirs = known.get(&entry.truth).copied();
        let is_findable = theirs.is_some_and(|theirs| sharing.contains(&theirs));
        verdicts.pairs += usize::from(theirs.is_some());
        verdicts.findable += usize::from(is_findable);
        let view = ContactView {
            contact: Contact { fields, ..Contact::new(record.clone()) },
            pairs: Vec::new(),
            candidates: sharing.iter().map(|at| office.matters[*at].clone()).collect(),
            left_off: 0,
            decisions: Vec::new(),
            pipelines: Vec::new(),
            tasks: Vec::new(),
            notes: Vec::new(),
        };
        let now = Timestamp::UNIX_EPOCH;
        let event = Event {
            id: EventId(uuid::Uuid::nil()),
            firm: FirmId::new("acme"),
            source: System::HighLevel,
            received_at: now,
            fact: Fact::ContactCreated { contact: record },
        };
        let view = View::Contact(Box::new(view));
        let snapshot = Snapshot {
            now,
            location: "loc".into(),
            custom_fields: BTreeSet::new(),
            users: Users::default(),
            businesses: Vec::new(),
            view,
            decisions: Vec::new(),
            is_backfill: false,
        };
        let plan = plan(&event, &snapshot, &rules);
        for planned in &plan.commands {
            match &planned.command {
                Command::Link(link) => {
                    verdicts.links += 1;
                    let linked: usize = link.casepeer.id.parse().unwrap();
                    if Some(linked) != theirs {
                        verdicts.wrong += 1;
                        let other = &population.casepeer[linked];
                        verdicts.examples.push(format!("{entry:?} and {other:?}: {}", planned.reason));
                    }
                }
                Command::CreateLead(_) => verdicts.seconds += usize::from(is_findable),
                _ => {}
            }
        }
        for question in &plan.questions {
            verdicts.asked += 1;
            let is_shown = question
                .details
                .casepeer
                .iter()
                .any(|shown| theirs.is_some_and(|theirs| shown.record.id == theirs.to_string()));
            verdicts.asked_rightly += usize::from(is_shown);
        }
    }
    verdicts
}
