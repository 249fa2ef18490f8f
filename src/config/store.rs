//! `[store]`.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, de};

/// Where events are kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// `sqlite://casebridge.db` (relative to where the program runs) or `sqlite:///var/lib/casebridge.db`.
    pub url: StoreUrl,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { url: StoreUrl::Sqlite("casebridge.db".into()) }
    }
}

/// A store's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// A file of the embedded database.
    Sqlite(PathBuf),
}

impl<'de> Deserialize<'de> for StoreUrl {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let url = String::deserialize(source)?;
        match url.strip_prefix("sqlite://") {
            Some("") => Err(de::Error::custom("`sqlite://` names no file; write `sqlite://casebridge.db`")),
            Some(path) => Ok(Self::Sqlite(path.into())),
            // The address may hold a password: it is not repeated.
            None => Err(de::Error::custom(
                "a store's url begins with `sqlite://`, such as `sqlite://casebridge.db`",
            )),
        }
    }
}
