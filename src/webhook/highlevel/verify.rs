//! Proving that a webhook came from HighLevel.

use aws_lc_rs::constant_time;
use aws_lc_rs::signature::{ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;

use super::sign::SPKI_PREFIX;
use crate::webhook::{Proof, Refusal, Verified};

/// The Ed25519 key HighLevel signs with for every app (Webhook Integration Guide).
pub const PUBLISHED_KEY: &str = "ed25519:MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg=";

/// The RSA-4096 key of the former `X-WH-Signature` (docs/oauth/WebhookAuthentication.md), base64 of its
/// SubjectPublicKeyInfo. HighLevel no longer sends that header.
const LEGACY_RSA_KEY: &str = "MIICIjANBgkqhkiG9w0BAQEFAAOCAg8AMIICCgKCAgEAokvo/r9tVgcfZ5DysOSC\
Frm602qYV0MaAiNnX9O8KxMbiyRKWeL9JpCpVpt4XHIcBOK4u3cLSqJGOLaPuXw6dO0t6Q/ZVdAV5Phz+ZtzPL16iCGeK9po6D6JHBpbi989mmzMryUn\
QJezlYJ3DVfBcsedpinheNnyYeFXolrJvcsjDtfAeRx5ByHQmTnSdFUzuAnC9/GepgLT9SM4nCpvuxmZMxrJt5Rw+VUaQ9B8JSvbMPpez4peKaJPZHBb\
U3OdeCVx5klVXXZQGNHOs8gF3kvoV5rTnXV0IknLBXlcKKAQLZcY/Q9rG6Ifi9c+5vqlvHPCUJFT5XUGG5RKgOKUJ062fRtN+rLYZUV+BjafxQauvC8w\
SWeYja63VSUruvmNj8xkx2zE/Juc+yjLjTXpIocmaiFeAO6fUtNjDeFVkhf5LNb59vECyrHD2SQIrhgXpO4Q3dVNA5rw576PwTzNh/AMfHKIjE4xQA1S\
ZuYJmNnmVZLIZBlQAF9Ntd03rfadZ+yDiOXCCs9FkHibELhCHULgCsnuDJHcrGNd5/Ddm5hxGQ0ASitgHeMZ0kcIOwKDOzOU53lDza6/Y09T7sYJPQe7\
z0cvj7aE4B+Ax1ZoZGPzpJlZtGXCsu9aTEGEnKzmsFqwcSsnw3JB31IGKAykT1hhTiaCeIY/OwwwNUY2yvcCAwEAAQ==";

/// The keys a webhook may be signed with: any may match, so that a rotation loses nothing.
pub struct Keys {
    ed25519: Vec<ParsedPublicKey>,
    legacy_rsa: Option<ParsedPublicKey>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Keys({} Ed25519, legacy RSA: {})", self.ed25519.len(), self.legacy_rsa.is_some())
    }
}

/// A key that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("webhook key {index}: expected `ed25519:` and base64 of a 32-byte key or its SubjectPublicKeyInfo")]
pub struct InvalidKey {
    index: usize,
}

impl Keys {
    /// Reads `ed25519:<base64>` keys; `accept_legacy_rsa` also accepts HighLevel's former RSA signature.
    pub fn parse<'a>(
        keys: impl IntoIterator<Item = &'a str>,
        accept_legacy_rsa: bool,
    ) -> Result<Self, InvalidKey> {
        let ed25519 = keys
            .into_iter()
            .enumerate()
            .map(|(index, key)| parse_ed25519(key).ok_or(InvalidKey { index }))
            .collect::<Result<_, _>>()?;
        let legacy_rsa = accept_legacy_rsa.then(|| {
            let der = STANDARD.decode(LEGACY_RSA_KEY).expect("the key in this file is base64");
            ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der).expect("the key in this file is RSA")
        });
        Ok(Self { ed25519, legacy_rsa })
    }
}

fn parse_ed25519(key: &str) -> Option<ParsedPublicKey> {
    let bytes = STANDARD.decode(key.strip_prefix("ed25519:")?.trim()).ok()?;
    let raw = bytes.strip_prefix(&SPKI_PREFIX[..]).unwrap_or(&bytes);
    (raw.len() == 32).then(|| ParsedPublicKey::new(&ED25519, raw).ok())?
}

/// The signature headers of one delivery.
#[derive(Debug, Clone, Copy, Default)]
pub struct Signatures<'a> {
    /// `X-GHL-Signature`.
    pub ed25519: Option<&'a str>,
    /// `X-WH-Signature`.
    pub legacy_rsa: Option<&'a str>,
}

/// Checks the signature over the raw body. With an Ed25519 header there is no fall-back to the RSA one; without any
/// signature there is no way in.
pub fn verify(keys: &Keys, signatures: Signatures<'_>, body: Bytes) -> Result<Verified, Refusal> {
    if let Some(signature) = given(signatures.ed25519) {
        check(&keys.ed25519, signature, &body)?;
        return Ok(Verified { body, proof: Proof::Ed25519 });
    }
    match (given(signatures.legacy_rsa), &keys.legacy_rsa) {
        (Some(signature), Some(key)) => {
            check(std::slice::from_ref(key), signature, &body)?;
            Ok(Verified { body, proof: Proof::LegacyRsa })
        }
        _ => Err(Refusal::Missing),
    }
}

/// HighLevel writes the literal `N/A` where it has no signature.
fn given(header: Option<&str>) -> Option<&str> {
    header.map(str::trim).filter(|value| !value.is_empty() && !value.eq_ignore_ascii_case("n/a"))
}

fn check(keys: &[ParsedPublicKey], signature: &str, body: &[u8]) -> Result<(), Refusal> {
    let signature = STANDARD.decode(signature).map_err(|_| Refusal::Malformed)?;
    let matches = keys.iter().any(|key| key.verify_sig(body, &signature).is_ok());
    if matches { Ok(()) } else { Err(Refusal::Mismatch) }
}

/// Accepts a Workflow's webhook, whose secret URL has already named the firm, if it carries the firm's secret header
/// (`expected` is `None` where the firm has set none; while it is exchanged there are several, and any will do). Compared
/// in constant time.
pub fn verify_secret_header<'a>(
    expected: Option<impl IntoIterator<Item = &'a [u8]>>,
    given: Option<&[u8]>,
    body: Bytes,
) -> Result<Verified, Refusal> {
    match (expected, given) {
        (None, _) => {}
        (Some(_), None) => return Err(Refusal::Missing),
        (Some(expected), Some(given)) => {
            let is_it = |known| constant_time::verify_slices_are_equal(known, given).is_ok();
            if !expected.into_iter().any(is_it) {
                return Err(Refusal::Mismatch);
            }
        }
    }
    Ok(Verified { body, proof: Proof::SecretUrl })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::sign::SigningKey;
    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_seed(&[7; 32])
    }

    fn keys() -> Keys {
        Keys::parse([format!("ed25519:{}", key().public_key()).as_str()], false).unwrap()
    }

    fn signed(body: &[u8], signature: &str) -> Result<(), Refusal> {
        let signatures = Signatures { ed25519: Some(signature), legacy_rsa: None };
        verify(&keys(), signatures, Bytes::copy_from_slice(body)).map(|_| ())
    }

    #[test]
    fn a_signed_body_is_accepted_and_the_published_key_reads() {
        assert_eq!(signed(b"{}", &key().sign(b"{}")), Ok(()));
        Keys::parse([PUBLISHED_KEY], true).unwrap();
    }

    #[test]
    fn a_raw_key_is_as_good_as_a_wrapped_one() {
        let der = STANDARD.decode(key().public_key()).unwrap();
        let raw = format!("ed25519:{}", STANDARD.encode(&der[12..]));
        let signature = key().sign(b"x");
        let signatures = Signatures { ed25519: Some(&signature), legacy_rsa: None };
        assert!(
            verify(&Keys::parse([raw.as_str()], false).unwrap(), signatures, Bytes::from_static(b"x"))
                .is_ok()
        );
    }

    #[test]
    fn nothing_unsigned_gets_in() {
        for header in [None, Some(""), Some("N/A"), Some(" n/a ")] {
            let signatures = Signatures { ed25519: header, legacy_rsa: None };
            assert_eq!(verify(&keys(), signatures, Bytes::new()).map(|_| ()), Err(Refusal::Missing));
        }
    }

    #[test]
    fn another_key_an_empty_key_set_and_rubbish_are_refused() {
        let other = SigningKey::from_seed(&[8; 32]).sign(b"{}");
        assert_eq!(signed(b"{}", &other), Err(Refusal::Mismatch));
        assert_eq!(signed(b"{}", "???"), Err(Refusal::Malformed));
        let none = Keys::parse([], false).unwrap();
        let own = key().sign(b"{}");
        let signatures = Signatures { ed25519: Some(&own), legacy_rsa: None };
        assert_eq!(verify(&none, signatures, Bytes::from_static(b"{}")).map(|_| ()), Err(Refusal::Mismatch));
    }

    #[test]
    fn a_failed_new_signature_does_not_fall_back_to_the_old_one() {
        let keys = Keys::parse([PUBLISHED_KEY], true).unwrap();
        let signatures = Signatures { ed25519: Some("AAAA"), legacy_rsa: Some("AAAA") };
        assert_eq!(verify(&keys, signatures, Bytes::new()).map(|_| ()), Err(Refusal::Mismatch));
    }

    #[test]
    fn a_secret_header_must_be_there_and_right() {
        let check = |expected: Option<&[&'static [u8]]>, given: Option<&[u8]>| {
            let expected = expected.map(|all| all.iter().copied());
            verify_secret_header(expected, given, Bytes::new()).map(|_| ())
        };
        assert_eq!(check(None, None), Ok(()));
        assert_eq!(check(Some(&[b"s3cret"]), Some(b"s3cret")), Ok(()));
        assert_eq!(check(Some(&[b"new", b"s3cret"]), Some(b"s3cret")), Ok(()));
        assert_eq!(check(Some(&[b"s3cret"]), None), Err(Refusal::Missing));
        assert_eq!(check(Some(&[b"s3cret"]), Some(b"s3creT")), Err(Refusal::Mismatch));
        assert_eq!(check(Some(&[]), Some(b"")), Err(Refusal::Mismatch));
    }

    proptest! {
        #[test]
        fn any_flipped_bit_is_refused(body in proptest::collection::vec(any::<u8>(), 1..200), at: prop::sample::Index, bit in 0..8_u8) {
            let signature = key().sign(&body);
            let mut changed = body.clone();
            changed[at.index(body.len())] ^= 1 << bit;
            prop_assert_eq!(signed(&body, &signature), Ok(()));
            prop_assert_eq!(signed(&changed, &signature), Err(Refusal::Mismatch));
        }

        #[test]
        fn no_made_up_signature_is_accepted_or_panics(header in ".{0,120}") {
            prop_assert!(signed(b"body", &header).is_err());
        }
    }
}
