//! Many events at a glance.

use super::super::failure::Failure;
use super::super::output::{print_json, say};
use crate::store::{EventFilter, SharedStore};

pub(super) async fn list(store: &SharedStore, filter: EventFilter, json: bool) -> Result<(), Failure> {
    let limit = filter.limit;
    let rows = store.events(filter).await?;
    if json {
        return rows.iter().try_for_each(print_json);
    }
    if rows.is_empty() {
        return say("no events");
    }
    let mut text = format!(
        "{:<36}  {:<20}  {:<12}  {:<9}  {:<24}  {:<13}  {}\n",
        "ID", "RECEIVED", "FIRM", "SOURCE", "TYPE", "STATE", "REASON"
    );
    for row in &rows {
        let received = row.received_at.strftime("%Y-%m-%d %H:%M:%S");
        let reason = row.reason.as_deref().unwrap_or_default();
        text.push_str(&format!(
            "{:<36}  {received:<20}  {:<12}  {:<9}  {:<24}  {:<13}  {reason}\n",
            row.id.to_string(),
            row.firm.to_string(),
            row.source.as_str(),
            row.kind,
            row.state.as_str()
        ));
    }
    if rows.len() == limit {
        text.push_str(&format!("the newest {limit}; --limit shows more\n"));
    }
    say(text.trim_end())
}

pub(super) async fn causes(store: &SharedStore, json: bool) -> Result<(), Failure> {
    let rows = store.causes().await?;
    if json {
        return print_json(&rows);
    }
    if rows.is_empty() {
        return say("nothing is undelivered");
    }
    let mut text = format!("{:<16}  {:<12}  {:>8}  OLDEST", "FIRM", "CAUSE", "EVENTS");
    for row in &rows {
        let (firm, cause) = (row.firm.to_string(), row.cause.as_str());
        text.push_str(&format!("\n{firm:<16}  {cause:<12}  {:>8}  {}", row.events, row.oldest));
    }
    say(&text)
}
