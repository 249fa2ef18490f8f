//! `casebridge send`, as an operator would try an installation with it.

use std::path::Path;
use std::process::{Command, Output};

use casebridge::clock::{Clock, SystemClock};
use casebridge::operations::casepeer::Profile;
use casebridge::webhook::{Headers, casepeer, highlevel};
use wiremock::matchers::{header_exists, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// An Ed25519 key as `openssl genpkey -algorithm ed25519` writes it, for these tests only.
const PEM: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH
-----END PRIVATE KEY-----
";

fn send(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_casebridge")).arg("send").args(arguments).output().unwrap()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn key(directory: &Path) -> String {
    let file = directory.join("key.pem");
    std::fs::write(&file, PEM).unwrap();
    file.to_str().unwrap().to_owned()
}

/// The headers' values by name, and the body.
fn printed(arguments: &[&str]) -> (impl Fn(&str) -> String + use<>, String) {
    let output = send(arguments);
    assert!(output.status.success(), "{}", text(output.stderr));
    let request = text(output.stdout);
    let (head, body) = request.split_once("\n\n").unwrap();
    let head = head.to_owned();
    let value = move |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_else(|| panic!("no {name} in {head}")).to_owned()
    };
    (value, body.trim_end_matches('\n').to_owned())
}

#[test]
fn a_printed_highlevel_webhook_verifies_with_the_printed_key() {
    let directory = tempfile::tempdir().unwrap();
    let key = key(directory.path());
    let public = send(&["--public-key", "--key", &key]);
    let keys = highlevel::Keys::parse([text(public.stdout).trim()], false).unwrap();
    for wrapped in [&[][..], &["--wrapped"]] {
        let asked = ["contactcreate", "--print", "--key", &key, "--location", "loc-1", "--id", "c-1"];
        let (header, body) = printed(&[&asked[..], wrapped].concat());
        let signature = header(highlevel::sign::SIGNATURE_HEADER);
        let signatures = highlevel::Signatures { ed25519: Some(&signature), legacy_rsa: None };
        let verified = highlevel::verify(&keys, signatures, body.into()).unwrap();
        let envelope = highlevel::read_envelope(verified.body()).unwrap();
        assert_eq!((envelope.kind.as_str(), envelope.tenant.as_deref()), ("ContactCreate", Some("loc-1")));
        assert_eq!(envelope.records[0].to_string(), "highlevel:contact:c-1");
    }
}

struct Printed([(&'static str, String); 2]);

impl Headers for Printed {
    fn value(&self, name: &str) -> Option<&[u8]> {
        let found = self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_bytes())
    }
}

#[test]
fn a_printed_casepeer_webhook_verifies_with_the_secret() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("secret");
    std::fs::write(&file, "s3cret\n").unwrap();
    let asked = ["lead.created", "--print", "--key", file.to_str().unwrap(), "--webhook-id", "evt-7"];
    let (header, body) = printed(&asked);
    let names = [casepeer::sign::TIMESTAMP_HEADER, casepeer::sign::SIGNATURE_HEADER];
    let headers = Printed(names.map(|name| (name, header(name))));
    let profile = Profile::built_in("contract-v1").unwrap();
    let scheme = profile.inbound().verify.as_ref();
    let now = SystemClock.now();
    let verified = casepeer::verify(scheme, [&b"s3cret"[..]], &headers, now, body.into()).unwrap();
    let envelope = casepeer::read_envelope(profile.events(), &headers, verified.body()).unwrap();
    assert_eq!((envelope.kind.as_str(), envelope.delivery_id.as_deref()), ("lead.created", Some("evt-7")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_and_the_hint_follow_the_answer() {
    let directory = tempfile::tempdir().unwrap();
    let key = key(directory.path());
    let cases = [
        (202, 0, ""),
        (429, 75, "hint: send it again"),
        (401, 1, "highlevel.webhook_keys: ed25519:MCow"),
        (500, 1, "500"),
    ];
    for (status, code, hint) in cases {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .and(path("/webhooks/highlevel"))
            .and(header_exists(highlevel::sign::SIGNATURE_HEADER))
            .respond_with(ResponseTemplate::new(status).set_body_string("the answer"))
            .mount(&server)
            .await;
        let output = send(&["ContactCreate", "--to", &server.uri(), "--key", &key]);
        let complaints = text(output.stderr);
        assert_eq!(output.status.code(), Some(code), "{status}: {complaints}");
        assert!(complaints.contains(hint), "{status}: {complaints}");
        assert!(text(output.stdout).contains("the answer"), "{status}");
    }
}

#[test]
fn what_is_missing_is_said_with_the_way_to_get_it() {
    let cases: [(&[&str], i32, &str); 5] = [
        (&["ContactSneeze", "--to", "http://127.0.0.1:9"], 2, "--list"),
        (&["ContactCreate", "--to", "http://127.0.0.1:9"], 2, "openssl genpkey"),
        (&["workflow", "--to", "http://127.0.0.1:9"], 2, "highlevel.workflow_token"),
        (
            &["workflow", "--to", "http://127.0.0.1:9/webhooks/highlevel/t"],
            1,
            "is `casebridge serve` running",
        ),
        (&["ContactCreate"], 2, "--to"),
    ];
    for (arguments, code, part) in cases {
        let output = send(arguments);
        let complaints = text(output.stderr);
        assert_eq!(output.status.code(), Some(code), "{complaints}");
        assert!(complaints.contains(part), "{complaints}");
    }
    let list = text(send(&["--list"]).stdout);
    assert!(
        ["ContactCreate ", "INSTALL ", "workflow ", "lead.created "].iter().all(|name| list.contains(name))
    );
}
