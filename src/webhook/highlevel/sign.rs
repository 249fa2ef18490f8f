//! Signing as HighLevel signs: what the twin, `casebridge send` and the tests need. The bridge itself only verifies.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::STANDARD};

/// The header that carries HighLevel's signature: base64 Ed25519 over the raw body
/// (HighLevel's Webhook Integration Guide).
pub const SIGNATURE_HEADER: &str = "x-ghl-signature";

/// The DER bytes before a raw Ed25519 public key in a SubjectPublicKeyInfo (RFC 8410 section 4).
pub(super) const SPKI_PREFIX: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// An Ed25519 private key that signs webhooks in HighLevel's manner.
pub struct SigningKey(Ed25519KeyPair);

/// Why a signing key could not be read.
#[derive(Debug, thiserror::Error)]
#[error("not an Ed25519 private key: expected PEM of PKCS#8 (`openssl genpkey -algorithm ed25519`)")]
pub struct NotASigningKey;

impl SigningKey {
    /// The key whose 32-byte seed this is (RFC 8032).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(seed).expect("32 bytes are a seed"))
    }

    /// Reads a PKCS#8 key in PEM, as `openssl genpkey -algorithm ed25519` writes it.
    pub fn from_pem(pem: &str) -> Result<Self, NotASigningKey> {
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
        let der = STANDARD.decode(body).map_err(|_| NotASigningKey)?;
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map(Self).map_err(|_| NotASigningKey)
    }

    /// The value of [`SIGNATURE_HEADER`] for this body.
    pub fn sign(&self, body: &[u8]) -> String {
        STANDARD.encode(self.0.sign(body).as_ref())
    }

    /// The public key as base64 of its SubjectPublicKeyInfo, the form HighLevel publishes its own in.
    pub fn public_key(&self) -> String {
        STANDARD.encode([&SPKI_PREFIX[..], self.0.public_key().as_ref()].concat())
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "SigningKey(public {})", self.public_key())
    }
}
