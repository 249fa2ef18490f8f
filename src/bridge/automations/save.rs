//! Saving rules: checked against the catalog, and against the other rules, so that no two set each other off for ever.

use super::read;
use crate::rules::automation::{Rule, Wrong, sets_itself_off};
use crate::store::{RuleRow, RuleSaved, SharedStore, StoreError};

/// Why a rule was not saved. The one in force stays.
#[derive(Debug, thiserror::Error)]
pub enum NotSaved {
    /// It does not check.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Wrong(Vec<Wrong>),
    /// Somebody saved another version meanwhile.
    #[error("the rule was saved by somebody else meanwhile: look at it, and save again")]
    Changed,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Every rule in force, and what it says; or why this build cannot read it.
pub async fn saved_rules(store: &SharedStore) -> Result<Vec<(RuleRow, Result<Rule, String>)>, StoreError> {
    let rows = store.rules().await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let rule = read(&row);
            (row, rule)
        })
        .collect())
}

/// Saves a rule over the version in force, if there is one.
pub async fn save_rule(store: &SharedStore, rule: &Rule, by: &str) -> Result<RuleSaved, NotSaved> {
    let rows = store.rules().await?;
    let from = rows.iter().find(|row| row.id == rule.id).map(|row| row.version);
    save_rule_from(store, rule, from, by).await
}

/// Saves a rule that was made from this version; none makes a new rule.
pub async fn save_rule_from(
    store: &SharedStore,
    rule: &Rule,
    from: Option<u32>,
    by: &str,
) -> Result<RuleSaved, NotSaved> {
    let saved = saved_rules(store).await?;
    let others: Vec<&Rule> = saved
        .iter()
        .filter(|(row, _)| row.is_on && row.id != rule.id)
        .filter_map(|(_, other)| other.as_ref().ok())
        .collect();
    if let Some(way) = sets_itself_off(rule, &others).filter(|_| !rule.may_trigger_itself) {
        let why = format!(
            "this rule triggers itself through {way}; with `may_trigger_itself = true` it may, and is stopped when it \
             does so again and again"
        );
        return Err(NotSaved::Wrong(vec![Wrong { at: "then".into(), why }]));
    }
    match store.save_rule(&rule.id, &rule.to_json().to_string(), from, by).await? {
        RuleSaved::Changed => Err(NotSaved::Changed),
        saved => Ok(saved),
    }
}
