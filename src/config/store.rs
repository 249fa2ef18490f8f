//! `[store]`.

use std::path::PathBuf;

use jiff::SignedDuration;
use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, de};

use super::Secret;

/// Where events are kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// `sqlite://casebridge.db` (relative to where the program runs), `sqlite:///var/lib/casebridge.db`, or
    /// `postgres://…`, which may be a secret reference since it may hold a password.
    pub url: StoreUrl,
    /// The most connections to PostgreSQL, beside the 11 at most that serve what is asked all the time.
    pub pool: u32,
    /// How long to wait for a connection to PostgreSQL before the store counts as unavailable.
    pub acquire_timeout: SignedDuration,
    /// How long to wait at the start for a PostgreSQL that is not there yet.
    pub connect_timeout: SignedDuration,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            url: StoreUrl::Sqlite("casebridge.db".into()),
            pool: 16,
            acquire_timeout: SignedDuration::from_secs(2),
            connect_timeout: SignedDuration::from_secs(10),
        }
    }
}

/// The fewest connections that a process does its work with: two writers, the listener, and one for everything else.
const SMALLEST_POOL: u32 = 4;

impl StoreConfig {
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        if self.pool < SMALLEST_POOL {
            return Err((
                "pool",
                format!("`{}` connections are too few; {SMALLEST_POOL} is the least", self.pool),
            ));
        }
        let spans = [("acquire_timeout", self.acquire_timeout), ("connect_timeout", self.connect_timeout)];
        for (key, span) in spans {
            if !span.is_positive() {
                return Err((key, "is not longer than nothing; write a span of time such as `2s`".into()));
            }
        }
        Ok(())
    }
}

/// A store's address.
#[derive(Debug, Clone)]
pub enum StoreUrl {
    /// A file of the embedded database.
    Sqlite(PathBuf),
    /// A PostgreSQL database. Its address may hold a password, so it cannot be printed.
    Postgres(Secret),
}

impl std::str::FromStr for StoreUrl {
    type Err = String;

    /// Reads an address; the error does not repeat it.
    fn from_str(url: &str) -> Result<Self, String> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(Secret::new(url)));
        }
        match url.strip_prefix("sqlite://") {
            Some("") => Err("`sqlite://` names no file; write `sqlite://casebridge.db`".into()),
            Some(path) => Ok(Self::Sqlite(path.into())),
            None => Err(
                "a store's url begins with `sqlite://` or `postgres://`, such as `sqlite://casebridge.db`"
                    .into(),
            ),
        }
    }
}

impl<'de> Deserialize<'de> for StoreUrl {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        source.deserialize_any(UrlVisitor)
    }
}

struct UrlVisitor;

impl<'de> de::Visitor<'de> for UrlVisitor {
    type Value = StoreUrl;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("a store's url, or a reference to it such as `{ env = \"DATABASE_URL\" }`")
    }

    fn visit_str<E: de::Error>(self, url: &str) -> Result<StoreUrl, E> {
        url.parse().map_err(E::custom)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<StoreUrl, A::Error> {
        let secret = Secret::deserialize(MapAccessDeserializer::new(map))?;
        secret.reveal().parse().map_err(de::Error::custom)
    }
}
