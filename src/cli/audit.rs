//! `casebridge audit`: what people did.

use std::sync::Arc;

use super::ConfigArgument;
use super::failure::Failure;
use super::output::{print_json, say};
use super::serve::{keyring, open_store};
use crate::clock::{SharedClock, SystemClock};
use crate::domain::FirmId;
use crate::store::AuditFilter;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// What was done at this firm only.
    #[arg(long)]
    firm: Option<String>,
    /// By this person only.
    #[arg(long)]
    who: Option<String>,
    /// How many lines, the newest.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let config = arguments.config.load()?;
    let clock: SharedClock = Arc::new(SystemClock);
    let store = open_store(&config, &keyring(&config)?, &clock).await?;
    let filter = AuditFilter {
        within: arguments.firm.map(|firm| vec![FirmId::new(firm)]),
        who: arguments.who,
        before: None,
        limit: arguments.limit,
    };
    let rows = store.audit_log(filter).await?;
    if arguments.json {
        return rows.iter().try_for_each(print_json);
    }
    if rows.is_empty() {
        return say("nobody has done anything yet");
    }
    let mut text =
        format!("{:<20}  {:<20}  {:<16}  {:<12}  {}", "WHEN", "WHO", "WHAT", "FIRM", "ON WHAT, WHY");
    for row in &rows {
        let when = row.at.strftime("%Y-%m-%d %H:%M:%S").to_string();
        let firm = row.firm.as_ref().map_or("-", |firm| firm.as_str());
        let about = row.about.as_deref().unwrap_or_default();
        let why = row.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let what = row.what.as_str();
        text.push_str(&format!("\n{when:<20}  {:<20}  {what:<16}  {firm:<12}  {about}{why}", row.who));
    }
    if rows.len() == arguments.limit {
        text.push_str(&format!("\nthe newest {}; --limit shows more", arguments.limit));
    }
    say(&text)
}
