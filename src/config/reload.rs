//! Taking over a changed file while the program runs: profiles, value maps, sync rules and what senders prove themselves
//! with. It is checked whole first; if it
//! is wrong, what was in force stays.
//!
//! Firms that were added are taken over too. Listeners, the store, keys, HighLevel's section, and firms that are gone need a
//! restart: connections, seals and lanes hang on them.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use toml::{Table, Value};

use super::source::{Document, Environment, configured, environment};
use super::{Config, ConfigError};

/// The keys below a firm that may change at run time.
const OF_FIRM: [&str; 2] = ["name", "sync"];
/// The keys below a firm's `casepeer` that may change at run time.
const OF_CASEPEER: [&str; 6] = ["profile", "inbound", "events", "inbound_token", "webhook_secrets", "hooks"];
/// The keys below a firm's `highlevel` that may change at run time.
const OF_HIGHLEVEL: [&str; 2] = ["workflow_token", "workflow_header"];

/// A configuration in force, and what it was read from.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    path: PathBuf,
    /// The variables that lie over the file.
    environment: fn() -> Environment,
    table: Table,
    stamps: Vec<Stamp>,
}

/// What a changed file comes to.
#[derive(Debug)]
pub struct Reloaded {
    /// The configuration that is to be in force.
    pub loaded: Loaded,
    /// The keys that changed.
    pub changed: Vec<String>,
    /// The keys that changed and stay as they were until the next start.
    pub needs_restart: Vec<String>,
}

/// A file as it was seen last: whoever writes it changes one of the two.
type Stamp = (PathBuf, Option<(SystemTime, u64)>);

fn stamp(path: PathBuf) -> Stamp {
    let seen = std::fs::metadata(&path).ok().and_then(|data| Some((data.modified().ok()?, data.len())));
    (path, seen)
}

impl Loaded {
    /// Reads the configuration of a file and of the process's environment.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        Self::under(path, environment)
    }

    /// Reads the configuration of a file alone, as for the demo's.
    pub fn alone(path: &Path) -> Result<Self, ConfigError> {
        Self::under(path, Environment::new)
    }

    fn under(path: &Path, environment: fn() -> Environment) -> Result<Self, ConfigError> {
        // Before the file: a change while it is read is seen afterwards.
        let own = stamp(path.to_owned());
        let document = Document::read(path, &environment())?;
        let config = configured(&document)?;
        Ok(Self::of(config, path, environment, document.table, own))
    }

    fn of(config: Config, path: &Path, environment: fn() -> Environment, table: Table, own: Stamp) -> Self {
        let profiles = config.firms.iter().filter_map(|firm| firm.casepeer.profile_file());
        let stamps = std::iter::once(own).chain(profiles.map(stamp)).collect();
        Self { config, path: path.to_owned(), environment, table, stamps }
    }

    /// The file it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a file has changed since this was last asked or read.
    pub fn has_moved(&mut self) -> bool {
        let now: Vec<Stamp> = self.stamps.iter().map(|(path, _)| stamp(path.clone())).collect();
        let moved = now != self.stamps;
        self.stamps = now;
        moved
    }

    /// Reads the files anew, and says what may be taken over.
    pub fn reread(&self) -> Result<Reloaded, ConfigError> {
        let own = stamp(self.path.clone());
        let mut document = Document::read(&self.path, &(self.environment)())?;
        configured(&document)?;
        let new = std::mem::take(&mut document.table);
        let taken = taken_over(&self.table, &new);
        let changed = differences(&self.table, &taken);
        let needs_restart = differences(&taken, &new);
        document.table = taken.clone();
        let config = configured(&document)?;
        let loaded = Self::of(config, &self.path, self.environment, taken, own);
        Ok(Reloaded { loaded, changed, needs_restart })
    }
}

/// The old table with what may change at run time from the new one.
fn taken_over(old: &Table, new: &Table) -> Table {
    let mut taken = old.clone();
    let theirs = firms(new);
    for firm in taken.get_mut("firms").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(firm) = firm.as_table_mut() else { continue };
        let Some(changed) = theirs.iter().find(|other| other.get("id") == firm.get("id")) else { continue };
        copy(firm, changed, &OF_FIRM);
        for (side, keys) in [("casepeer", &OF_CASEPEER[..]), ("highlevel", &OF_HIGHLEVEL)] {
            if let (Some(Value::Table(ours)), Some(Value::Table(changed))) =
                (firm.get_mut(side), changed.get(side))
            {
                copy(ours, changed, keys);
            }
        }
    }
    let (ours, is_same) = (firms(old), |one: &Table, other: &Table| one.get("id") == other.get("id"));
    // Where one is gone too, it may have been given another name: both at once would be two firms of one location.
    if ours.iter().all(|firm| theirs.iter().any(|other| is_same(firm, other))) {
        let added = theirs.iter().filter(|firm| !ours.iter().any(|known| is_same(known, firm)));
        let added: Vec<Value> = added.map(|firm| Value::Table((*firm).clone())).collect();
        let all = taken.entry("firms").or_insert_with(|| Value::Array(Vec::new()));
        all.as_array_mut().into_iter().for_each(|all| all.extend(added.iter().cloned()));
    }
    taken
}

fn copy(to: &mut Table, from: &Table, keys: &[&str]) {
    for key in keys {
        match from.get(*key) {
            Some(value) => drop(to.insert((*key).to_owned(), value.clone())),
            None => drop(to.remove(*key)),
        }
    }
}

fn firms(table: &Table) -> Vec<&Table> {
    let firms = table.get("firms").and_then(Value::as_array).into_iter().flatten();
    firms.filter_map(Value::as_table).collect()
}

/// The keys that differ, as a person writes them: `server.public`, `firms.acme.sync`. Values are not shown.
fn differences(old: &Table, new: &Table) -> Vec<String> {
    let mut found = Vec::new();
    for key in keys(old, new).filter(|key| *key != "firms") {
        compare(key, old.get(key), new.get(key), 1, &mut found);
    }
    let name = |firm: &Table| firm.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let (ours, theirs) = (firms(old), firms(new));
    for firm in &ours {
        let path = format!("firms.{}", name(firm));
        match theirs.iter().find(|other| name(other) == name(firm)) {
            None => found.push(path),
            Some(other) => {
                for key in keys(firm, other) {
                    compare(&format!("{path}.{key}"), firm.get(key), other.get(key), 1, &mut found);
                }
            }
        }
    }
    let is_new = |firm: &&&Table| !ours.iter().any(|known| name(known) == name(firm));
    found.extend(theirs.iter().filter(is_new).map(|firm| format!("firms.{}", name(firm))));
    found
}

fn keys<'a>(one: &'a Table, other: &'a Table) -> impl Iterator<Item = &'a str> {
    let only = other.keys().filter(|key| !one.contains_key(*key));
    one.keys().chain(only).map(String::as_str)
}

fn compare(path: &str, old: Option<&Value>, new: Option<&Value>, depth: u8, found: &mut Vec<String>) {
    match (old, new) {
        (old, new) if old == new => {}
        (Some(Value::Table(old)), Some(Value::Table(new))) if depth > 0 => {
            for key in keys(old, new) {
                compare(&format!("{path}.{key}"), old.get(key), new.get(key), depth - 1, found);
            }
        }
        _ => found.push(path.to_owned()),
    }
}

#[cfg(test)]
mod tests;
