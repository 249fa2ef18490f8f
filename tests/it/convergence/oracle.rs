//! What ought to come out, written without the bridge: each side's values, what both agreed on last, and a rule a field.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The values of the edited fields, by name.
pub type Values = BTreeMap<&'static str, String>;

/// Whose value stands where both sides changed a field.
#[derive(Clone, Copy, PartialEq)]
pub enum Owner {
    Here,
    There,
    Later,
    Asked,
}

/// An edited field: its place in a HighLevel contact and in a CASEpeer client, and its owner before and after signing.
pub struct Place {
    pub name: &'static str,
    pub here: &'static str,
    pub there: &'static str,
    pub owners: [Owner; 2],
}

const fn place(name: &'static str, here: &'static str, there: &'static str, owners: [Owner; 2]) -> Place {
    Place { name, here, there, owners }
}

const BY_STAGE: [Owner; 2] = [Owner::Here, Owner::There];

/// As [`super::SYNC`] says.
pub const PLACES: [Place; 8] = [
    place("first", "firstName", "/first_name", BY_STAGE),
    place("last", "lastName", "/last_name", BY_STAGE),
    place("email", "email", "/email", BY_STAGE),
    place("phone", "phone", "/phone", BY_STAGE),
    place("city", "city", "/address/city", BY_STAGE),
    place("street", "address1", "/address/line1", [Owner::Asked, Owner::Asked]),
    place("state", "state", "/address/state", [Owner::There, Owner::There]),
    place("zip", "postalCode", "/address/zip", [Owner::Later, Owner::Later]),
];

/// A person as the oracle knows it. "Here" is HighLevel, "there" is CASEpeer.
#[derive(Default)]
pub struct Person {
    pub number: usize,
    pub contact: Option<String>,
    pub lead: Option<String>,
    pub case: Option<String>,
    pub here: Values,
    pub there: Values,
    pub base: Values,
    /// Whether a webhook about it reaches the bridge in this round.
    pub is_heard: bool,
    /// Whether one does in the next.
    pub is_late: bool,
    /// Whether anything else happens to it in this round.
    pub is_busy: bool,
    pub began_there: bool,
    pub milestones: Vec<&'static str>,
}

/// What ought to become of one field.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    Stays(String),
    Becomes(String),
    Asked,
}

impl Person {
    pub fn is_on_both(&self) -> bool {
        self.contact.is_some() && self.lead.is_some()
    }

    /// What becomes of a field; `is_later_here` says which record was changed last, if one was.
    pub fn outcome(&self, place: &Place, is_later_here: Option<bool>) -> Outcome {
        let (here, there) = (&self.here[place.name], &self.there[place.name]);
        let base = self.base.get(place.name);
        if here == there {
            return Outcome::Stays(here.clone());
        }
        if base == Some(here) {
            return Outcome::Becomes(there.clone());
        }
        if base == Some(there) {
            return Outcome::Becomes(here.clone());
        }
        let owner = place.owners[usize::from(self.case.is_some())];
        match (owner, is_later_here) {
            (Owner::Here, _) | (Owner::Later, Some(true)) => Outcome::Becomes(here.clone()),
            (Owner::There, _) | (Owner::Later, Some(false)) => Outcome::Becomes(there.clone()),
            (Owner::Asked, _) | (Owner::Later, None) => Outcome::Asked,
        }
    }

    /// Both sides have this now, and agree on it.
    pub fn agree(&mut self, name: &'static str, value: &str) {
        for values in [&mut self.here, &mut self.there, &mut self.base] {
            values.insert(name, value.to_owned());
        }
    }
}

/// A contact's values as HighLevel shows it.
pub fn values_here(contact: &Value) -> Values {
    let value = |place: &Place| Some((place.name, contact[place.here].as_str()?.to_owned()));
    PLACES.iter().filter_map(value).collect()
}

/// A lead's or case's values as CASEpeer shows its client.
pub fn values_there(matter: &Value) -> Values {
    let client = &matter["client"];
    let value = |place: &Place| Some((place.name, client.pointer(place.there)?.as_str()?.to_owned()));
    PLACES.iter().filter_map(value).collect()
}

/// A patch of a contact.
pub fn patch_here(changes: &Values) -> Value {
    let of = |place: &Place| Some((place.here.to_owned(), changes.get(place.name)?.clone().into()));
    Value::Object(PLACES.iter().filter_map(of).collect())
}

/// A patch of a client.
pub fn patch_there(changes: &Values) -> Value {
    let mut patch = json!({});
    for place in PLACES.iter().filter(|place| changes.contains_key(place.name)) {
        let value = &changes[place.name];
        match place.there.trim_start_matches('/').split_once('/') {
            Some((outer, inner)) => patch[outer][inner] = value.clone().into(),
            None => patch[place.there.trim_start_matches('/')] = value.clone().into(),
        }
    }
    patch
}

/// A value that nobody had before.
pub fn fresh(name: &'static str, person: usize, edit: usize) -> String {
    match name {
        "email" => format!("p{person}.e{edit}@example.com"),
        "phone" => format!("+1512{:03}{:04}", 200 + person, 1000 + edit),
        "zip" => format!("{:05}", 10_000 + edit),
        _ => format!("{name} {person} {edit}"),
    }
}
