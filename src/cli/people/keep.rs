//! `casebridge people hold | release | holds | export | erase`: what the law asks for.

use std::io::{BufRead, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::by::By;
use super::super::failure::Failure;
use super::super::output::{note as remark, print_json, say};
use crate::bridge::{erase_person, export_person};
use crate::clock::{SharedClock, SystemClock};
use crate::config::Config;
use crate::domain::{Deed, PersonId};
use crate::store::{AuditEntry, CannotErase, Hold, SharedStore};

/// Writes down what was done to a person, at the person's firm.
pub(super) async fn note(store: &SharedStore, deed: AuditEntry, person: PersonId) -> Result<(), Failure> {
    let deed = match store.person(person).await? {
        Some(story) => deed.at(&story.firm),
        None => deed,
    };
    Ok(store.note_deed(deed).await?)
}

fn of(person: PersonId) -> String {
    format!("person {person}")
}

pub(super) async fn hold(store: &SharedStore, person: PersonId, why: &str, by: &By) -> Result<(), Failure> {
    if why.trim().is_empty() {
        return Err(Failure::usage("--why is empty").hint("say in a few words what the hold is for"));
    }
    let hold = store.hold(person, why.trim(), by.name()).await?.ok_or_else(|| gone(person))?;
    note(store, by.did_because(Deed::Held, why.trim()).about(of(person)), person).await?;
    say(&format!(
        "everything about person {} stays from now on, until `casebridge people release {}`",
        hold.people[0], hold.people[0]
    ))
}

pub(super) async fn release(store: &SharedStore, person: PersonId, by: &By) -> Result<(), Failure> {
    let holds = store.release_holds(person, by.name()).await?;
    if holds == 0 {
        return Err(Failure::failed(format!("nothing holds person {person}"))
            .hint("`casebridge people holds` lists who is held"));
    }
    note(store, by.did(Deed::Released).about(of(person)), person).await?;
    match holds {
        1 => say("1 hold is released; what is old enough goes with the next day's deleting"),
        many => {
            say(&format!("{many} holds are released; what is old enough goes with the next day's deleting"))
        }
    }
}

pub(super) async fn holds(store: &SharedStore, json: bool) -> Result<(), Failure> {
    let holds = store.holds(None).await?;
    if json {
        return print_json(&holds);
    }
    if holds.is_empty() {
        return say("nobody is held");
    }
    let line = |hold: &Hold| {
        let people: Vec<String> = hold.people.iter().map(ToString::to_string).collect();
        let until = hold.released_at.map_or("held".to_owned(), |at| {
            format!("released {} by {}", at.strftime("%Y-%m-%d"), hold.released_by.as_deref().unwrap_or("-"))
        });
        let since = hold.held_at.strftime("%Y-%m-%d");
        format!(
            "{since}  {:<16}  person {:<10}  {until}  by {}: {}",
            hold.firm,
            people.join(", "),
            hold.held_by,
            hold.why
        )
    };
    say(&holds.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// Everything that is kept about a person, opened.
pub(super) async fn export(
    store: &SharedStore,
    person: PersonId,
    out: Option<&Path>,
    by: &By,
) -> Result<(), Failure> {
    let clock: SharedClock = Arc::new(SystemClock);
    // Before it is shown: what was handed out must not go unnoted.
    note(store, by.did(Deed::Exported).about(of(person)), person).await?;
    let everything = export_person(store, &clock, person).await?.ok_or_else(|| gone(person))?;
    let Some(path) = out else { return print_json(&everything) };
    let failed = |error: std::io::Error| {
        Failure::failed(format!("{}: {error}", path.display())).hint("name a file that is not there yet")
    };
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    let text = serde_json::to_string_pretty(&everything).expect("it is JSON");
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    say(&format!("{}: everything about person {person}, readable by you alone", path.display()))
}

/// Erases a person and prints the certificate, which is the only place that says whose records they were.
pub(super) async fn erase(
    config: &Config,
    store: &SharedStore,
    person: PersonId,
    by: &By,
    yes: bool,
    out: Option<PathBuf>,
) -> Result<(), Failure> {
    if !yes && !confirmed(person)? {
        return say("nothing was erased");
    }
    let erased = erase_person(store, &config.store.url, person, by.name()).await?;
    let certificate = erased.map_err(|why| match why {
        CannotErase::NotThere => gone(person),
        CannotErase::Held(_) => Failure::failed(why.to_string())
            .hint("a hold wins over erasing: `casebridge people release` ends it once the law allows"),
        CannotErase::AtWork => Failure::try_again(why.to_string()).hint("try again in a moment"),
    })?;
    note(store, by.did(Deed::Erased).about(of(person)), person).await?;
    if let Some(path) = out {
        let text = serde_json::to_string_pretty(&certificate).expect("it is JSON");
        if let Err(error) = std::fs::write(&path, text) {
            // It is done, and nobody can be told again: at least it is shown.
            remark(&format!("{} cannot be written: {error}; this is the certificate", path.display()));
            return print_json(&certificate);
        }
        return say(&format!(
            "person {} is erased; the certificate is {}",
            certificate["person"],
            path.display()
        ));
    }
    print_json(&certificate)
}

fn confirmed(person: PersonId) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("nobody can be asked here")
            .hint("`casebridge people export` first, then add --yes to erase for good"));
    }
    let mut out = std::io::stderr().lock();
    let _ = write!(out, "erase person {person} for good? [y/N] ").and_then(|()| out.flush());
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(|error| Failure::failed(error.to_string()))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn gone(person: PersonId) -> Failure {
    Failure::failed(format!("the bridge knows no person {person}"))
}
