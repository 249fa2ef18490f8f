//! Secrets: in the file by reference only, in memory unprintable.

use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de};
use zeroize::Zeroizing;

use crate::crypto::KEY_BYTES;

/// A secret, read from where `{ env = "…" }` or `{ file = "…" }` says.
#[derive(Debug, Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// A secret that is at hand already.
    pub fn new(value: impl Into<String>) -> Self {
        Self(SecretString::from(value.into()))
    }

    /// The secret itself.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Reference {
    Env { env: String },
    File { file: std::path::PathBuf },
    Inline(de::IgnoredAny),
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let wrong = de::Error::custom::<String>;
        let reference = Reference::deserialize(source).map_err(|_| {
            wrong("a secret is written `{ env = \"NAME\" }` or `{ file = \"/path\" }`".into())
        })?;
        let value = match reference {
            Reference::Inline(_) => {
                return Err(wrong(
                    "a secret does not stand in the file itself; write `{ env = \"NAME\" }` or `{ file = \"/path\" }`".into(),
                ));
            }
            Reference::Env { env } => std::env::var(&env).map_err(|_| {
                wrong(format!("the environment variable {env} is not set; export it or name another"))
            })?,
            Reference::File { file } => std::fs::read_to_string(&file)
                .map_err(|error| wrong(format!("the file {} cannot be read: {error}", file.display())))?,
        };
        // Files and shells end in a line break that is not part of the secret.
        let value = value.trim_end_matches(['\r', '\n']);
        if value.is_empty() {
            return Err(wrong("the secret is empty".into()));
        }
        Ok(Self::new(value))
    }
}

/// A secret that is 32 bytes in base64.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<[u8; KEY_BYTES]>);

impl SecretKey {
    /// A key that is at hand already.
    pub fn new(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        Self(bytes)
    }

    /// The key itself.
    pub fn bytes(&self) -> Zeroizing<[u8; KEY_BYTES]> {
        self.0.clone()
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
            de::Error::custom("not 32 bytes in base64; make one with `openssl rand -base64 32`")
        })?;
        Ok(Self(Zeroizing::new(key)))
    }
}
