//! Secrets: in the file by reference only, in memory unprintable.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de};
use zeroize::Zeroizing;

use crate::crypto::KEY_BYTES;

/// Why a secret that is written out is refused.
pub(super) const NOT_INLINE: &str =
    "a secret does not stand in the file itself; write `{ env = \"NAME\" }` or `{ file = \"/path\" }`";

/// A secret, read from where `{ env = "…" }` or `{ file = "…" }` says.
#[derive(Clone)]
pub struct Secret {
    value: SecretString,
    origin: Option<Arc<str>>,
    /// The file it came from, which may hold another by now.
    file: Option<PathBuf>,
    until: Option<Timestamp>,
}

impl Secret {
    /// A secret that is at hand already.
    pub fn new(value: impl Into<String>) -> Self {
        Self { value: SecretString::from(value.into()), origin: None, file: None, until: None }
    }

    /// The secret itself.
    pub fn reveal(&self) -> &str {
        self.value.expose_secret()
    }

    /// Where it was read: a variable or a file.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// Until when it is accepted, if it ends.
    pub fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// Whether it is accepted at this moment.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// The secret as its file has it now; as it is, if it came from elsewhere.
    ///
    /// # Errors
    /// When the file cannot be read or is empty, in words that name the file.
    pub fn read_again(&self) -> Result<Self, String> {
        let Some(file) = &self.file else { return Ok(self.clone()) };
        Ok(Self { until: self.until, ..Self::of_file(file)? })
    }

    fn of_file(file: &Path) -> Result<Self, String> {
        let value = std::fs::read_to_string(file)
            .map_err(|error| format!("the file {} cannot be read: {error}", file.display()))?;
        let value = Zeroizing::new(value);
        let value = without_break(&value);
        if value.is_empty() {
            return Err(format!("the secret in {} is empty", file.display()));
        }
        let origin = Some(format!("file {}", file.display()).into());
        Ok(Self { origin, file: Some(file.to_owned()), ..Self::new(value) })
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Secret({})", self.origin().unwrap_or("made here"))
    }
}

/// Files and shells end in a line break that is not part of the secret.
fn without_break(value: &str) -> &str {
    value.trim_end_matches(['\r', '\n'])
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Reference {
    Env { env: String, until: Option<Timestamp> },
    File { file: PathBuf, until: Option<Timestamp> },
    Inline(de::IgnoredAny),
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let wrong = de::Error::custom::<String>;
        let reference = Reference::deserialize(source).map_err(|_| {
            wrong("a secret is written `{ env = \"NAME\" }` or `{ file = \"/path\" }`".into())
        })?;
        let (value, origin, until) = match reference {
            Reference::Inline(_) => {
                return Err(wrong(NOT_INLINE.into()));
            }
            Reference::Env { env, until } => {
                let value = Zeroizing::new(std::env::var(&env).map_err(|_| {
                    wrong(format!("the environment variable {env} is not set; export it or name another"))
                })?);
                (value, format!("variable {env}"), until)
            }
            Reference::File { file, until } => {
                return Ok(Self { until, ..Self::of_file(&file).map_err(wrong)? });
            }
        };
        let value = without_break(&value);
        if value.is_empty() {
            return Err(wrong("the secret is empty".into()));
        }
        Ok(Self { origin: Some(origin.into()), until, ..Self::new(value) })
    }
}

/// A secret that is 32 bytes in base64.
#[derive(Clone)]
pub struct SecretKey {
    bytes: Zeroizing<[u8; KEY_BYTES]>,
    text: Secret,
}

impl SecretKey {
    /// A key that is at hand already.
    pub fn new(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        Self { text: Secret::new(STANDARD.encode(&bytes[..])), bytes }
    }

    /// The key itself.
    pub fn bytes(&self) -> Zeroizing<[u8; KEY_BYTES]> {
        self.bytes.clone()
    }

    /// The key as it was written.
    pub fn text(&self) -> &Secret {
        &self.text
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("SecretKey")
    }
}

impl<'de> Deserialize<'de> for SecretKey {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let secret = Secret::deserialize(source)?;
        let bytes = STANDARD.decode(secret.reveal().trim()).ok().map(Zeroizing::new);
        let key = bytes.and_then(|bytes| <[u8; KEY_BYTES]>::try_from(&bytes[..]).ok());
        let key = key.ok_or_else(|| {
            de::Error::custom("not 32 bytes in base64; make one with `casebridge secrets new key`")
        })?;
        Ok(Self { bytes: Zeroizing::new(key), text: secret })
    }
}
