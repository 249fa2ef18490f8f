//! `casebridge people`: who is who across both systems.

mod keep;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};

use super::ConfigArgument;
use super::by::By;
use super::failure::Failure;
use super::output::{print_json, say};
use super::serve::{keyring, open_store};
use crate::bridge::{self, CannotLink};
use crate::clock::{SharedClock, SystemClock};
use crate::config::Config;
use crate::domain::{Deed, FirmId, PersonId, RecordRef};
use crate::store::{PersonLink, PersonStory, SharedStore};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Tell a person's story across both systems: records, links, what happened and what was done.
    Show {
        #[command(flatten)]
        config: ConfigArgument,
        #[command(flatten)]
        firm: FirmArgument,
        /// The person's number, or one of its records as system:kind:id.
        who: Who,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say that a contact and a lead or case are one person's; the next event of either brings them in step.
    Link {
        #[command(flatten)]
        config: ConfigArgument,
        #[command(flatten)]
        firm: FirmArgument,
        /// The contact, as highlevel:contact:ID.
        contact: RecordRef,
        /// The lead or case, as casepeer:lead:ID or casepeer:case:ID.
        matter: RecordRef,
        #[command(flatten)]
        by: By,
    },
    /// Make one person of two: from now on their events are worked on one after another.
    Merge {
        #[command(flatten)]
        config: ConfigArgument,
        #[command(flatten)]
        firm: FirmArgument,
        /// Each by its number or one of its records.
        #[arg(num_args = 2, required = true)]
        people: Vec<Who>,
        #[command(flatten)]
        by: By,
    },
    /// Make two people of one, as after a wrong match: these records leave, and what hangs on them.
    Split {
        #[command(flatten)]
        config: ConfigArgument,
        #[command(flatten)]
        firm: FirmArgument,
        /// The records that leave, as system:kind:id.
        #[arg(required = true)]
        records: Vec<RecordRef>,
        #[command(flatten)]
        by: By,
    },
    /// Place a legal hold: everything about the person stays, whatever is due to be deleted or asked to be erased.
    Hold {
        #[command(flatten)]
        config: ConfigArgument,
        #[command(flatten)]
        firm: FirmArgument,
        /// The person's number, or one of its records as system:kind:id.
        who: Who,
        /// What the hold is for; kept, sealed.
        #[arg(long)]
        why: String,
        #[command(flatten)]
        by: By,
    },
    /// End every legal hold on a person.
    Release {
        #[command(flatten)]
        config: ConfigArgument,
        #[command(flatten)]
        firm: FirmArgument,
        /// The person's number, or one of its records as system:kind:id.
        who: Who,
        #[command(flatten)]
        by: By,
    },
    /// List the legal holds, past ones too.
    Holds {
        #[command(flatten)]
        config: ConfigArgument,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Hand out everything that is kept about a person as JSON: records, links, what was received and sent.
    Export {
        #[command(flatten)]
        config: ConfigArgument,
        #[command(flatten)]
        firm: FirmArgument,
        /// The person's number, or one of its records as system:kind:id.
        who: Who,
        /// Into this new file, which only you may read, instead of standard output.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        by: By,
    },
    /// Erase everything that is kept about a person, for good, and print a certificate. A legal hold wins.
    Erase {
        #[command(flatten)]
        config: ConfigArgument,
        #[command(flatten)]
        firm: FirmArgument,
        /// The person's number, or one of its records as system:kind:id.
        who: Who,
        /// Without asking.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        by: By,
        /// Write the certificate into this file instead of standard output.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// Whose records are meant.
#[derive(Debug, Args)]
struct FirmArgument {
    /// The firm; may be left out where there is only one.
    #[arg(long)]
    firm: Option<String>,
}

/// A person, by number or by record.
#[derive(Debug, Clone)]
enum Who {
    Number(PersonId),
    Record(RecordRef),
}

impl std::str::FromStr for Who {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(number) = text.parse() {
            return Ok(Self::Number(PersonId(number)));
        }
        text.parse().map(Self::Record).map_err(|_| "a person's number, or a record as system:kind:id".into())
    }
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        Verb::Show { config, firm, who, json } => {
            let (config, store) = open(&config).await?;
            let id = number(&config, &store, &firm, &who).await?;
            let story = store.person(id).await?.ok_or_else(|| no_such(&who))?;
            if json { print_json(&story) } else { show(&story) }
        }
        Verb::Link { config, firm, contact, matter, by } => {
            let (config, store) = open(&config).await?;
            let firm = firm_of(&config, &firm)?;
            bridge::link(&store, &firm, &contact, &matter).await.map_err(|why| match why {
                CannotLink::Kinds => Failure::usage(why.to_string())
                    .hint("casebridge people link highlevel:contact:ID casepeer:lead:ID"),
                CannotLink::Store(error) => error.into(),
            })?;
            let deed = by.did(Deed::Linked).at(&firm).about(format!("{contact} {matter}"));
            store.note_deed(deed).await?;
            say(&format!("{contact} and {matter} are linked; the next event of either brings them in step"))
        }
        Verb::Merge { config, firm, people, by } => {
            let (config, store) = open(&config).await?;
            let one = number(&config, &store, &firm, &people[0]).await?;
            let other = number(&config, &store, &firm, &people[1]).await?;
            let Some(id) = store.merge_people(one, other).await? else {
                return Err(Failure::failed("one of them is not there, or they are of two firms")
                    .hint("`casebridge people show ID` says what is known of each"));
            };
            let about = format!("people {one} and {other}");
            keep::note(&store, by.did(Deed::Merged).about(about), id).await?;
            say(&format!("they are person {id}"))
        }
        Verb::Split { config, firm, records, by } => {
            let (config, store) = open(&config).await?;
            let firm = firm_of(&config, &firm)?;
            let split = store.split_person(&firm, &records, by.name()).await?;
            let split = split.map_err(|why| {
                Failure::failed(why.to_string())
                    .hint("`casebridge people show RECORD` lists the records of a person")
            })?;
            store.note_deed(by.did(Deed::Split).at(&firm).about(split.records.join(", "))).await?;
            say(&format!(
                "{} now belong to person {}; {} pending events went with them, {} links ended",
                split.records.join(", "),
                split.to,
                split.events,
                split.links
            ))
        }
        Verb::Hold { config, firm, who, why, by } => {
            let (config, store) = open(&config).await?;
            keep::hold(&store, number(&config, &store, &firm, &who).await?, &why, &by).await
        }
        Verb::Release { config, firm, who, by } => {
            let (config, store) = open(&config).await?;
            keep::release(&store, number(&config, &store, &firm, &who).await?, &by).await
        }
        Verb::Holds { config, json } => keep::holds(&open(&config).await?.1, json).await,
        Verb::Export { config, firm, who, out, by } => {
            let (config, store) = open(&config).await?;
            keep::export(&store, number(&config, &store, &firm, &who).await?, out.as_deref(), &by).await
        }
        Verb::Erase { config, firm, who, yes, by, out } => {
            let (config, store) = open(&config).await?;
            let person = number(&config, &store, &firm, &who).await?;
            keep::erase(&config, &store, person, &by, yes, out).await
        }
    }
}

async fn open(config: &ConfigArgument) -> Result<(Config, SharedStore), Failure> {
    let config = config.load()?;
    let clock: SharedClock = Arc::new(SystemClock);
    let store = open_store(&config, &keyring(&config)?, &clock).await?;
    Ok((config, store))
}

fn firm_of(config: &Config, argument: &FirmArgument) -> Result<FirmId, Failure> {
    match (&argument.firm, &config.firms[..]) {
        (Some(firm), _) => Ok(FirmId::new(firm)),
        (None, [only]) => Ok(FirmId::new(&only.id)),
        (None, _) => Err(Failure::usage("say whose records these are").hint("--firm ID")),
    }
}

async fn number(
    config: &Config,
    store: &SharedStore,
    firm: &FirmArgument,
    who: &Who,
) -> Result<PersonId, Failure> {
    match who {
        Who::Number(id) => Ok(*id),
        Who::Record(record) => {
            store.person_of(&firm_of(config, firm)?, record).await?.ok_or_else(|| no_such(who))
        }
    }
}

fn no_such(who: &Who) -> Failure {
    let who = match who {
        Who::Number(id) => format!("person {id}"),
        Who::Record(record) => record.to_string(),
    };
    Failure::failed(format!("the bridge knows no {who}"))
        .hint("`casebridge events show ID` names the records an event is about")
}

fn show(story: &PersonStory) -> Result<(), Failure> {
    let mut lines = vec![format!("person {} of {}", story.id, story.firm)];
    if !story.merged.is_empty() {
        let merged: Vec<String> = story.merged.iter().map(ToString::to_string).collect();
        lines.push(format!("  merged    {}", merged.join(", ")));
    }
    lines.extend(story.records.iter().map(|record| format!("  record    {record}")));
    if !story.links.is_empty() {
        lines.push("links".into());
    }
    for link in &story.links {
        link_lines(&mut lines, link);
    }
    if !story.events.is_empty() {
        lines.push("timeline".into());
    }
    for event in &story.events {
        let row = &event.row;
        let at = row.received_at.strftime("%Y-%m-%d %H:%M:%S");
        lines.push(format!(
            "  {at}  {:<9}  {:<20}  {:<13}  {}",
            row.source.as_str(),
            row.kind,
            row.state,
            row.id
        ));
        if let Some(reason) = &row.reason {
            lines.push(format!("      {reason}"));
        }
        for planned in event.plan.iter().flat_map(|plan| &plan.commands) {
            lines.push(format!("      {}: {}", planned.command, planned.reason));
        }
        for call in event.calls.iter().filter(|call| call.effect_key.is_some()) {
            let status = call.status.map_or("-".into(), |status| status.to_string());
            let at = call.started_at.strftime("%H:%M:%S%.3f");
            lines.push(format!("      {at}  {status:<3}  {:<12}  {}", call.class.as_str(), call.target));
        }
    }
    say(&lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n"))
}

fn link_lines(lines: &mut Vec<String>, link: &PersonLink) {
    let since = link.linked_at.strftime("%Y-%m-%d %H:%M:%S");
    lines.push(format!("  {} = {}  since {since}, began in {}", link.highlevel, link.casepeer, link.origin));
    if let Some(matched) = &link.base.matched {
        lines.push(format!("      matched, {} of 1000: {}", matched.score, matched.reasons.join(", ")));
    }
    for (field, value) in link.base.fields.iter() {
        lines.push(format!("      {:<12}  {value}", field.title()));
    }
}
