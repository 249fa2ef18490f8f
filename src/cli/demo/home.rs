//! The demo's directory: its configuration as an operator would write it, its secrets, its store.
//!
//! They are real files, so that the other verbs can be tried on a demo that is running or has failed.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::{Engine, engine::general_purpose::STANDARD};
use uuid::Uuid;

use crate::cli::failure::Failure;
use crate::config::Loaded;
use crate::crypto::random_key;
use crate::twin::{Twin, casepeer, highlevel};

/// The configuration, with `@NAME@` where a value of this run belongs.
const TEMPLATE: &str = include_str!("casebridge.toml");

/// A directory of the demo's own.
pub(super) struct Home {
    path: PathBuf,
    /// Whether it goes when the demo ends.
    is_temporary: bool,
    /// The token in the address of CASEpeer's webhooks.
    pub(super) inbound_token: String,
    /// What CASEpeer's webhooks are signed with.
    pub(super) webhook_secret: String,
}

impl Home {
    /// Makes the directory: the one that is named, or a new one for this run.
    pub(super) fn make(named: Option<&Path>) -> Result<Self, Failure> {
        let path = match named {
            Some(path) => std::path::absolute(path).map_err(|error| cannot(path, &error))?,
            None => std::env::temp_dir().join(format!("casebridge-demo-{}", Uuid::now_v7())),
        };
        // Keys lie in it, so it is nobody else's to read.
        let made = DirBuilder::new().recursive(named.is_some()).mode(0o700).create(&path);
        made.map_err(|error| cannot(&path, &error))?;
        Ok(Self {
            path,
            is_temporary: named.is_none(),
            inbound_token: hex::encode(&random_key()[..16]),
            webhook_secret: hex::encode(&random_key()[..]),
        })
    }

    /// Writes the secrets and the configuration for this twin, without a firm if it is to be `empty`, and reads it as
    /// `serve` would.
    pub(super) fn configure(&self, twin: &Twin, port_base: u16, empty: bool) -> Result<Loaded, Failure> {
        let store = self.path.join("casebridge.db");
        if store.exists() {
            return Err(in_use(&store));
        }
        let key = STANDARD.encode(&random_key()[..]);
        let files = [
            ("CRYPTO_KEY", "key", key.as_str()),
            ("HIGHLEVEL_TOKEN", "highlevel-token", highlevel::PRIVATE_TOKEN),
            ("INBOUND_TOKEN", "inbound-token", &self.inbound_token),
            ("WEBHOOK_SECRET", "webhook-secret", &self.webhook_secret),
            ("CASEPEER_TOKEN", "casepeer-token", casepeer::TOKEN),
            ("CLIENT_SECRET", "client-secret", highlevel::CLIENT_SECRET),
        ];
        let mut values = vec![
            ("PUBLIC_PORT", port_base.to_string()),
            ("ADMIN_PORT", (port_base + 1).to_string()),
            ("STORE", quoted(&format!("sqlite://{}", self.text(&store)?))),
            ("HIGHLEVEL_URL", twin.highlevel.url()),
            ("HIGHLEVEL_KEY", twin.highlevel.public_key()),
            ("LOCATION", twin.highlevel.location().to_owned()),
            ("CASEPEER_URL", twin.casepeer.url()),
            ("CLIENT_ID", format!("{}-demo", highlevel::APP_ID)),
        ];
        for (name, file, secret) in files {
            let path = self.path.join(file);
            write_new(&path, secret)?;
            values.push((name, quoted(self.text(&path)?)));
        }
        let template = match TEMPLATE.split_once("[[firms]]") {
            Some((before, _)) if empty => before,
            _ => TEMPLATE,
        };
        let text = fill(template, &values);
        let path = self.config();
        write_new(&path, &text)?;
        // Not the environment's overrides: they are meant for the installation that this machine may have.
        Loaded::alone(&path).map_err(|error| Failure::configuration(error.to_string()))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The configuration file.
    pub(super) fn config(&self) -> PathBuf {
        self.path.join("casebridge.toml")
    }

    /// Leaves the directory where it is when the demo ends.
    pub(super) fn keep(&mut self) {
        self.is_temporary = false;
    }

    fn text<'a>(&self, path: &'a Path) -> Result<&'a str, Failure> {
        path.to_str().ok_or_else(|| {
            Failure::failed(format!("{} is not UTF-8, which a configuration needs", self.path.display()))
                .hint("name another directory with --dir")
        })
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.is_temporary {
            // What cannot be removed is left for the system's own cleaning of its temporary directory.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// Puts the values in place of their names.
fn fill(template: &str, values: &[(&str, String)]) -> String {
    values.iter().fold(template.to_owned(), |text, (name, value)| text.replace(&format!("@{name}@"), value))
}

/// Text as a TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Writes a file that only its owner can read, and never over one that is there.
fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => in_use(path),
        _ => cannot(path, &error),
    })
}

fn in_use(path: &Path) -> Failure {
    Failure::failed(format!("{} is there already", path.display()))
        .hint("name a new or empty directory with --dir, or leave it out for a temporary one")
}

fn cannot(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("{} cannot be written: {error}", path.display()))
        .hint("name a directory that can with --dir")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_quotes_stays_one_toml_string() {
        let text = fill("url = @STORE@", &[("STORE", quoted("/tmp/it's \"here\"\\x"))]);
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["url"].as_str(), Some("/tmp/it's \"here\"\\x"));
    }

    #[test]
    fn what_is_there_is_not_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("casebridge.toml");
        write_new(&path, "mine").unwrap();
        assert!(write_new(&path, "the demo's").is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    }

    #[test]
    fn a_temporary_directory_goes_and_a_named_or_kept_one_stays() {
        let parent = tempfile::tempdir().unwrap();
        let named = parent.path().join("named");
        drop(Home::make(Some(&named)).unwrap());
        assert!(named.is_dir());
        let home = Home::make(None).unwrap();
        let path = home.path.clone();
        assert!(path.is_dir());
        drop(home);
        assert!(!path.exists());
        let mut home = Home::make(None).unwrap();
        home.keep();
        let path = home.path.clone();
        drop(home);
        assert!(path.is_dir());
        std::fs::remove_dir_all(path).unwrap();
    }
}
