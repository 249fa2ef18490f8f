use super::*;

const FIRM: &str = r#"
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

fn error(text: &str) -> String {
    parse("c.toml", text, &Vec::new()).unwrap_err().to_string()
}

#[test]
fn defaults_are_enough_for_a_firm_and_a_firm_is_not_needed() {
    let config = parse("c.toml", FIRM, &Vec::new()).unwrap();
    assert_eq!(config.firms[0].casepeer.profile, "contract-v1");
    assert_eq!(config.server.public.port(), 8080);
    parse("c.toml", "", &Vec::new()).unwrap();
}

#[test]
fn the_environment_overrides_the_file() {
    let environment = vec![
        ("CASEBRIDGE_SERVER__PUBLIC".to_owned(), "127.0.0.1:9".to_owned()),
        ("CASEBRIDGE_SERVER__DRAIN_SECONDS".to_owned(), "7".to_owned()),
        ("CASEBRIDGE_FIRMS__0__NAME".to_owned(), "Acme".to_owned()),
        ("CASEBRIDGE_KEY".to_owned(), "not a setting".to_owned()),
    ];
    let config = parse("c.toml", FIRM, &environment).unwrap();
    assert_eq!(config.server.public.port(), 9);
    assert_eq!(config.server.drain_seconds, 7);
    assert_eq!(config.firms[0].name.as_deref(), Some("Acme"));
}

#[test]
fn a_wrong_variable_is_blamed_and_not_the_file() {
    let environment = vec![("CASEBRIDGE_SERVER__PUBLIC".to_owned(), "nonsense".to_owned())];
    let wrong = parse("c.toml", "[server]\npublic = \"127.0.0.1:1\"", &environment).unwrap_err().to_string();
    assert!(wrong.starts_with("environment, CASEBRIDGE_SERVER__PUBLIC: "), "{wrong}");
}

#[test]
fn an_error_names_the_line_the_key_and_the_fix() {
    let cases = [
        ("[server]\npublik = 1", "c.toml, line 2, server.publik: unknown field `publik`"),
        ("\n[server\n", "c.toml, line 2: "),
        (
            "[server]\nadmin = \"0.0.0.0:1\"",
            "c.toml, line 1, server: `admin = \"0.0.0.0:1\"` can be reached from elsewhere",
        ),
        ("[store]\nurl = \"mysql://x\"", "c.toml, line 2, store.url: a store's url begins with `sqlite://`"),
        (
            "[store]\nurl = { env = \"CASEBRIDGE_NO_SUCH\" }",
            "store.url: the environment variable CASEBRIDGE_NO_SUCH",
        ),
        ("[store]\nurl = 5", "store.url: invalid type: integer `5`, expected a store's url"),
        ("[store]\npool = 1", "store.pool: `1` connections are too few"),
        ("[store]\nacquire_timeout = \"soon\"", "store.acquire_timeout: "),
        ("[store]\nconnect_timeout = \"0s\"", "store.connect_timeout: is not longer than nothing"),
        ("[retention]\npayload_days = 0", "retention.payload_days: is 0"),
        ("[retention]\nhistory_days = 7", "retention.history_days: `7` is not between 30 and"),
        ("[retention]\npayload_days = 500", "retention.payload_days: `500` is longer than history_days"),
        (
            "[highlevel]\nwebhook_keys = [\"x\"]",
            "c.toml, line 2, highlevel.webhook_keys: webhook key 0: expected `ed25519:`",
        ),
        (
            "[[crypto.keys]]\nid = \"a\"\nsecret = \"inline\"",
            "line 3, crypto.keys.0.secret: a secret does not stand in the file",
        ),
        (
            "[[crypto.keys]]\nid = \"a\"\nsecret = { env = \"CASEBRIDGE_NO_SUCH\" }",
            "CASEBRIDGE_NO_SUCH is not set; export it",
        ),
        ("[[crypto.keys]]\nid = \"a\"\nsecret = { env = \"PATH\" }", "not 32 bytes in base64; make one with"),
    ];
    for (text, expected) in cases {
        let found = error(text);
        assert!(found.contains(expected), "{text}\n  {found}");
    }
}

#[test]
fn a_firm_is_checked_as_a_whole() {
    let cases = [
        (FIRM.to_owned() + FIRM, "firms.1.id: two firms are called `acme`"),
        (FIRM.replace("\"loc\"", "\" \""), "firms.0.highlevel.location_id: empty"),
        (
            FIRM.replace("https://cp.example/api", "cp.example"),
            "firms.0.casepeer.base_url: `cp.example` is not",
        ),
        (
            FIRM.replace("https://cp.example/api", "https://u:p@cp.example"),
            "does not carry a user or a password",
        ),
        (FIRM.replace("[{ env = \"PATH\" }]", "[]"), "firms.0.casepeer.webhook_secrets: no secret"),
        (FIRM.replace("bearer_static", "magic"), "unknown variant `magic`"),
        (
            format!("{FIRM}\n[firms.sync.statuses.Treating]\npipeline = \"Intake\"\n"),
            "needs both a pipeline and a stage",
        ),
        (format!("{FIRM}\n[firms.sync.tasks]\ndefault_due_in = \"soon\"\n"), "`soon` is not a span of time"),
    ];
    for (text, expected) in cases {
        let found = error(&text);
        assert!(found.contains(expected), "{expected}\n  {found}");
    }
}

#[test]
fn a_firm_has_one_kind_of_credential_and_what_that_needs() {
    const TOKEN: &str = "token = { env = \"PATH\" }\n[firms.casepeer]";
    let with = |credential: &str| FIRM.replacen(TOKEN, &format!("{credential}\n[firms.casepeer]"), 1);
    let app = "[server]\npublic_url = \"https://bridge.example\"\n[highlevel]\nclient_id = \"app-x\"\n\
        client_secret = { env = \"PATH\" }\n";
    let by_browser = with("oauth = true");
    let cases = [
        (with("token = { env = \"PATH\" }\noauth = true"), "`oauth = true` beside a token"),
        (with("token = { env = \"PATH\" }\ntokens = [{ env = \"PATH\" }]"), "put all into `tokens`"),
        (
            by_browser.clone(),
            "firms.0.highlevel.oauth: a firm is connected through the Marketplace app, which needs `highlevel.client_id`",
        ),
        (
            app.replace("public_url = \"https://bridge.example\"\n", "") + &by_browser,
            "needs `server.public_url`",
        ),
        (app.replace("https://bridge.example", "bridge.example"), "public_url: `bridge.example` is not"),
        (
            app.replace("client_secret", "authorize_url = \"nowhere\"\nclient_secret"),
            "highlevel.authorize_url: `nowhere` is not",
        ),
        (
            app.replace("client_secret", "scopes = [\"a b\"]\nclient_secret"),
            "highlevel.scopes: `a b` is not a scope",
        ),
    ];
    for (text, expected) in cases {
        let found = error(&text);
        assert!(found.contains(expected), "{expected}\n  {found}");
    }
    let config = parse("c.toml", &(app.to_owned() + &by_browser), &Vec::new()).unwrap();
    assert!(config.firms[0].highlevel.private_tokens().is_empty());
    assert_eq!(config.highlevel.scopes.len(), 11);
    let pasted_later = parse("c.toml", &with(""), &Vec::new()).unwrap();
    assert!(pasted_later.firms[0].highlevel.private_tokens().is_empty());
    let config =
        parse("c.toml", &with("tokens = [{ env = \"PATH\" }, { env = \"HOME\" }]"), &Vec::new()).unwrap();
    assert_eq!(config.firms[0].highlevel.private_tokens().len(), 2);
}

#[test]
fn a_store_is_a_file_or_a_server() {
    let config = |text: &str| parse("c.toml", text, &Vec::new()).unwrap().store;
    assert!(matches!(config("").url, StoreUrl::Sqlite(path) if path.ends_with("casebridge.db")));
    let store = config("[store]\nurl = \"postgres://bridge:hunter2@db/bridge\"\nacquire_timeout = \"500ms\"");
    assert!(matches!(&store.url, StoreUrl::Postgres(url) if url.reveal().ends_with("@db/bridge")));
    assert_eq!(store.acquire_timeout, jiff::SignedDuration::from_millis(500));
    assert!(!format!("{store:?}").contains("hunter2"));
    let wrong = error("[store]\nurl = \"mysql://bridge:hunter2@db/bridge\"");
    assert!(!wrong.contains("hunter2"), "{wrong}");
}

#[test]
fn no_secret_can_be_printed() {
    let path = std::env::var("PATH").unwrap();
    assert!(!format!("{:?}", parse("c.toml", FIRM, &Vec::new()).unwrap()).contains(&path));
}
