//! `casebridge secrets status`.

use std::sync::Arc;

use crate::bridge::Bridge;
use crate::cli::ConfigArgument;
use crate::cli::failure::Failure;
use crate::cli::output::{note, print_json, say};
use crate::cli::serve::{keyring, open_store};
use crate::clock::{SharedClock, SystemClock};

pub(super) async fn run(config: &ConfigArgument, json: bool) -> Result<(), Failure> {
    let config = config.load()?;
    let (keyring, clock): (_, SharedClock) = (keyring(&config)?, Arc::new(SystemClock));
    let store = open_store(&config, &keyring, &clock).await?;
    let seals = store.sealed_by().await?;
    let active = keyring.active().to_owned();
    let bridge = Bridge::new(&config, store, keyring, clock).map_err(Failure::configuration)?;
    let ages = bridge.secret_ages().await?;
    if json {
        return print_json(&ages);
    }
    let width = ages.iter().map(|age| age.reference.len()).max().unwrap_or_default();
    let mut text = format!("{:<width$}  {:>9}  FROM", "SECRET", "AGE");
    for age in &ages {
        let origin = age.origin.as_deref().unwrap_or_default();
        let until = age.until.map(|until| format!("  accepted until {until}")).unwrap_or_default();
        let due = if age.is_due { "  renew: older than 90 days" } else { "" };
        let days = format!("{} days", age.age_days);
        text.push_str(&format!("\n{:<width$}  {days:>9}  {origin}{until}{due}", age.reference));
    }
    for (id, values) in seals {
        let what = if id == active { "the active key" } else { "an older key" };
        text.push_str(&format!("\n{id}, {what}, seals {values} stored values"));
    }
    say(&text)?;
    note("an age counts from when this installation first saw a secret");
    Ok(())
}
