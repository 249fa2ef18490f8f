//! What a changed configuration would have done with what came.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::join_all;

use super::super::ConfigArgument;
use super::super::failure::Failure;
use super::super::output::{note, print_json, say};
use super::super::serve::{keyring, open_store};
use crate::bridge::{Bridge, NoPreview};
use crate::clock::{SharedClock, SystemClock};
use crate::store::EventFilter;

/// Events that are planned at once.
const AT_ONCE: usize = 8;

pub(super) async fn run(
    config: &ConfigArgument,
    with: PathBuf,
    filter: EventFilter,
    json: bool,
) -> Result<(), Failure> {
    let (config, changed) = (config.load()?, ConfigArgument { config: with }.load()?);
    let clock: SharedClock = Arc::new(SystemClock);
    let keyring = keyring(&config)?;
    let store = open_store(&config, &keyring, &clock).await?;
    let rows = store.events(filter).await?;
    let bridge = |config| Bridge::new(config, Arc::clone(&store), Arc::clone(&keyring), Arc::clone(&clock));
    let now = bridge(&config).map_err(Failure::configuration)?;
    // Now: with what the console settled. Then: by the changed file alone.
    now.refresh_rules().await?;
    let then = bridge(&changed).map_err(Failure::configuration)?;
    let (mut differ, mut unsaid) = (0_usize, 0_usize);
    // In the order they came.
    let ids: Vec<_> = rows.iter().rev().map(|row| row.id).collect();
    for part in ids.chunks(AT_ONCE) {
        let planned = join_all(part.iter().map(|id| now.what_if(&then, *id))).await;
        for (id, planned) in part.iter().zip(planned) {
            let difference = match planned {
                Ok(Some(difference)) => difference,
                Ok(None) => continue,
                Err(NoPreview::NoEvent) => continue,
                Err(why) => {
                    unsaid += 1;
                    note(&format!("{id} cannot be said: {why}"));
                    continue;
                }
            };
            differ += 1;
            if json {
                print_json(&difference)?;
                continue;
            }
            let mut lines = vec![id.to_string()];
            lines.extend(difference.no_longer.iter().map(|call| format!("  - {call}")));
            lines.extend(difference.instead.iter().map(|call| format!("  + {call}")));
            say(&lines.join("\n"))?;
        }
    }
    let summary = format!(
        "{} events: {differ} would make other calls, {unsaid} cannot be said; nothing is done",
        ids.len()
    );
    if json {
        note(&summary);
        return Ok(());
    }
    say(&summary)
}
