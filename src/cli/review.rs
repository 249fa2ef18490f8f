//! `casebridge review`: what only a person can decide.

use std::sync::Arc;

use clap::{Args, Subcommand};

use super::ConfigArgument;
use super::by::By;
use super::failure::Failure;
use super::output::{print_json, say};
use super::serve::{keyring, open_store};
use crate::bridge::{CannotResolve, resolve};
use crate::clock::{SharedClock, SystemClock};
use crate::domain::{Deed, FirmId, RecordRef, Resolution, ReviewAction, ReviewId, ReviewKind, Shown, System};
use crate::store::{ReviewFilter, ReviewRow, ReviewStory, SharedStore};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List what waits for a decision, the oldest first.
    List {
        #[command(flatten)]
        config: ConfigArgument,
        /// Of this firm only.
        #[arg(long)]
        firm: Option<String>,
        /// Of this kind only.
        #[arg(long, value_parser = kind)]
        kind: Option<ReviewKind>,
        /// Those that are answered, too.
        #[arg(long)]
        all: bool,
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Show one question with both sides.
    Show {
        #[command(flatten)]
        config: ConfigArgument,
        /// The question.
        id: ReviewId,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Answer a question; what waits for it goes on.
    Resolve {
        #[command(flatten)]
        config: ConfigArgument,
        /// The question.
        id: ReviewId,
        /// What to do; `review show` says what may be answered.
        #[arg(long, value_parser = action)]
        action: ReviewAction,
        /// The record meant, with `link`, where several are shown.
        #[arg(long, value_name = "SYSTEM:KIND:ID")]
        record: Option<RecordRef>,
        /// A field whose value comes from another side than the action says; may be given more than once.
        #[arg(long, value_name = "FIELD=SYSTEM", value_parser = field)]
        field: Vec<(String, System)>,
        /// Anything to keep with the answer.
        #[arg(long)]
        note: Option<String>,
        #[command(flatten)]
        by: By,
    },
}

fn kind(word: &str) -> Result<ReviewKind, String> {
    word.parse().map_err(|_| one_of(ReviewKind::ALL.iter().map(|kind| kind.as_str())))
}

fn action(word: &str) -> Result<ReviewAction, String> {
    word.parse().map_err(|_| one_of(ReviewAction::ALL.iter().map(|action| action.as_str())))
}

fn field(text: &str) -> Result<(String, System), String> {
    let (name, side) = text.split_once('=').ok_or("FIELD=highlevel or FIELD=casepeer")?;
    Ok((name.to_owned(), side.parse().map_err(|_| "highlevel or casepeer")?))
}

fn one_of(words: impl Iterator<Item = &'static str>) -> String {
    format!("one of {}", words.collect::<Vec<_>>().join(", "))
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        Verb::List { config, firm, kind, all, limit, json } => {
            let firm = firm.map(FirmId::new);
            let filter = ReviewFilter { firm, kind, with_resolved: all, limit, ..ReviewFilter::default() };
            list(&open(&config).await?, filter, json).await
        }
        Verb::Show { config, id, json } => {
            let story = open(&config).await?.review(id).await?.ok_or_else(|| no_such(id))?;
            if json { print_json(&story) } else { show(&story) }
        }
        Verb::Resolve { config, id, action, record, field, note, by } => {
            let answer = Resolution { action, record, fields: field.into_iter().collect(), note };
            let store = open(&config).await?;
            match resolve(&store, id, answer, by.name()).await {
                Ok(row) => {
                    let deed = by.did(Deed::Resolved).at(&row.firm).about(format!("{id}: {action}"));
                    store.note_deed(deed).await?;
                    say(&format!("{id} is answered: {}", row.action.unwrap_or(action)))
                }
                Err(CannotResolve::NoReview) => Err(no_such(id)),
                Err(CannotResolve::Store(error)) => Err(error.into()),
                Err(CannotResolve::Resolved) => Err(Failure::failed(format!("{id} is answered already"))),
                Err(CannotResolve::Answer(why)) => Err(Failure::usage(why)
                    .hint(format!("`casebridge review show {id}` shows the records and the answers"))),
            }
        }
    }
}

async fn open(config: &ConfigArgument) -> Result<SharedStore, Failure> {
    let config = config.load()?;
    let clock: SharedClock = Arc::new(SystemClock);
    open_store(&config, &keyring(&config)?, &clock).await
}

fn no_such(id: ReviewId) -> Failure {
    Failure::failed(format!("there is no question {id}")).hint("`casebridge review list` shows the ids")
}

async fn list(store: &SharedStore, filter: ReviewFilter, json: bool) -> Result<(), Failure> {
    let limit = filter.limit;
    let rows = store.reviews(filter).await?;
    if json {
        return rows.iter().try_for_each(print_json);
    }
    if rows.is_empty() {
        return say("nothing waits for a decision");
    }
    let mut text =
        format!("{:<36}  {:<19}  {:<12}  {:<16}  {:<9}  WHY", "ID", "SINCE", "FIRM", "KIND", "ANSWER");
    for ReviewRow { id, firm, kind, why, opened_at, action, resolved_at, .. } in &rows {
        let since = opened_at.strftime("%Y-%m-%d %H:%M:%S");
        let answer = match (action, resolved_at) {
            (Some(action), _) => action.as_str(),
            (None, Some(_)) => "moot",
            (None, None) => "-",
        };
        let (id, firm, kind) = (id.to_string(), firm.to_string(), kind.as_str());
        text.push_str(&format!("\n{id:<36}  {since:<19}  {firm:<12}  {kind:<16}  {answer:<9}  {why}"));
    }
    if rows.len() == limit {
        text.push_str(&format!("\nthe oldest {limit}; --limit shows more"));
    }
    say(&text)
}

fn show(story: &ReviewStory) -> Result<(), Failure> {
    let row = &story.row;
    let mut lines = vec![
        format!("{}  {}", row.id, row.kind),
        format!("  firm      {}", row.firm),
        format!("  why       {}", row.why),
        format!("  opened    {}", row.opened_at),
    ];
    lines.extend(story.events.iter().map(|event| format!("  event     {event}")));
    for side in [System::HighLevel, System::CasePeer] {
        for shown in story.details.on(side) {
            record(&mut lines, side, shown);
        }
    }
    for one in &story.details.differences {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
        let changed = |by: &Option<String>| by.as_ref().map(|by| format!(", {by}")).unwrap_or_default();
        lines.push(one.field.clone());
        lines.push(format!("  agreed on  {}", value(&one.base)));
        lines.push(format!("  HighLevel  {}{}", value(&one.highlevel), changed(&one.highlevel_changed)));
        lines.push(format!("  CASEpeer   {}{}", value(&one.casepeer), changed(&one.casepeer_changed)));
    }
    match (&story.resolution, row.resolved_at) {
        (None, None) => {
            let actions: Vec<&str> = row.kind.actions().iter().map(|action| action.as_str()).collect();
            lines.push(format!(
                "answer with: casebridge review resolve {} --action {}",
                row.id,
                actions.join("|")
            ));
        }
        (answer, at) => {
            let what = answer.as_ref().map_or("it answered itself", |answer| answer.action.as_str());
            let by = row.resolved_by.as_deref().unwrap_or_default();
            let at = at.map(|at| at.to_string()).unwrap_or_default();
            lines.push(format!("answered: {what}, by {by}, {at}"));
            if let Some(record) = answer.as_ref().and_then(|answer| answer.record.as_ref()) {
                lines.push(format!("  record    {record}"));
            }
            if let Some(note) = answer.as_ref().and_then(|answer| answer.note.as_ref()) {
                lines.push(format!("  note      {note}"));
            }
        }
    }
    say(&lines.join("\n"))
}

fn record(lines: &mut Vec<String>, side: System, shown: &Shown) {
    let score = shown.score.map(|score| format!("  {} of 1000", score)).unwrap_or_default();
    lines.push(format!("{}  {}{score}", side.title(), shown.record));
    for (name, value) in &shown.values {
        lines.push(format!("  {name:<14}  {value}"));
    }
    lines.extend(shown.reasons.iter().map(|reason| format!("  {reason}")));
}
