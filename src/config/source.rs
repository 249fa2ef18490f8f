//! Reading the configuration: the file, then the environment over it, then the checks; and saying where it is wrong.

use std::fmt;
use std::path::Path;

use toml::{Table, Value};

use super::Config;

/// A key, relative to its section, and what is wrong with it.
pub(super) type Problem = (String, String);

/// The variables of the environment: names and values.
pub type Environment = Vec<(String, String)>;

/// What variables begin with that override a key: `CASEBRIDGE_SERVER__PUBLIC` is `server.public`.
const PREFIX: &str = "CASEBRIDGE_";

/// Why the configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    file: String,
    line: Option<usize>,
    key: Option<String>,
    message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(out, ", line {line}")?;
        }
        if let Some(key) = &self.key {
            write!(out, ", {key}")?;
        }
        write!(out, ": {}", self.message)
    }
}

impl std::error::Error for ConfigError {}

/// A configuration's text with the environment's overrides, not yet understood.
pub(super) struct Document {
    file: String,
    text: String,
    pub(super) table: Table,
    /// Names of variables and the keys they set.
    overridden: Vec<(String, String)>,
}

impl Document {
    /// Reads a file, and lays these variables over it.
    pub(super) fn read(path: &Path, environment: &Environment) -> Result<Self, ConfigError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError {
            file: file.clone(),
            line: None,
            key: None,
            message: format!(
                "cannot be read: {error}; copy deploy/casebridge.example.toml, or name another with --config"
            ),
        })?;
        Self::new(&file, &text, environment)
    }

    fn new(file: &str, text: &str, environment: &Environment) -> Result<Self, ConfigError> {
        let (file, text) = (file.to_owned(), text.to_owned());
        let mut document = Self { file, text, table: Table::new(), overridden: Vec::new() };
        document.table = document.text.parse().map_err(|wrong: toml::de::Error| {
            let line = wrong.span().map(|span| line_at(&document.text, span.start));
            document.error(line, None, wrong.message().to_owned())
        })?;
        for (name, value) in environment {
            if let Some(key) = name.strip_prefix(PREFIX)
                && key.contains("__")
            {
                let path: Vec<String> = key.split("__").map(str::to_lowercase).collect();
                set(&mut document.table, &path, value)
                    .map_err(|why| document.error(None, Some(name.clone()), why))?;
                document.overridden.push((name.clone(), path.join(".")));
            }
        }
        Ok(document)
    }

    fn error(&self, line: Option<usize>, key: Option<String>, message: String) -> ConfigError {
        ConfigError { file: self.file.clone(), line, key, message }
    }

    /// A value that came from the environment is wrong there, whatever stands in the file.
    fn wrong_at(&self, key: String, why: String) -> ConfigError {
        match self.overridden.iter().find(|(_, path)| *path == key) {
            Some((name, _)) => {
                ConfigError { file: "environment".into(), line: None, key: Some(name.clone()), message: why }
            }
            None => self.error(line_of(&self.text, &key), Some(key).filter(|key| key != "."), why),
        }
    }
}

/// Understands and checks a configuration.
pub(super) fn configured(document: &Document) -> Result<Config, ConfigError> {
    let config: Config = serde_path_to_error::deserialize(document.table.clone()).map_err(|wrong| {
        let key = readable(&wrong.path().to_string());
        document.wrong_at(key, wrong.into_inner().message().to_owned())
    })?;
    config.check().map_err(|(key, why)| document.wrong_at(key, why))?;
    Ok(config)
}

/// The variables of this process. Those that are not text cannot override anything.
pub(super) fn environment() -> Environment {
    let variables = std::env::vars_os();
    variables.filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?))).collect()
}

/// Reads the configuration of a file and of the process's environment.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    configured(&Document::read(path, &environment())?)
}

/// Reads a configuration's text with the environment's overrides.
pub fn parse(file: &str, text: &str, environment: &Environment) -> Result<Config, ConfigError> {
    configured(&Document::new(file, text, environment)?)
}

/// `firms[0].id` as `firms.0.id`: one form for a person, the environment and the search for the line.
fn readable(path: &str) -> String {
    path.replace('[', ".").replace(']', "")
}

fn set(table: &mut Table, path: &[String], text: &str) -> Result<(), String> {
    let (last, sections) = path.split_last().ok_or("names no key")?;
    let mut place = table;
    for (depth, section) in sections.iter().enumerate() {
        let entry = place.entry(section.clone()).or_insert_with(|| Value::Table(Table::new()));
        place = match entry {
            Value::Table(table) => table,
            Value::Array(items) => {
                let index: usize = sections
                    .get(depth + 1)
                    .unwrap_or(last)
                    .parse()
                    .map_err(|_| format!("`{section}` is a list: name an item by number, from 0"))?;
                return match items.get_mut(index) {
                    Some(Value::Table(item)) => set(item, &path[depth + 2..], text),
                    _ => Err(format!("`{section}` has no item {index} with keys of its own")),
                };
            }
            _ => return Err(format!("`{section}` is no section")),
        };
    }
    // What reads as a TOML value is one (numbers, booleans, lists, `{ env = … }`); the rest is text.
    let value = format!("value = {text}").parse::<Table>().ok().and_then(|mut table| table.remove("value"));
    place.insert(last.clone(), value.unwrap_or_else(|| Value::String(text.to_owned())));
    Ok(())
}

fn line_at(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// The line of a key such as `firms.0.id`, or of the nearest section around it that stands in the file.
pub fn line_of(text: &str, key: &str) -> Option<usize> {
    let document = toml::de::DeTable::parse(text).ok()?;
    let mut span = None;
    let mut place: Option<&toml::de::DeValue<'_>> = None;
    let mut table: Option<&toml::de::DeTable<'_>> = Some(document.get_ref());
    for part in key.split('.') {
        if let Some(within) = table {
            let Some((name, value)) = within.iter().find(|(name, _)| name.get_ref() == part) else { break };
            span = Some(name.span());
            place = Some(value.get_ref());
        } else if let Some(toml::de::DeValue::Array(items)) = place {
            let Some(item) = part.parse().ok().and_then(|index: usize| items.get(index)) else { break };
            span = Some(item.span());
            place = Some(item.get_ref());
        } else {
            break;
        }
        table = match place {
            Some(toml::de::DeValue::Table(table)) => Some(table),
            _ => None,
        };
    }
    span.map(|span| line_at(text, span.start))
}

/// Whether this is the address of an HTTP service.
pub fn check_url(url: &str) -> Result<(), String> {
    let wrong = |why: &str| Err(format!("`{url}` {why}; write it as `https://host/path`"));
    let Ok(parsed) = reqwest::Url::parse(url) else { return wrong("is not an address") };
    if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none() {
        return wrong("is not an http or https address");
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("an address does not carry a user or a password; use the credential's own keys".into());
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return wrong("has a query or a fragment");
    }
    Ok(())
}
