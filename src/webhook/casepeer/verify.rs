//! Proving that a webhook came from a holder of a shared secret, by the scheme of the firm's profile.
//!
//! Every comparison takes the same time whatever is compared, every live secret is tried, and whatever is not exactly
//! as the scheme prescribes is refused.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use bytes::Bytes;
use hmac::{KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;

use crate::operations::casepeer::{Encoding, Hmac, KeyForm, Part, TimestampUnit, Verify};
use crate::webhook::{Headers, Proof, Refusal, Verified};

/// The most signatures one header may carry: a rotation needs two.
const MAX_SIGNATURES: usize = 8;

/// The prefix of a Standard Webhooks secret.
const STANDARD_SECRET: &str = "whsec_";

/// Checks a delivery by this scheme against every live secret.
pub fn verify<'a>(
    scheme: Option<&Verify>,
    secrets: impl IntoIterator<Item = &'a [u8]> + Clone,
    headers: &impl Headers,
    now: Timestamp,
    body: Bytes,
) -> Result<Verified, Refusal> {
    let proof = match scheme.ok_or(Refusal::NoScheme)? {
        Verify::Hmac(scheme) => {
            hmac(scheme, secrets, headers, now, &body)?;
            Proof::Hmac
        }
        Verify::StandardWebhooks { window_seconds } => {
            standard(*window_seconds, secrets, headers, now, &body)?;
            Proof::StandardWebhooks
        }
        Verify::SharedHeader { header } => {
            let given = headers.value(header).ok_or(Refusal::Missing)?;
            any_is(secrets, given)?;
            Proof::SharedHeader
        }
        Verify::Basic { user } => {
            basic(user, secrets, headers)?;
            Proof::Basic
        }
    };
    Ok(Verified { body, proof })
}

/// Whether the header that carries the proof is there at all: without it the body need not be read.
pub fn has_proof(scheme: Option<&Verify>, headers: &impl Headers) -> bool {
    let name = match scheme {
        None => return false,
        Some(Verify::Hmac(scheme)) => scheme.header.as_str(),
        Some(Verify::StandardWebhooks { .. }) => "webhook-signature",
        Some(Verify::SharedHeader { header }) => header.as_str(),
        Some(Verify::Basic { .. }) => "authorization",
    };
    headers.value(name).is_some()
}

/// Whether a secret's text can be used by this scheme; what is wrong with it.
pub fn check_secret(scheme: &Verify, secret: &str) -> Result<(), &'static str> {
    match scheme {
        Verify::Hmac(scheme) => {
            key(scheme.key, secret.as_bytes()).map(|_| ()).ok_or("not written as `verify.key` says")
        }
        Verify::StandardWebhooks { .. } => standard_key(secret.as_bytes())
            .map(|_| ())
            .ok_or("not base64, with or without `whsec_` before it"),
        // Sent as it is with every webhook, so it must not be guessed.
        Verify::SharedHeader { .. } | Verify::Basic { .. } if secret.len() < 16 => {
            Err("shorter than 16 characters, so it can be guessed; make one with `openssl rand -hex 16`")
        }
        Verify::SharedHeader { .. } | Verify::Basic { .. } => Ok(()),
    }
}

fn hmac<'a>(
    scheme: &Hmac,
    secrets: impl IntoIterator<Item = &'a [u8]> + Clone,
    headers: &impl Headers,
    now: Timestamp,
    body: &[u8],
) -> Result<(), Refusal> {
    let given = headers.text(&scheme.header).ok_or(Refusal::Missing)?;
    let stamp = named(headers, scheme.timestamp_header.as_deref())?;
    let id = named(headers, scheme.id_header.as_deref())?;
    let stamped =
        stamp.map(|stamp| stamp.trim().parse::<i64>().map_err(|_| Refusal::Malformed)).transpose()?;
    let mut is_ours = false;
    for given in given.split(scheme.separator.as_str()).take(MAX_SIGNATURES) {
        let digits = given.trim().strip_prefix(scheme.prefix.as_str()).ok_or(Refusal::Malformed)?;
        let given = decode(scheme.encoding, digits).ok_or(Refusal::Malformed)?;
        for secret in secrets.clone() {
            let Some(key) = key(scheme.key, secret) else { continue };
            let mut mac = hmac_of(&key);
            for part in scheme.signed.parts() {
                mac.update(match part {
                    Part::Text(text) => text.as_bytes(),
                    Part::Timestamp => stamp.unwrap_or_default().as_bytes(),
                    Part::Id => id.unwrap_or_default().as_bytes(),
                    Part::Body => body,
                });
            }
            is_ours |= mac.verify_slice(&given).is_ok();
        }
    }
    if !is_ours {
        return Err(Refusal::Mismatch);
    }
    // After the signature, so that a forger learns nothing of our clock.
    let now = match scheme.timestamp_unit {
        TimestampUnit::Seconds => now.as_second(),
        TimestampUnit::Milliseconds => now.as_millisecond(),
    };
    let window = match scheme.timestamp_unit {
        TimestampUnit::Seconds => i64::from(scheme.window_seconds),
        TimestampUnit::Milliseconds => i64::from(scheme.window_seconds) * 1000,
    };
    match stamped {
        Some(stamped) if now.saturating_sub(stamped).saturating_abs() > window => Err(Refusal::Stale),
        _ => Ok(()),
    }
}

/// The header of this name, which must be there if the scheme has one.
fn named<'a>(headers: &'a impl Headers, name: Option<&str>) -> Result<Option<&'a str>, Refusal> {
    name.map(|name| headers.text(name).ok_or(Refusal::Missing)).transpose()
}

fn standard<'a>(
    window_seconds: u32,
    secrets: impl IntoIterator<Item = &'a [u8]> + Clone,
    headers: &impl Headers,
    now: Timestamp,
    body: &[u8],
) -> Result<(), Refusal> {
    let given = |name| headers.text(name).ok_or(Refusal::Missing);
    let (id, stamp, signatures) =
        (given("webhook-id")?, given("webhook-timestamp")?, given("webhook-signature")?);
    let stamped: i64 = stamp.parse().map_err(|_| Refusal::Malformed)?;
    let (mut is_ours, mut is_readable) = (false, false);
    for given in signatures.split(' ').take(MAX_SIGNATURES) {
        // Other versions, such as `v1a` (asymmetric), are passed over, as the specification says.
        let Some(given) = given.strip_prefix("v1,").and_then(|digits| STANDARD.decode(digits).ok()) else {
            continue;
        };
        is_readable = true;
        for secret in secrets.clone() {
            let Some(key) = standard_key(secret) else { continue };
            let mut mac = hmac_of(&key);
            for part in [id.as_bytes(), b".", stamp.as_bytes(), b".", body] {
                mac.update(part);
            }
            is_ours |= mac.verify_slice(&given).is_ok();
        }
    }
    if !is_ours {
        return Err(if is_readable { Refusal::Mismatch } else { Refusal::Malformed });
    }
    let age = now.as_second().saturating_sub(stamped).saturating_abs();
    if age > i64::from(window_seconds) { Err(Refusal::Stale) } else { Ok(()) }
}

fn basic<'a>(
    user: &str,
    secrets: impl IntoIterator<Item = &'a [u8]>,
    headers: &impl Headers,
) -> Result<(), Refusal> {
    let given = headers.text("authorization").ok_or(Refusal::Missing)?;
    let (scheme, credentials) = given.split_once(' ').ok_or(Refusal::Malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(Refusal::Malformed);
    }
    let given = STANDARD.decode(credentials.trim()).map_err(|_| Refusal::Malformed)?;
    let mut is_ours = false;
    for secret in secrets {
        let expected = [user.as_bytes(), b":", secret].concat();
        is_ours |= is_equal(&expected, &given);
    }
    if is_ours { Ok(()) } else { Err(Refusal::Mismatch) }
}

fn any_is<'a>(secrets: impl IntoIterator<Item = &'a [u8]>, given: &[u8]) -> Result<(), Refusal> {
    let mut is_ours = false;
    for secret in secrets {
        is_ours |= !secret.is_empty() && is_equal(secret, given);
    }
    if is_ours { Ok(()) } else { Err(Refusal::Mismatch) }
}

/// Compares by MACs, so that neither the content nor the length of a secret shows in the time it takes.
fn is_equal(expected: &[u8], given: &[u8]) -> bool {
    const COMPARISON: &[u8] = b"casebridge comparison";
    let mut of_expected = hmac_of(COMPARISON);
    of_expected.update(expected);
    let mut of_given = hmac_of(COMPARISON);
    of_given.update(given);
    of_given.verify_slice(&of_expected.finalize().into_bytes()).is_ok()
}

fn hmac_of(key: &[u8]) -> hmac::Hmac<Sha256> {
    hmac::Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length")
}

fn decode(encoding: Encoding, digits: &str) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Hex => hex::decode(digits).ok(),
        Encoding::Base64 => STANDARD.decode(digits).ok(),
        Encoding::Base64url if digits.ends_with('=') => URL_SAFE.decode(digits).ok(),
        Encoding::Base64url => URL_SAFE_NO_PAD.decode(digits).ok(),
    }
}

fn key(form: KeyForm, secret: &[u8]) -> Option<Vec<u8>> {
    let key = match form {
        KeyForm::Text => Some(secret.to_vec()),
        KeyForm::Hex => hex::decode(secret).ok(),
        KeyForm::Base64 => from_base64(secret),
    };
    // Anybody could sign with no key at all.
    key.filter(|key| !key.is_empty())
}

fn standard_key(secret: &[u8]) -> Option<Vec<u8>> {
    let secret = secret.strip_prefix(STANDARD_SECRET.as_bytes()).unwrap_or(secret);
    from_base64(secret).filter(|key| !key.is_empty())
}

fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text)).ok()
}

#[cfg(test)]
mod tests;
