//! Replaying one event or many.

use std::io::{BufRead, IsTerminal, Write};
use std::sync::Arc;

use super::super::ConfigArgument;
use super::super::by::By;
use super::super::failure::Failure;
use super::super::output::{note, say};
use super::super::serve::{keyring, open_store};
use super::{Which, no_such};
use crate::bridge::{Bridge, NoPreview};
use crate::clock::{SharedClock, SystemClock};
use crate::domain::{Deed, EventId};
use crate::store::StoreError;

/// The most events one command replays.
const MOST: usize = 100_000;

pub(super) async fn run(
    config: &ConfigArgument,
    id: Option<EventId>,
    which: &Which,
    dry_run: bool,
    yes: bool,
    by: &By,
) -> Result<(), Failure> {
    if id.is_none() && !which.is_anything() {
        return Err(Failure::usage("say which events: an id, --undelivered, --state or --cause")
            .hint("`casebridge events causes` counts what was given up"));
    }
    let config = config.load()?;
    let clock: SharedClock = Arc::new(SystemClock);
    let keyring = keyring(&config)?;
    let store = open_store(&config, &keyring, &clock).await?;
    let mut ids = match id {
        Some(id) => vec![id],
        None => store.events(which.filter(MOST)).await?.into_iter().map(|row| row.id).collect(),
    };
    // In the order they came: a lane takes them as they are put there.
    ids.reverse();
    let bridge = Bridge::new(&config, store, keyring, clock).map_err(Failure::configuration)?;
    bridge.refresh_rules().await?;
    if dry_run {
        return preview(&bridge, &ids).await;
    }
    if id.is_none() && !confirmed(ids.len(), yes)? {
        return say("nothing was replayed");
    }
    replay(&bridge, &ids, id.is_some(), by).await
}

async fn preview(bridge: &Bridge, ids: &[EventId]) -> Result<(), Failure> {
    say(&format!("{} events; nothing is done", ids.len()))?;
    for id in ids {
        let preview = match bridge.preview(*id).await {
            Ok(preview) => preview,
            Err(NoPreview::NoEvent) => return Err(no_such(*id)),
            Err(why) => {
                say(&format!("{id}\n  cannot be said: {why}"))?;
                continue;
            }
        };
        let mut text = id.to_string();
        for step in &preview.steps {
            text.push_str(&format!("\n  {:<22}  {}: {}", step.would.words(), step.command, step.reason));
        }
        for remark in &preview.remarks {
            text.push_str(&format!("\n  {remark}"));
        }
        say(&text)?;
    }
    Ok(())
}

/// Asks a person, where there is one.
fn confirmed(count: usize, yes: bool) -> Result<bool, Failure> {
    say(&format!("{count} events match"))?;
    if yes || count == 0 {
        return Ok(count > 0);
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("nobody can be asked here")
            .hint("add --yes to replay them, or --dry-run to look first"));
    }
    let mut out = std::io::stderr().lock();
    let _ = write!(out, "replay them? [y/N] ").and_then(|()| out.flush());
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(|error| Failure::failed(error.to_string()))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

async fn replay(bridge: &Bridge, ids: &[EventId], is_single: bool, by: &By) -> Result<(), Failure> {
    let (mut replayed, mut bodiless) = (0, 0);
    for id in ids {
        let result = match bridge.replay(*id).await {
            Err(StoreError::Gone(_)) if !is_single => {
                bodiless += 1;
                continue;
            }
            result => result?,
        };
        match result {
            None if is_single => return Err(no_such(*id)),
            Some(false) if is_single => return Err(Failure::failed(format!("{id} is not settled yet"))),
            Some(true) => {
                replayed += 1;
                if let Some(story) = bridge.store.event(*id).await? {
                    let deed = by.did(Deed::Replayed).at(&story.row.firm).about(id);
                    bridge.store.note_deed(deed).await?;
                }
            }
            // Another hand may have been quicker.
            None | Some(false) => {}
        }
    }
    if bodiless > 0 {
        note(&format!("{bodiless} are not replayed: their bodies are no longer kept"));
    }
    say(&format!("{replayed} wait for their turn; a running bridge takes them within a second"))
}
