//! What is refused says so in words that name the key and what is right: those of the configuration, of a profile's file
//! and of the program's verbs that no other test sees.

use std::path::Path;
use std::process::{Command, Output};

use casebridge::config;
use casebridge::operations::casepeer::Profile;
use casebridge::webhook::Refusal;

/// A configuration with one firm; every secret is the variable PATH, which is set everywhere and long enough.
const BASE: &str = r#"
[server]
public_url = "https://bridge.example.com"
[crypto]
keys = []
[highlevel]
client_id = "app-x"
[[firms]]
id = "acme"
[firms.highlevel]
location_id = "loc"
token = { env = "PATH" }
[firms.casepeer]
base_url = "https://cp.example/api"
inbound_token = { env = "PATH" }
webhook_secrets = [{ env = "PATH" }]
auth = { kind = "bearer_static", token = { env = "PATH" } }
"#;

fn refused(text: &str) -> String {
    let read = config::parse("own.toml", text, &Vec::new());
    read.map(|_| ()).expect_err(text).to_string()
}

/// Each with what stands in the file, what stands there instead, and what is said of it.
fn assert_refused(cases: &[(&str, &str, &str)]) {
    config::parse("own.toml", BASE, &Vec::new()).unwrap();
    for (from, to, words) in cases {
        assert!(BASE.contains(from), "{from}");
        let why = refused(&BASE.replacen(from, to, 1));
        assert!(why.starts_with("own.toml") && why.contains(words), "{to}\n→ {why}\n≠ {words}");
    }
}

const AUTH: &str = "auth = { kind = \"bearer_static\", token = { env = \"PATH\" } }";
const URL: &str = "base_url = \"https://cp.example/api\"";
const SECRETS: &str = "webhook_secrets = [{ env = \"PATH\" }]";

#[test]
fn of_a_firm() {
    let id = "id = \"acme\"\n";
    assert_refused(&[
        (
            id,
            "id = \"acme & sons\"\n",
            "firms.0.id: a firm's id has 1 to 64 letters, digits, hyphens or underscores",
        ),
        (
            "\"loc\"",
            "\" \"",
            "firms.0.highlevel.location_id: empty; it is the last part of the sub-account's address",
        ),
        (
            "token = { env = \"PATH\" }\n",
            "token = { env = \"PATH\" }\noauth = true\n",
            "`oauth = true` beside a token; keep one of them",
        ),
        (
            "token = { env = \"PATH\" }\n",
            "token = { env = \"PATH\" }\ntokens = [{ env = \"PATH\" }]\n",
            "`token` and `tokens` at once; put all into `tokens`",
        ),
        (
            SECRETS,
            "webhook_secrets = []",
            "firms.0.casepeer.webhook_secrets: no secret: no webhook could be accepted",
        ),
        (
            "inbound_token = { env = \"PATH\" }",
            "inbound_token = []",
            "an empty list: name at least one secret",
        ),
        (
            "token = { env = \"PATH\" }\n",
            "token = { env = \"PATH\" }\nworkflow_token = { env = \"PATH\" }\n",
            "the same token names two webhook URLs; make each unguessable",
        ),
        (
            "token = { env = \"PATH\" }\n",
            "token = { env = \"PATH\" }\nworkflow_header = { name = \"a b\", secret = { env = \"PATH\" } }\n",
            "firms.0.highlevel.workflow_header.name: `a b` is not a header's name",
        ),
        (
            URL,
            "",
            "casepeer.base_url: missing: the profile `contract-v1` does not know the account's address",
        ),
        (
            URL,
            "base_url = \"https://cp.example/api?key=1\"",
            "has a query or a fragment; write it as `https://host/path`",
        ),
        (
            URL,
            "base_url = \"https://ada:hush@cp.example\"",
            "does not carry a user or a password; use the credential's own keys",
        ),
        (
            URL,
            "profile = \"zapier\"",
            "`lead.create` goes by a hook: add `\"lead.create\" = { env = \"…\" }` with its address",
        ),
        (
            SECRETS,
            "webhook_secrets = [{ env = \"PATH\" }]\nproxy_login = { env = \"PATH\" }",
            "casepeer.proxy_login: for no proxy",
        ),
    ]);
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("hook"), "https://hooks.example/1").unwrap();
    let hook = format!("{{ file = {:?} }}", directory.path().join("hook").display().to_string());
    let hooks = format!("{SECRETS}\nhooks = {{ \"lead.get\" = {hook} }}");
    assert_refused(&[(SECRETS, &hooks, "the profile `contract-v1` carries no `lead.get` by a hook")]);
    let twice = format!("{BASE}{}", BASE.split_once("[[firms]]").unwrap().1.replace("acme", "bell"));
    let twice = twice.replacen("id = \"bell\"", "\n[[firms]]\nid = \"bell\"", 1);
    assert!(refused(&twice).contains("two firms have the location `loc`"), "{}", refused(&twice));
}

#[test]
fn of_a_firms_credential_and_mail_server() {
    let oauth = |rest: &str| {
        format!(
            "profile = \"mycase\"\nauth = {{ kind = \"oauth2_authorization_code\", client_id = \"c\", authorize_url = \"https://a.example\", \
             token_url = \"https://t.example\"{rest} }}"
        )
    };
    let mail = |rest: &str| format!("{AUTH}\nmail = {{ server = \"mail.example\", {rest} }}");
    let cases = [
        (oauth(""), "auth.client_secret: missing; only a client with `pkce = \"S256\"` may be without one"),
        (oauth(", pkce = \"S256\", client_auth = \"basic\""), "auth.client_auth: `basic` needs a client_secret"),
        (
            "auth = { kind = \"oauth2_client_credentials\", client_id = \"c\", client_secret = { env = \"PATH\" } }".into(),
            "auth.token_url: missing: neither the firm nor its profile says it",
        ),
        (
            "auth = { kind = \"api_key\", in = \"header\", name = \"a b\", key = { env = \"PATH\" } }".into(),
            "auth.name: `a b` is not a header's name",
        ),
        (mail("from = \"bridge\""), "mail.from: `bridge` is not an e-mail address"),
        (mail("from = \"b@example.com\", encryption = \"none\""), "notes would be sent in the clear; write `starttls`"),
        (mail("from = \"b@example.com\", user = \"b\""), "mail.user: needs both `user` and `password`, or neither"),
    ];
    let cases: Vec<_> = cases.iter().map(|(to, words)| (AUTH, to.as_str(), *words)).collect();
    assert_refused(&cases);
}

#[test]
fn of_highlevel_and_of_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().join("empty");
    std::fs::write(&empty, "\n").unwrap();
    let file = format!("{{ file = {:?} }}", empty.display().to_string());
    let key = |id: &str| format!("{{ id = \"{id}\", secret = {{ env = \"CASEBRIDGE_NO_SUCH\" }} }}");
    let (emptied, unset) = (SECRETS.replace("{ env = \"PATH\" }", &file), format!("keys = [{}]", key("k1")));
    assert_refused(&[
        (
            "client_id = \"app-x\"",
            "webhook_keys = []",
            "no key: no webhook could be accepted; leave the line out for HighLevel's",
        ),
        (
            "client_id = \"app-x\"",
            "webhook_keys = [\"rsa:x\"]",
            "expected `ed25519:` and base64 of a 32-byte key",
        ),
        ("client_id = \"app-x\"", "scopes = [\"a b\"]", "`a b` is not a scope; list them one by one"),
        (
            "client_id = \"app-x\"",
            "base_url = \"ftp://x\"",
            "highlevel.base_url: `ftp://x` is not an http or https address",
        ),
        (
            "token = { env = \"PATH\" }",
            "oauth = true",
            "a firm is connected through the Marketplace app, which needs `highlevel.client_secret`",
        ),
        (SECRETS, &emptied, "empty is empty"),
        (
            SECRETS,
            "webhook_secrets = [{ env = \"CASEBRIDGE_NO_SUCH\" }]",
            "CASEBRIDGE_NO_SUCH is not set; export it or name another",
        ),
        (SECRETS, "webhook_secrets = [\"hush\"]", "a secret does not stand in the file itself"),
        (
            SECRETS,
            "webhook_secrets = [{ vault = \"hush\" }]",
            "write `{ env = \"NAME\" }` or `{ file = \"/path\" }`",
        ),
        ("keys = []", &unset, "CASEBRIDGE_NO_SUCH is not set"),
        (
            "keys = []",
            "keys = [{ id = \"k1\", secret = { env = \"PATH\" } }]",
            "not 32 bytes in base64; make one with `casebridge secrets new key`",
        ),
    ]);
}

#[test]
fn of_a_profile() {
    let fields = "[operations]\n[records.lead.fields]\n";
    let poll = "[operations.lead.list]\ntransport = \"poll\"\npath = \"/leads\"\n";
    for (text, words) in [
        (
            format!("{fields}status = \"a[x]\""),
            "`a[x]` has a bracket that is neither a number below 16 nor `key=value`",
        ),
        (format!("{fields}status = \"a..b\""), "`a..b` has an empty name"),
        (
            poll.to_owned(),
            "operations.lead.list.search: polling needs the list's parameter for `updated_since`",
        ),
        (
            format!("{poll}every = \"1s\"\nsearch = {{ updated_since = \"since\" }}"),
            "operations.lead.list.every: is a minute at least",
        ),
        (
            "[operations.lead.get]\ntransport = \"poll\"".into(),
            "operations.lead.get.transport: `poll` is for lists of what changed",
        ),
        (
            "[operations]\n[events.types]\n\"x\" = \"lead.seen\"".into(),
            "events.types.x: `lead.seen` is no event; those are",
        ),
        (
            "[operations]\n[events.records.deal]\nroot = \"/x\"".into(),
            "`deal` is no kind of record; those are lead, case",
        ),
        (
            "[operations]\n[events.records.lead.fields]\nname = \"/x\"".into(),
            "`name` is no field; those are id, lead_id",
        ),
        (
            "[operations]\n[inbound.verify]\nkind = \"hmac\"\nheader = \"X-S\"\nsigned = \"{when}.{body}\""
                .into(),
            "`{when}` is not known; a template has {timestamp}, {id} and {body}",
        ),
    ] {
        let why = Profile::parse("own.toml", &text).expect_err(&text).to_string();
        assert!(why.starts_with("own.toml") && why.contains(words), "{text}\n→ {why}\n≠ {words}");
    }
}

fn casebridge(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_casebridge"));
    command.current_dir(directory).env_remove("CASEBRIDGE_CONFIG").args(arguments).output().unwrap()
}

#[test]
fn of_the_verbs_for_profiles_firms_and_secrets() {
    let here = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(here.path().join(name), text).unwrap();
    let key = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=";
    write("key", key);
    let keys = BASE.replace("keys = []", "keys = [{ id = \"k1\", secret = { file = \"key\" } }]");
    write("casebridge.toml", &format!("[store]\nurl = \"sqlite://bridge.db\"\n{keys}"));
    write("postgres.toml", &format!("[store]\nurl = \"postgres://127.0.0.1:1/none\"\n{keys}"));
    let try_out = ["profiles", "try", "acme"];
    for (arguments, code, words) in [
        (
            &["profiles", "show", "own.toml", "--toml"][..],
            2,
            &["--toml shows built-in profiles, and `own.toml` is none"][..],
        ),
        (
            &["profiles", "check", "cp"],
            78,
            &["no profile is called `cp`", "hint: `casebridge profiles list` shows"],
        ),
        (&["profiles", "check", "no.toml"], 78, &["no.toml: cannot be read"]),
        (
            &["profiles", "check", "casepeer-jsonapi"],
            78,
            &["is a template with blanks; write a file of your own"],
        ),
        (
            &["profiles", "try", "bell", "health"],
            1,
            &["there is no firm `bell`", "hint: `casebridge firms list` shows"],
        ),
        (
            &[try_out[0], try_out[1], try_out[2], "lead.fly"],
            1,
            &["there is no operation `lead.fly`", "hint: `casebridge profiles show`"],
        ),
        (
            &[try_out[0], try_out[1], try_out[2], "lead.find", "--by", "email"],
            2,
            &["--by is written as PROPERTY=VALUE"],
        ),
        (
            &[try_out[0], try_out[1], try_out[2], "lead.find", "--by", "shoe=9"],
            1,
            &["lead.find cannot search by shoe"],
        ),
        (&[try_out[0], try_out[1], try_out[2], "lead.create", "--body", "{"], 2, &["--body is not JSON"]),
        (
            &[try_out[0], try_out[1], try_out[2], "task.complete", "--id", "T-1"],
            2,
            &["task.complete changes the account", "hint: add --write if that is what you want"],
        ),
        (
            &["firms", "connect", "bell"],
            1,
            &["there is no firm `bell`", "hint: `casebridge firms list` shows the ids"],
        ),
        (
            &["firms", "connect", "acme", "--casepeer"],
            78,
            &["the firm `acme` has another kind of casepeer.auth"],
        ),
        (
            &["secrets", "rotate", "token", "bell"],
            1,
            &["there is no firm `bell`", "hint: `casebridge firms list` shows the ids"],
        ),
        (
            &["secrets", "rotate", "key", "--config", "postgres.toml"],
            1,
            &[
                "an instance that was started without the key `k1` could not read",
                "then say so with --restarted",
            ],
        ),
    ] {
        let output = casebridge(here.path(), arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        for words in words {
            assert!(said.contains(words), "{arguments:?}: {said}\n≠ {words}");
        }
        assert!(!said.contains(key), "{said}");
    }
}

#[test]
fn of_webhooks_in_our_own_log() {
    for (refusal, words) in [
        (Refusal::Missing, "no signature, or not the header that proves the sender"),
        (Refusal::Malformed, "malformed signature"),
        (Refusal::Mismatch, "signature does not match any configured key"),
        (Refusal::Stale, "signed outside the allowed window"),
        (Refusal::NoScheme, "the profile says of no way to prove a sender ([inbound.verify])"),
    ] {
        assert_eq!(refusal.to_string(), words);
    }
}
