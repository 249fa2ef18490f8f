//! What people do at both vendors, and what becomes of the webhooks that tell of it.

use casebridge::twin::highlevel::NewTask;
use casebridge::twin::{Fault, Misbehaviour, NewContact, NewLead, NewNote, casepeer};
use serde_json::{Value, json};

use super::oracle::{PLACES, Person, Values, fresh, patch_here, patch_there};
use super::world::{Item, World};

/// What happens to a change's webhook.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Sent,
    Twice,
    Overtaken,
    Late,
    Dropped,
}

impl World {
    /// Somebody new: at one side, or at both in the same second.
    pub fn add(&mut self) {
        let number = self.people.len();
        let edit = self.number();
        let both: Values = PLACES.iter().map(|place| (place.name, fresh(place.name, number, edit))).collect();
        let mut person = Person { number, is_heard: true, is_busy: true, ..Person::default() };
        let where_to = self.dice.below(5);
        if where_to != 1 && where_to != 2 {
            let value = |name: &str| both[name].clone();
            person.contact = Some(self.highlevel().create_contact(NewContact {
                first_name: value("first"),
                last_name: value("last"),
                email: value("email"),
                phone: value("phone"),
                address1: value("street"),
                city: value("city"),
                state: value("state"),
                postal_code: value("zip"),
                ..NewContact::default()
            }));
            person.here = both.clone();
        }
        if where_to > 0 && where_to < 4 {
            person.began_there = true;
            let mut there = both;
            if where_to == 3 {
                // The same person as another saw them.
                let edit = self.number();
                there.insert("city", fresh("city", number, edit));
            }
            let value = |name: &str| there[name].clone();
            person.lead = Some(self.casepeer().create_lead(NewLead {
                first_name: value("first"),
                last_name: value("last"),
                email: value("email"),
                phone: value("phone"),
                line1: value("street"),
                city: value("city"),
                state: value("state"),
                zip: value("zip"),
                ..NewLead::default()
            }));
            person.there = there;
        }
        // The record on the other side, and the one initial task of a lead that began in CASEpeer.
        self.needed += usize::from(!person.is_on_both()) + usize::from(person.began_there);
        self.people.push(person);
        self.second();
    }

    /// One change somewhere. With `is_calm`, its webhook arrives as it should.
    pub fn change(&mut self, is_calm: bool) {
        let may_change = |person: &&Person| !person.is_busy && person.is_on_both();
        let people: Vec<usize> = self.people.iter().filter(may_change).map(|person| person.number).collect();
        if people.is_empty() {
            return;
        }
        let (at, kind) = (people[self.dice.below(people.len())], self.dice.below(100));
        match kind {
            0..35 => self.edit(at, true, is_calm),
            35..70 => self.edit(at, false, is_calm),
            70..76 => self.there_and_back(at),
            76..90 => self.belonging(at),
            90..95 => self.complete(),
            _ => self.sign(at),
        }
        self.second();
    }

    /// One to three fields of one side get values that nobody had.
    fn edit(&mut self, at: usize, is_here: bool, is_calm: bool) {
        let mut changes = Values::new();
        for _ in 0..=self.dice.below(3) {
            let place = &PLACES[self.dice.below(PLACES.len())];
            let edit = self.number();
            changes.insert(place.name, fresh(place.name, at, edit));
        }
        let fate = match self.dice.below(20) {
            _ if is_calm => Fate::Sent,
            _ if self.dice.percent(self.lost) => Fate::Dropped,
            0 => Fate::Late,
            1 => Fate::Overtaken,
            2 => Fate::Twice,
            _ => Fate::Sent,
        };
        self.script(fate, is_here);
        let person = &self.people[at];
        if is_here {
            self.highlevel().update_contact(person.contact.as_ref().unwrap(), patch_here(&changes));
        } else {
            self.update_there(person, patch_there(&changes));
        }
        if fate != Fate::Sent {
            self.highlevel().clear_faults();
            self.casepeer().clear_faults();
        }
        let person = &mut self.people[at];
        let side = if is_here { &mut person.here } else { &mut person.there };
        side.extend(changes);
        person.is_late |= fate == Fate::Late;
        person.is_heard |= !matches!(fate, Fate::Dropped | Fate::Late);
    }

    /// A lead's client is changed with the lead, a case's as a client.
    fn update_there(&self, person: &Person, patch: Value) {
        let lead = person.lead.as_ref().unwrap();
        if person.case.is_none() {
            return self.casepeer().update_lead(lead, json!({ "client": patch }));
        }
        let client = self.casepeer().lead(lead).unwrap()["client"]["id"].as_str().unwrap().to_owned();
        self.casepeer().update_contact(&client, patch);
    }

    fn script(&self, fate: Fate, is_here: bool) {
        let misbehaviour = match fate {
            Fate::Sent => return,
            Fate::Twice => Misbehaviour::DuplicateWebhook,
            Fate::Overtaken => Misbehaviour::ReorderWebhook,
            Fate::Late => Misbehaviour::LateWebhook { seconds: None },
            Fate::Dropped => Misbehaviour::DropWebhook,
        };
        let fault = Fault::new(misbehaviour);
        if is_here { self.highlevel().fault(fault) } else { self.casepeer().fault(fault) }
    }

    /// A→B→A: what was, is again.
    fn there_and_back(&mut self, at: usize) {
        let place = &PLACES[self.dice.below(PLACES.len())];
        let edit = self.number();
        let person = &mut self.people[at];
        let old = person.here[place.name].clone();
        for value in [fresh(place.name, at, edit), old] {
            let patch = patch_here(&[(place.name, value)].into());
            self.bridge.highlevel.update_contact(person.contact.as_ref().unwrap(), patch);
        }
        person.is_heard = true;
        self.made += 1;
    }

    fn belonging(&mut self, at: usize) {
        let (edit, is_here, is_task) = (self.number(), self.dice.percent(50), self.dice.percent(50));
        let title = format!("item {edit}.");
        let (contact, matter) = (self.people[at].contact.clone().unwrap(), self.people[at].matter());
        match (is_here, is_task) {
            (true, true) => {
                let task = NewTask { title: title.clone(), ..NewTask::default() };
                drop(self.highlevel().create_task(&contact, task));
            }
            (true, false) => drop(self.highlevel().create_note(&contact, &title)),
            (false, true) => {
                let task = casepeer::NewTask { title: title.clone(), ..casepeer::NewTask::default() };
                drop(self.casepeer().create_task(&matter, task));
            }
            (false, false) => {
                let (body, category) = (title.clone(), "Intake".into());
                drop(self.casepeer().create_note(&matter, NewNote { body, category, ..NewNote::default() }));
            }
        }
        self.needed += 1;
        self.items.push(Item { person: at, title, is_task, is_done: false });
    }

    /// A task is done, on whichever side knows it.
    fn complete(&mut self) {
        let open: Vec<usize> =
            (0..self.items.len()).filter(|at| self.items[*at].is_task && !self.items[*at].is_done).collect();
        if open.is_empty() {
            return;
        }
        let at = open[self.dice.below(open.len())];
        let (title, contact) =
            (self.items[at].title.clone(), self.people[self.items[at].person].contact.clone().unwrap());
        let find = |tasks: Vec<Value>| tasks.into_iter().find(|task| task["title"] == title.as_str());
        let (here, there) = (find(self.highlevel().tasks(&contact)), find(self.casepeer().tasks()));
        // Only one that both have: one that is born and done in the same breath is copied as done.
        let (Some(here), Some(there)) = (here, there) else { return };
        if self.dice.percent(50) {
            self.highlevel().complete_task(&contact, here["id"].as_str().unwrap());
        } else {
            self.casepeer().complete_task(there["id"].as_str().unwrap());
        }
        self.items[at].is_done = true;
        self.needed += 1;
    }

    /// The lead becomes a case, or the case moves to and fro at once.
    fn sign(&mut self, at: usize) {
        if self.people[at].is_heard
            || self.people[at].is_late
            || self.people[at].here != self.people[at].there
        {
            return;
        }
        let reaches = |person: &mut Person, milestone| {
            let is_new = !person.milestones.contains(&milestone);
            person.milestones.extend(is_new.then_some(milestone));
            usize::from(is_new)
        };
        let person = &mut self.people[at];
        person.is_busy = true;
        match &person.case {
            None => {
                person.case = Some(self.bridge.casepeer.convert_lead(person.lead.as_ref().unwrap()));
                self.needed += reaches(person, "signed") + reaches(person, "lead_open") + 1;
                person.is_heard = true;
            }
            Some(case) => {
                let case = case.clone();
                let is_treating = self.bridge.casepeer.case(&case).unwrap()["status"] == "Treating";
                for status in ["Turned down", "Intake", "Treating"] {
                    self.bridge.casepeer.set_status(&case, status);
                }
                self.needed += reaches(person, "rejected") + usize::from(!is_treating);
                person.is_heard = true;
            }
        }
    }
}
