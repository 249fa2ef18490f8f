//! Rules at work, between the twin's two halves.

mod firing;
mod guards;
mod ready_made;
mod triggers;
mod verbs;

use casebridge::bridge::{NotSaved, save_rule};
use casebridge::rules::automation::from_toml;
use casebridge::store::RuleSaved;

use crate::support::Installation;

/// Saves a rule and switches it on.
pub async fn import(installation: &Installation, text: &str) {
    let saved = try_import(installation, text).await;
    assert!(matches!(saved, Ok(RuleSaved::As(_))), "{saved:?}");
}

/// The same; what came of saving it.
pub async fn try_import(installation: &Installation, text: &str) -> Result<RuleSaved, NotSaved> {
    let rule = from_toml(text).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"));
    let saved = save_rule(&installation.store, &rule, "maria").await?;
    installation.store.switch_rule(&rule.id, true).await.unwrap();
    Ok(saved)
}

/// A rule that gives a new contact of Google's a tag.
pub const TAG: &str = r#"
id = "google"
when = "webhook.ContactCreate"
if = { field = "source", operator = "contains", value = "google" }
[[then]]
action = "contacts.add-tags"
with = { contactId = "{id}", tags = ["google"] }
"#;
