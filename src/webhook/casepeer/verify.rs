//! Proving that a webhook came from a holder of the shared secret.

use bytes::Bytes;
use hmac::Mac;
use jiff::Timestamp;

use super::sign::mac;
use crate::webhook::{Proof, Refusal, Verified};

/// How far the sender's stamp may lie from our clock, in seconds, either way.
pub const TOLERANCE_SECONDS: i64 = 300;

/// The most signatures one header may carry: a rotation needs two.
const MAX_SIGNATURES: usize = 8;

/// Checks HMAC-SHA256 over `timestamp.body` against every live secret, in constant time each.
pub fn verify<'a>(
    secrets: impl IntoIterator<Item = &'a [u8]> + Clone,
    timestamp: Option<&str>,
    signature: Option<&str>,
    now: Timestamp,
    body: Bytes,
) -> Result<Verified, Refusal> {
    let (Some(timestamp), Some(signature)) = (timestamp, signature) else { return Err(Refusal::Missing) };
    let stamped: i64 = timestamp.trim().parse().map_err(|_| Refusal::Malformed)?;
    let mut matches = false;
    for given in signature.split(',').take(MAX_SIGNATURES) {
        let digits = given.trim().strip_prefix("sha256=").ok_or(Refusal::Malformed)?;
        let given = hex::decode(digits).map_err(|_| Refusal::Malformed)?;
        for secret in secrets.clone() {
            matches |= mac(secret, stamped, &body).verify_slice(&given).is_ok();
        }
    }
    if !matches {
        return Err(Refusal::Mismatch);
    }
    // After the signature, so that a forger learns nothing of our clock.
    if now.as_second().saturating_sub(stamped).saturating_abs() > TOLERANCE_SECONDS {
        return Err(Refusal::Stale);
    }
    Ok(Verified { body, proof: Proof::Hmac })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::sign::sign;
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn check(secrets: &[&[u8]], stamp: i64, header: &str, body: &[u8]) -> Result<(), Refusal> {
        let now = Timestamp::from_second(NOW).unwrap();
        let secrets = secrets.iter().copied();
        verify(secrets, Some(&stamp.to_string()), Some(header), now, Bytes::copy_from_slice(body)).map(|_| ())
    }

    #[test]
    fn any_live_secret_and_any_of_several_signatures_will_do() {
        let header = format!("{}, {}", sign(b"gone", NOW, b"{}"), sign(b"new", NOW, b"{}"));
        assert_eq!(check(&[b"old", b"new"], NOW, &header, b"{}"), Ok(()));
        assert_eq!(check(&[b"old"], NOW, &header, b"{}"), Err(Refusal::Mismatch));
        assert_eq!(check(&[], NOW, &header, b"{}"), Err(Refusal::Mismatch));
    }

    #[test]
    fn the_window_is_five_minutes_either_way() {
        for (age, expected) in
            [(300, Ok(())), (301, Err(Refusal::Stale)), (-300, Ok(())), (-301, Err(Refusal::Stale))]
        {
            let stamp = NOW - age;
            assert_eq!(check(&[b"s"], stamp, &sign(b"s", stamp, b"{}"), b"{}"), expected, "age {age}");
        }
        let far = sign(b"s", i64::MIN, b"");
        assert_eq!(check(&[b"s"], i64::MIN, &far, b""), Err(Refusal::Stale));
    }

    #[test]
    fn a_stamp_cannot_be_exchanged() {
        assert_eq!(check(&[b"s"], NOW + 1, &sign(b"s", NOW, b"{}"), b"{}"), Err(Refusal::Mismatch));
    }

    #[test]
    fn what_is_missing_or_malformed_is_refused() {
        let now = Timestamp::from_second(NOW).unwrap();
        let given = |stamp, header| verify([&b"s"[..]], stamp, header, now, Bytes::new()).map(|_| ());
        assert_eq!(given(None, Some("sha256=00")), Err(Refusal::Missing));
        assert_eq!(given(Some("1"), None), Err(Refusal::Missing));
        assert_eq!(given(Some("x"), Some("sha256=00")), Err(Refusal::Malformed));
        assert_eq!(given(Some("1"), Some("00")), Err(Refusal::Malformed));
    }

    proptest! {
        #[test]
        fn any_flipped_bit_is_refused(body in proptest::collection::vec(any::<u8>(), 1..200), at: prop::sample::Index, bit in 0..8_u8) {
            let header = sign(b"s", NOW, &body);
            let mut changed = body.clone();
            changed[at.index(body.len())] ^= 1 << bit;
            prop_assert_eq!(check(&[b"s"], NOW, &header, &body), Ok(()));
            prop_assert_eq!(check(&[b"s"], NOW, &header, &changed), Err(Refusal::Mismatch));
        }
    }
}
