//! Signing as our published contract says a CASEpeer-side sender signs: HMAC-SHA256 over `timestamp.body`.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Seconds since 1970 at which this attempt was signed.
pub const TIMESTAMP_HEADER: &str = "x-casepeer-timestamp";
/// `sha256=<hex>`; during a rotation several, separated by commas.
pub const SIGNATURE_HEADER: &str = "x-casepeer-signature";
/// The event's type, repeated from the body.
pub const EVENT_HEADER: &str = "x-casepeer-event";
/// The event's id, repeated from the body.
pub const DELIVERY_HEADER: &str = "x-casepeer-delivery";

/// The value of [`SIGNATURE_HEADER`] for a body signed at `timestamp` (seconds since 1970).
pub fn sign(secret: &[u8], timestamp: i64, body: &[u8]) -> String {
    format!("sha256={}", hex::encode(mac(secret, timestamp, body).finalize().into_bytes()))
}

fn mac(secret: &[u8], timestamp: i64, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(timestamp.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}
