//! Bringing a rule in.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::super::ConfigArgument;
use super::super::by::By;
use super::super::failure::Failure;
use super::super::output::{note, say};
use super::{read, refused, store};
use crate::bridge::{NotSaved, save_rule};
use crate::domain::Deed;
use crate::rules::automation::{ReadyMade, from_toml, ready_made};
use crate::store::RuleSaved;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// The rule, as TOML; `-` is standard input.
    #[arg(required_unless_present = "ready_made")]
    file: Option<PathBuf>,
    /// A ready-made rule instead, as in `rules list --ready-made`.
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    ready_made: Option<String>,
    /// A value that a ready-made rule needs; may be given more than once.
    #[arg(long = "set", value_name = "NAME=VALUE", requires = "ready_made")]
    set: Vec<String>,
    /// For these firms only, separated by commas, whatever the file says.
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    firms: Vec<String>,
    /// Switch it on as well.
    #[arg(long)]
    on: bool,
    #[command(flatten)]
    by: By,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut rule = match (&arguments.file, &arguments.ready_made) {
        (Some(file), _) => read(file)?,
        (None, name) => from_toml(&filled(name.as_deref().unwrap_or_default(), &arguments.set)?)
            .map_err(|wrong| refused(&wrong))?,
    };
    let config = arguments.config.load()?;
    if !arguments.firms.is_empty() {
        rule.firms.clone_from(&arguments.firms);
    }
    if let Some(unknown) = rule.firms.iter().find(|id| config.firms.iter().all(|firm| firm.id != **id)) {
        note(&format!("the configuration has no firm `{unknown}`"));
    }
    let (store, by) = (store(&arguments.config).await?, &arguments.by);
    let saved = save_rule(&store, &rule, by.name()).await.map_err(|error| match error {
        NotSaved::Wrong(wrong) => refused(&wrong),
        NotSaved::Changed => Failure::try_again(error.to_string()),
        NotSaved::Store(error) => error.into(),
    })?;
    if let RuleSaved::As(version) = saved {
        let about = format!("{}, version {version}", rule.id);
        store.note_deed(by.did(Deed::RuleSaved).about(about)).await?;
    }
    if arguments.on {
        store.switch_rule(&rule.id, true).await?;
        store.note_deed(by.did(Deed::RuleOn).about(&rule.id)).await?;
    }
    let is_on = store.rules().await?.iter().any(|row| row.id == rule.id && row.is_on);
    let state = if is_on { "on" } else { "off" };
    match saved {
        RuleSaved::As(version) => {
            say(&format!("`{}` is saved as version {version}, and is {state}", rule.id))?
        }
        RuleSaved::Same(version) => {
            say(&format!("`{}` is as in version {version}, and is {state}", rule.id))?
        }
        RuleSaved::Changed => {}
    }
    if !is_on {
        note(&format!("try it with `casebridge rules try`, then `casebridge rules on {}`", rule.id));
    }
    Ok(())
}

fn filled(name: &str, set: &[String]) -> Result<String, Failure> {
    let ready = ReadyMade::find(name).ok_or_else(|| {
        let names: Vec<&str> = ready_made::ALL.iter().map(|one| one.name).collect();
        Failure::usage(format!("there is no ready-made rule `{name}`"))
            .hint(format!("one of {}", names.join(", ")))
    })?;
    let mut values = BTreeMap::new();
    for pair in set {
        let (name, value) = pair.split_once('=').ok_or_else(|| Failure::usage("--set takes NAME=VALUE"))?;
        values.insert(name.to_owned(), value.to_owned());
    }
    ready
        .filled(&values)
        .map_err(|why| Failure::usage(why).hint("`casebridge rules list --ready-made` shows what each needs"))
}
