//! What is fuzzed: each takes any bytes and must come back. `tests/fuzz/` runs them under libFuzzer; `tests/it/fuzz.rs`
//! runs them over the seeds and over what was found once.

use casebridge::config;
use casebridge::domain::RecordKind;
use casebridge::operations::Response;
use casebridge::operations::casepeer::{Profile, any_request, read_matter, read_matters};
use casebridge::webhook::{Headers, casepeer, highlevel};
use jiff::Timestamp;

/// A target's name and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const ALL: [Target; 7] = [
    ("signature_headers", signature_headers),
    ("envelopes", envelopes),
    ("highlevel_payload", highlevel_payload),
    ("casepeer_payload", casepeer_payload),
    ("jsonapi_codec", jsonapi_codec),
    ("rule_file", rule_file),
    ("profile_file", profile_file),
];

/// One value for every header.
struct Every<'a>(&'a [u8]);

impl Headers for Every<'_> {
    fn value(&self, _: &str) -> Option<&[u8]> {
        Some(self.0)
    }
}

/// The first line is the header, the rest the body.
fn parts(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, b""),
    }
}

/// No header proves a body that nobody signed, whatever is in it.
pub fn signature_headers(data: &[u8]) {
    let (header, body) = parts(data);
    let keys = highlevel::Keys::parse([highlevel::PUBLISHED_KEY], true).expect("the published key is one");
    let text = std::str::from_utf8(header).ok();
    for signatures in [
        highlevel::Signatures { ed25519: text, legacy_rsa: None },
        highlevel::Signatures { ed25519: None, legacy_rsa: text },
    ] {
        assert!(highlevel::verify(&keys, signatures, body.to_vec().into()).is_err());
    }
    let now = Timestamp::from_second(1_800_000_000).expect("a moment");
    for name in Profile::built_in_names() {
        let Ok(profile) = Profile::built_in(name) else { continue };
        let scheme = profile.inbound().verify.as_ref();
        let secrets = [b"a-secret-that-nobody-outside-knows-0001".as_slice()];
        let _ = casepeer::verify(scheme, secrets, &Every(header), now, body.to_vec().into());
        let _ = casepeer::has_proof(scheme, &Every(header));
    }
    let _ = casebridge::telemetry::TraceId::from_header(&String::from_utf8_lossy(header));
}

/// Envelopes are read from anything or refused.
pub fn envelopes(data: &[u8]) {
    let _ = highlevel::read_envelope(data);
    let _ = highlevel::read_workflow_envelope(data);
    let (header, body) = parts(data);
    for name in Profile::built_in_names() {
        let Ok(profile) = Profile::built_in(name) else { continue };
        let _ = casepeer::read_envelope(profile.events(), &Every(header), body);
    }
}

/// The first line is the type, the rest the payload.
pub fn highlevel_payload(data: &[u8]) {
    let (kind, body) = parts(data);
    let kind = String::from_utf8_lossy(kind);
    let _ = highlevel::read_event(&kind, body);
    let _ = highlevel::read_installation(&kind, body);
}

/// The first line is the type, the rest the payload.
pub fn casepeer_payload(data: &[u8]) {
    let (kind, body) = parts(data);
    let kind = String::from_utf8_lossy(kind);
    for name in Profile::built_in_names() {
        let Ok(profile) = Profile::built_in(name) else { continue };
        let _ = casepeer::read_event(profile.events(), &kind, body);
        if let Some(told) = casepeer::read_told(profile.events(), &kind, body) {
            let answer = Response { status: 200, etag: None, link: None, body: told.fields };
            let _ = read_matter(&answer, RecordKind::Lead, "-");
        }
    }
}

/// A vendor's answer, read by every dialect.
pub fn jsonapi_codec(data: &[u8]) {
    let Ok(body) = serde_json::from_slice::<serde_json::Value>(data) else { return };
    for name in Profile::built_in_names() {
        let Some(text) = Profile::built_in_text(name) else { continue };
        let Ok(profile) = Profile::parse_template(name, text) else { continue };
        for operation in ["lead.get", "lead.search", "lead.create", "case.list", "note.list"] {
            let Ok(request) = any_request(&profile, operation, Some("1"), None, Some(body.clone())) else {
                continue;
            };
            let answer = || Response { status: 200, etag: None, link: None, body: body.clone() };
            let _ = profile.next_page(&request, &answer());
            let _ = profile.fill_from(&request, &body);
            if let Ok(answer) = profile.read_answer(&request, answer()) {
                let _ = read_matter(&answer, RecordKind::Lead, "-");
                let _ = read_matters(&answer, RecordKind::Case, "-");
            }
            let _ = profile.read_refusal(Response { status: 422, ..answer() });
        }
    }
}

/// A configuration with a firm's rules; secrets are looked for in no file and no variable that is there.
pub fn rule_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // References lead out of the text, to files of this machine.
    if text.contains("file") || text.contains("env") {
        return;
    }
    let _ = config::parse("fuzz.toml", text, &Vec::new());
    let _ = toml::from_str::<casebridge::rules::SyncRules>(text);
}

/// A profile of the operator's.
pub fn profile_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(profile) = Profile::parse_template("fuzz", text) {
        let body = serde_json::json!({ "id": "1", "first_name": "Ada" });
        for operation in ["lead.get", "lead.create", "lead.update", "note.create", "task.list"] {
            let _ = any_request(&profile, operation, Some("1"), None, Some(body.clone()));
        }
    }
    let _ = Profile::parse("fuzz", text);
}
