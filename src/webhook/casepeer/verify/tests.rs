use proptest::prelude::*;

use super::super::sign::{SIGNATURE_HEADER, TIMESTAMP_HEADER, sign};
use super::*;
use crate::operations::casepeer::Profile;

const NOW: i64 = 1_800_000_000;
const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Headers as a list of names and values.
struct Given(Vec<(String, String)>);

impl Headers for Given {
    fn value(&self, name: &str) -> Option<&[u8]> {
        let found = self.0.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_bytes())
    }
}

fn given(headers: &[(&str, &str)]) -> Given {
    Given(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

fn scheme(text: &str) -> Verify {
    toml::from_str(text).unwrap()
}

fn check(scheme: &Verify, secrets: &[&str], headers: &Given, body: &[u8]) -> Result<(), Refusal> {
    let now = Timestamp::from_second(NOW).unwrap();
    let secrets = secrets.iter().map(|secret| secret.as_bytes());
    verify(Some(scheme), secrets, headers, now, Bytes::copy_from_slice(body)).map(|_| ())
}

fn contract() -> Verify {
    Profile::built_in("contract-v1").unwrap().inbound().verify.clone().unwrap()
}

fn signed_at(stamp: i64, header: &str) -> Given {
    given(&[(TIMESTAMP_HEADER, &stamp.to_string()), (SIGNATURE_HEADER, header)])
}

/// How a body is sent.
type Send = fn(&[u8]) -> Given;

/// A scheme of each kind, and how a body is sent under it.
fn all() -> Vec<(Verify, Send)> {
    fn mac(parts: &[&[u8]]) -> Vec<u8> {
        let mut mac = hmac_of(SECRET.as_bytes());
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().to_vec()
    }
    vec![
        (contract(), |body| signed_at(NOW, &sign(SECRET.as_bytes(), NOW, body))),
        (scheme("kind = 'hmac'\nheader = 'X-Sig'\nencoding = 'base64'"), |body| {
            given(&[("x-sig", &STANDARD.encode(mac(&[body])))])
        }),
        (
            scheme(
                "kind = 'hmac'\nheader = 'X-Sig'\nencoding = 'base64url'\nsigned = 'v0:{id}:{timestamp}:{body}'\n\
                 id_header = 'X-Id'\ntimestamp_header = 'X-Time'\ntimestamp_unit = 'milliseconds'",
            ),
            |body| {
                let stamp = (NOW * 1000).to_string();
                let sum = mac(&[b"v0:e-1:", stamp.as_bytes(), b":", body]);
                given(&[("x-sig", &URL_SAFE_NO_PAD.encode(sum)), ("x-id", "e-1"), ("x-time", &stamp)])
            },
        ),
        (scheme("kind = 'standard_webhooks'"), standard_headers),
    ]
}

fn standard_headers(body: &[u8]) -> Given {
    let key = STANDARD.decode(SECRET).unwrap();
    let mut mac = hmac_of(&key);
    mac.update(format!("msg_1.{NOW}.").as_bytes());
    mac.update(body);
    let signature = format!("v1a,AAAA v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    let stamp = NOW.to_string();
    given(&[("webhook-id", "msg_1"), ("webhook-timestamp", &stamp), ("webhook-signature", &signature)])
}

/// The specification's own example (github.com/standard-webhooks/standard-webhooks, `libraries/*/test`).
#[test]
fn the_standard_webhooks_example_is_accepted() {
    let headers = given(&[
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    ]);
    let now = Timestamp::from_second(1_614_265_330).unwrap();
    let body = Bytes::from_static(br#"{"test": 2432232314}"#);
    for secret in ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", SECRET] {
        let scheme = scheme("kind = 'standard_webhooks'");
        let verified = verify(Some(&scheme), [secret.as_bytes()], &headers, now, body.clone()).unwrap();
        assert_eq!(verified.proof(), Proof::StandardWebhooks);
    }
}

#[test]
fn any_live_secret_and_any_of_several_signatures_will_do() {
    let header = format!("{}, {}", sign(b"gone", NOW, b"{}"), sign(b"new", NOW, b"{}"));
    let headers = signed_at(NOW, &header);
    assert_eq!(check(&contract(), &["old", "new"], &headers, b"{}"), Ok(()));
    assert_eq!(check(&contract(), &["old"], &headers, b"{}"), Err(Refusal::Mismatch));
    assert_eq!(check(&contract(), &[], &headers, b"{}"), Err(Refusal::Mismatch));
    for (scheme, send) in all() {
        assert_eq!(check(&scheme, &["b2xk", SECRET], &send(b"{}"), b"{}"), Ok(()), "{scheme:?}");
        assert_eq!(check(&scheme, &["b2xk"], &send(b"{}"), b"{}"), Err(Refusal::Mismatch), "{scheme:?}");
    }
}

#[test]
fn the_window_is_five_minutes_either_way() {
    for (age, expected) in
        [(300, Ok(())), (301, Err(Refusal::Stale)), (-300, Ok(())), (-301, Err(Refusal::Stale))]
    {
        let stamp = NOW - age;
        let headers = signed_at(stamp, &sign(b"s", stamp, b"{}"));
        assert_eq!(check(&contract(), &["s"], &headers, b"{}"), expected, "age {age}");
    }
    let far = signed_at(i64::MIN, &sign(b"s", i64::MIN, b""));
    assert_eq!(check(&contract(), &["s"], &far, b""), Err(Refusal::Stale));
    let narrow = scheme("kind = 'standard_webhooks'\nwindow_seconds = 60");
    let later = Timestamp::from_second(NOW + 61).unwrap();
    let body = Bytes::from_static(b"{}");
    let late = verify(Some(&narrow), [SECRET.as_bytes()], &standard_headers(b"{}"), later, body);
    assert_eq!(late.map(|_| ()), Err(Refusal::Stale));
}

#[test]
fn a_stamp_or_an_id_cannot_be_exchanged() {
    let headers = signed_at(NOW + 1, &sign(b"s", NOW, b"{}"));
    assert_eq!(check(&contract(), &["s"], &headers, b"{}"), Err(Refusal::Mismatch));
    let (scheme, send) = all().remove(2);
    let mut headers = send(b"{}");
    headers.0[1].1 = "e-2".into();
    assert_eq!(check(&scheme, &[SECRET], &headers, b"{}"), Err(Refusal::Mismatch));
}

#[test]
fn what_is_missing_or_malformed_is_refused() {
    let contract = contract();
    let refused = |headers: &[(&str, &str)]| check(&contract, &["s"], &given(headers), b"").unwrap_err();
    assert_eq!(refused(&[(SIGNATURE_HEADER, "sha256=00")]), Refusal::Missing);
    assert_eq!(refused(&[(TIMESTAMP_HEADER, "1")]), Refusal::Missing);
    assert_eq!(refused(&[(TIMESTAMP_HEADER, "x"), (SIGNATURE_HEADER, "sha256=00")]), Refusal::Malformed);
    assert_eq!(refused(&[(TIMESTAMP_HEADER, "1"), (SIGNATURE_HEADER, "00")]), Refusal::Malformed);
    let standard = scheme("kind = 'standard_webhooks'");
    let headers = given(&[("webhook-id", "a"), ("webhook-timestamp", "1"), ("webhook-signature", "v2,AAAA")]);
    assert_eq!(check(&standard, &[SECRET], &headers, b""), Err(Refusal::Malformed));
    let nothing = verify(None, [&b"s"[..]], &given(&[]), Timestamp::UNIX_EPOCH, Bytes::new());
    assert_eq!(
        nothing.unwrap_err().to_string(),
        "the profile says of no way to prove a sender ([inbound.verify])"
    );
}

#[test]
fn a_shared_header_and_basic_authentication_must_be_exactly_right() {
    let shared = scheme("kind = 'shared_header'\nheader = 'X-Bridge-Secret'");
    let of = |value| given(&[("x-bridge-secret", value)]);
    assert_eq!(check(&shared, &["older", "secret"], &of("secret"), b"{}"), Ok(()));
    for wrong in ["secreT", "secret ", "secre", ""] {
        assert_eq!(check(&shared, &["secret"], &of(wrong), b"{}"), Err(Refusal::Mismatch), "{wrong}");
    }
    assert_eq!(check(&shared, &[""], &of(""), b"{}"), Err(Refusal::Mismatch));
    assert_eq!(check(&shared, &["secret"], &given(&[]), b"{}"), Err(Refusal::Missing));

    let basic = scheme("kind = 'basic'\nuser = 'zap'");
    let of = |text: &str| given(&[("authorization", &format!("Basic {}", STANDARD.encode(text)))]);
    assert_eq!(check(&basic, &["older", "secret"], &of("zap:secret"), b"{}"), Ok(()));
    for wrong in ["zap:secre", "zip:secret", "zapsecret", ":secret"] {
        assert_eq!(check(&basic, &["secret"], &of(wrong), b"{}"), Err(Refusal::Mismatch), "{wrong}");
    }
    for malformed in ["Bearer abc", "Basic ???", "Basic"] {
        let headers = given(&[("authorization", malformed)]);
        assert_eq!(check(&basic, &["secret"], &headers, b"{}"), Err(Refusal::Malformed), "{malformed}");
    }
}

#[test]
fn a_secret_that_cannot_serve_is_named() {
    let shared = scheme("kind = 'shared_header'\nheader = 'X'");
    assert!(check_secret(&shared, "short").unwrap_err().starts_with("shorter than 16 characters"));
    assert!(check_secret(&scheme("kind = 'standard_webhooks'"), "???").unwrap_err().contains("not base64"));
    let hex = scheme("kind = 'hmac'\nheader = 'X'\nkey = 'hex'");
    assert_eq!(check_secret(&hex, "xyz"), Err("not written as `verify.key` says"));
    assert_eq!(check_secret(&hex, "0a0b"), Ok(()));
}

proptest! {
    #[test]
    fn any_flipped_bit_is_refused_under_each_scheme(
        body in proptest::collection::vec(any::<u8>(), 1..200), at: prop::sample::Index, bit in 0..8_u8,
    ) {
        for (scheme, send) in all() {
            let headers = send(&body);
            let mut changed = body.clone();
            changed[at.index(body.len())] ^= 1 << bit;
            prop_assert_eq!(check(&scheme, &[SECRET], &headers, &body), Ok(()));
            prop_assert_eq!(check(&scheme, &[SECRET], &headers, &changed), Err(Refusal::Mismatch));
        }
    }

    /// Where nothing but a secret is sent, the law is about the secret.
    #[test]
    fn any_flipped_bit_of_a_sent_secret_is_refused(at: prop::sample::Index, bit in 0..7_u8) {
        let mut changed = SECRET.as_bytes().to_vec();
        changed[at.index(SECRET.len())] ^= 1 << bit;
        let changed = String::from_utf8(changed).unwrap();
        let shared = scheme("kind = 'shared_header'\nheader = 'X'");
        prop_assert_eq!(check(&shared, &[SECRET], &given(&[("x", &changed)]), b"{}"), Err(Refusal::Mismatch));
        let basic = scheme("kind = 'basic'\nuser = 'zap'");
        let header = format!("Basic {}", STANDARD.encode(format!("zap:{changed}")));
        let headers = given(&[("authorization", &header)]);
        prop_assert_eq!(check(&basic, &[SECRET], &headers, b"{}"), Err(Refusal::Mismatch));
    }

    #[test]
    fn no_made_up_signature_is_accepted_or_panics(header in ".{0,120}") {
        for (scheme, send) in all() {
            let mut headers = send(b"body");
            for (name, value) in &mut headers.0 {
                if name.to_lowercase().contains("sig") {
                    value.clone_from(&header);
                }
            }
            prop_assert!(check(&scheme, &[SECRET], &headers, b"body").is_err());
        }
    }
}
