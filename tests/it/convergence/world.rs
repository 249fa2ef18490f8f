//! The people at both vendors, and what is looked at once the bridge has had its way; what is done to them is in `edits`.

use std::collections::BTreeMap;

use casebridge::domain::{EventState, Resolution, ReviewAction, ReviewKind};
use casebridge::store::ReviewFilter;
use casebridge::twin::{CasePeer, HighLevel};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::dice::Dice;
use super::oracle::{Outcome, PLACES, Person, Values, values_here, values_there};
use crate::support::TestBridge;

/// A task or note, and whose.
pub struct Item {
    pub person: usize,
    pub title: String,
    pub is_task: bool,
    pub is_done: bool,
}

pub struct World {
    pub bridge: TestBridge,
    pub dice: Dice,
    pub people: Vec<Person>,
    pub items: Vec<Item>,
    /// Numbers values and titles, so that none comes twice.
    edits: usize,
    /// How many of a hundred webhooks are lost.
    pub lost: usize,
    /// How many changes people made.
    pub made: usize,
    /// How many writes of this round are known to be needed besides those of fields.
    pub needed: usize,
}

impl World {
    pub fn new(bridge: TestBridge, seed: u64) -> Self {
        let (people, items) = Default::default();
        Self { bridge, dice: Dice::new(seed), people, items, edits: 0, lost: 10, made: 0, needed: 0 }
    }

    pub fn highlevel(&self) -> &HighLevel {
        &self.bridge.highlevel
    }

    pub fn casepeer(&self) -> &CasePeer {
        &self.bridge.casepeer
    }

    pub fn second(&mut self) {
        self.made += 1;
        self.bridge.installation.clock.advance(SignedDuration::from_secs(1));
    }

    pub fn number(&mut self) -> usize {
        self.edits += 1;
        self.edits
    }

    /// Every webhook is delivered, every turn taken, every retry made.
    pub async fn quiesce(&mut self) {
        self.bridge.settle().await;
        for _ in 0..40 {
            let mut pending = 0;
            for state in [EventState::Waiting, EventState::Ready, EventState::Retrying, EventState::Parked] {
                pending += self.bridge.installation.count(state).await;
            }
            if pending == 0 {
                return;
            }
            self.bridge.wait(SignedDuration::from_hours(1)).await;
        }
        panic!("what waits does not come to an end\n{}", self.bridge.installation.tell().await);
    }

    /// Answers what is asked, by a throw of the dice; whose value was chosen, by contact.
    pub async fn answer_all(&mut self) -> BTreeMap<String, bool> {
        let mut chosen = BTreeMap::new();
        for _ in 0..10 {
            let store = self.bridge.installation.store.clone();
            let rows = store.reviews(ReviewFilter { limit: 1_000, ..ReviewFilter::default() }).await.unwrap();
            if rows.is_empty() {
                return chosen;
            }
            for row in rows {
                assert_eq!(row.kind, ReviewKind::Conflict, "{row:?}");
                let is_here = self.dice.percent(50);
                let contact = row.subject.split([':', ' ']).nth(2).unwrap().to_owned();
                chosen.insert(contact, is_here);
                let action = if is_here { ReviewAction::UseHighlevel } else { ReviewAction::UseCasepeer };
                self.bridge
                    .installation
                    .bridge
                    .resolve(row.id, Resolution::new(action), "dice")
                    .await
                    .unwrap();
            }
            self.quiesce().await;
        }
        panic!("the questions do not come to an end");
    }

    /// The records that came into being by what was heard.
    fn meet(&mut self) {
        let (contacts, leads) = (self.highlevel().contacts(), self.casepeer().leads());
        let is = |email: &Value, values: &Values| email.as_str() == values.get("email").map(String::as_str);
        let id = |record: &Value| record["id"].as_str().unwrap().to_owned();
        for person in self.people.iter_mut().filter(|person| person.is_heard && !person.is_on_both()) {
            if person.contact.is_none() {
                let made = contacts.iter().find(|contact| is(&contact["email"], &person.there));
                person.contact = Some(id(made.unwrap_or_else(|| panic!("no contact of {}", person.number))));
                person.here = person.there.clone();
            } else {
                let made = leads.iter().find(|lead| is(&lead["client"]["email"], &person.here));
                person.lead = Some(id(made.unwrap_or_else(|| panic!("no lead of {}", person.number))));
                person.there = person.here.clone();
            }
            person.base = person.here.clone();
        }
        assert_eq!(contacts.len(), self.people.iter().filter(|person| person.contact.is_some()).count());
        assert_eq!(leads.len(), self.people.iter().filter(|person| person.lead.is_some()).count());
    }

    /// The bridge has its way, and everybody is as the oracle says. How many writes were needed.
    pub async fn settle_exactly(&mut self) -> usize {
        let mut asked = Vec::new();
        let mut needed = std::mem::take(&mut self.needed);
        let mut wanted: Vec<Vec<Outcome>> = Vec::new();
        for person in &self.people {
            let is_settled = !person.is_on_both() || !person.is_heard;
            let later = if is_settled { None } else { self.later_here(person) };
            let outcomes = PLACES.iter().map(|place| person.outcome(place, later));
            let outcomes: Vec<Outcome> = if is_settled { Vec::new() } else { outcomes.collect() };
            let changes = |side: &Values| {
                outcomes.iter().zip(&PLACES).any(|(outcome, place)| {
                    matches!(outcome, Outcome::Becomes(value) if side[place.name] != *value)
                })
            };
            needed += [&person.here, &person.there].into_iter().filter(|side| changes(side)).count();
            if outcomes.contains(&Outcome::Asked) {
                asked.push(person.contact.clone().unwrap());
            }
            wanted.push(outcomes);
        }
        self.quiesce().await;
        self.meet();
        let chosen = self.answer_all().await;
        // An answer is one more write.
        needed += asked.len();
        let context = self.people.iter().map(|person| person.number).collect::<Vec<_>>();
        assert!(
            asked.iter().all(|contact| chosen.contains_key(contact)),
            "somebody was not asked about: {context:?}"
        );
        assert_eq!(chosen.len(), asked.len(), "asked more than needed");
        for (person, outcomes) in self.people.iter_mut().zip(wanted) {
            for (outcome, place) in outcomes.into_iter().zip(&PLACES) {
                let value = match outcome {
                    Outcome::Stays(value) | Outcome::Becomes(value) => value,
                    Outcome::Asked if chosen[person.contact.as_ref().unwrap()] => {
                        person.here[place.name].clone()
                    }
                    Outcome::Asked => person.there[place.name].clone(),
                };
                person.agree(place.name, &value);
            }
        }
        self.compare().await;
        self.end_round();
        needed
    }

    /// The bridge has its way while it is disturbed: both sides agree, on what somebody wrote last at one of them.
    pub async fn settle_roughly(&mut self) {
        self.quiesce().await;
        self.meet();
        self.answer_all().await;
        for at in 0..self.people.len() {
            let person = &self.people[at];
            if !person.is_heard || !person.is_on_both() {
                continue;
            }
            let (here, there) = self.seen(person);
            for place in &PLACES {
                let (left, right) = (&here[place.name], &there[place.name]);
                let written = [&self.people[at].here[place.name], &self.people[at].there[place.name]];
                if left != right || !written.contains(&left) {
                    let told = self.bridge.installation.tell().await;
                    panic!("{} of {at}: {left} and {right}, but written {written:?}\n{told}", place.name);
                }
                self.people[at].agree(place.name, left);
            }
        }
        self.compare().await;
        self.end_round();
    }

    fn end_round(&mut self) {
        self.needed = 0;
        for person in &mut self.people {
            person.is_heard = std::mem::take(&mut person.is_late);
            person.is_busy = false;
        }
    }

    /// Whether the contact was changed after the client; nothing if at the same moment.
    fn later_here(&self, person: &Person) -> Option<bool> {
        let at = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap();
        let contact = self.highlevel().contact(person.contact.as_ref().unwrap()).unwrap();
        let (here, there) = (at(&contact["dateUpdated"]), at(&self.matter(person)["updated_at"]));
        (here != there).then_some(here > there)
    }

    fn matter(&self, person: &Person) -> Value {
        match &person.case {
            Some(case) => self.casepeer().case(case).unwrap(),
            None => self.casepeer().lead(person.lead.as_ref().unwrap()).unwrap(),
        }
    }

    fn seen(&self, person: &Person) -> (Values, Values) {
        let contact = self.highlevel().contact(person.contact.as_ref().unwrap()).unwrap();
        (values_here(&contact), values_there(&self.matter(person)))
    }

    async fn compare(&self) {
        self.bridge.installation.assert_nothing_undelivered().await;
        for person in self.people.iter().filter(|person| person.is_on_both()) {
            let (here, there) = self.seen(person);
            if (&here, &there) != (&person.here, &person.there) {
                let told = self.bridge.installation.tell().await;
                let (number, wanted) = (person.number, (&person.here, &person.there));
                let contact = person.contact.as_ref().unwrap();
                panic!("{number} ({contact}) is\n{here:?}\n{there:?}\nand ought to be\n{wanted:?}\n{told}");
            }
        }
    }

    /// How many people are not the same on both sides.
    pub fn apart(&self) -> usize {
        self.people.iter().filter(|person| person.here != person.there).count()
    }

    /// Webhooks that were late have come.
    pub fn late_ones_are_heard(&mut self) {
        self.bridge.highlevel.release_late_webhooks();
        self.bridge.casepeer.release_late_webhooks();
        for person in &mut self.people {
            person.is_heard |= std::mem::take(&mut person.is_late);
        }
    }

    /// Everything that was missed shows in a sweep.
    pub fn all_are_heard(&mut self) {
        for person in &mut self.people {
            person.is_heard = true;
        }
    }

    /// Each task and note is on both sides once, each case has one deal where its status says, each milestone one tag.
    pub fn assert_belongings(&self) {
        let notes = |person: &Person| self.highlevel().notes(person.contact.as_ref().unwrap());
        let (their_tasks, their_notes) = (self.casepeer().tasks(), self.casepeer().notes());
        for item in &self.items {
            let person = &self.people[item.person];
            let find = |list: &[Value], key: &str| -> Vec<Value> {
                let is_it = |one: &&Value| one[key].as_str().unwrap().starts_with(&item.title);
                list.iter().filter(is_it).cloned().collect()
            };
            let (here, there) = if item.is_task {
                let tasks = self.highlevel().tasks(person.contact.as_ref().unwrap());
                (find(&tasks, "title"), find(&their_tasks, "title"))
            } else {
                (find(&notes(person), "body"), find(&their_notes, "body"))
            };
            assert_eq!((here.len(), there.len()), (1, 1), "{} of {}", item.title, person.number);
            if item.is_task {
                let done = (here[0]["completed"] == true, there[0]["completed"] == true);
                assert_eq!(done, (item.is_done, item.is_done), "{} of {}", item.title, person.number);
            }
        }
        let deals = self.highlevel().opportunities();
        assert_eq!(deals.len(), self.people.iter().filter(|person| person.case.is_some()).count());
        for person in &self.people {
            let contact = self.highlevel().contact(person.contact.as_ref().unwrap()).unwrap();
            for milestone in &person.milestones {
                let tag = format!("cp:{milestone}");
                assert!(
                    contact["tags"].as_array().unwrap().contains(&json!(tag)),
                    "{} of {}",
                    tag,
                    person.number
                );
            }
        }
    }
}

impl Person {
    pub fn matter(&self) -> String {
        self.case.clone().or_else(|| self.lead.clone()).unwrap()
    }
}
