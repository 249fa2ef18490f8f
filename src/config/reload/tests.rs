use std::fs;

use tempfile::TempDir;

use super::*;

const FILE: &str = r#"
[server]
public = "127.0.0.1:8080"
[[firms]]
id = "acme"
[firms.highlevel]
location_id = "loc-1"
token = { file = "secret" }
[firms.casepeer]
base_url = "https://cp.example"
inbound_token = { file = "secret" }
webhook_secrets = [{ file = "secret" }]
auth = { kind = "bearer_static", token = { file = "secret" } }
[firms.sync]
name_filler = "Unknown"
"#;

struct Home(TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(TempDir::new().unwrap());
        fs::write(home.0.path().join("secret"), "0123456789abcdef0123").unwrap();
        fs::write(home.0.path().join("other"), "0123456789abcdef4567").unwrap();
        home.write(FILE);
        home
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("casebridge.toml")
    }

    fn write(&self, text: &str) {
        let text = ["secret", "other"].iter().fold(text.to_owned(), |text, name| {
            let path = self.0.path().join(name).display().to_string();
            text.replace(&format!("{name:?}"), &format!("{path:?}"))
        });
        fs::write(self.path(), text).unwrap();
    }

    fn load(&self) -> Loaded {
        Loaded::read(&self.path()).unwrap()
    }
}

#[test]
fn rules_are_taken_over_and_the_rest_waits_for_a_restart() {
    let home = Home::new();
    let mut loaded = home.load();
    assert!(!loaded.has_moved());
    let text = FILE.replace("\"Unknown\"", "\"(no name)\"").replace("127.0.0.1:8080", "127.0.0.1:9090");
    let text = text.replace("loc-1", "loc-2");
    home.write(&format!(
        "{text}[firms.sync.statuses.\"Treating\"]\nmilestone = \"signed\"\n[firms.casepeer.inbound.verify]\n\
         kind = \"shared_header\"\nheader = \"X-Bridge-Secret\"\n"
    ));
    assert!(loaded.has_moved() && !loaded.has_moved());
    let reloaded = loaded.reread().unwrap();
    assert_eq!(
        reloaded.changed,
        ["firms.acme.casepeer.inbound", "firms.acme.sync.name_filler", "firms.acme.sync.statuses"]
    );
    assert_eq!(reloaded.needs_restart, ["server.public", "firms.acme.highlevel.location_id"]);
    let config = reloaded.loaded.config;
    assert_eq!(config.firms[0].sync.name_filler, "(no name)");
    assert_eq!(config.firms[0].highlevel.location_id, "loc-1");
    assert_eq!(config.server.public.port(), 8080);
    assert!(config.firms[0].casepeer.inbound.is_some());
}

#[test]
fn what_is_taken_out_of_the_file_goes_and_firms_stay() {
    let home = Home::new();
    let loaded = home.load();
    home.write(&FILE.replace("[firms.sync]\nname_filler = \"Unknown\"\n", "").replace("acme", "bell"));
    let reloaded = loaded.reread().unwrap();
    assert_eq!(reloaded.changed, Vec::<String>::new());
    assert_eq!(reloaded.needs_restart, ["firms.acme", "firms.bell"]);
    home.write(&FILE.replace("[firms.sync]\nname_filler = \"Unknown\"\n", ""));
    assert_eq!(loaded.reread().unwrap().changed, ["firms.acme.sync"]);
}

#[test]
fn a_firm_that_is_added_is_taken_over() {
    let home = Home::new();
    let loaded = home.load();
    let firm = FILE.split_once("[[firms]]").unwrap().1;
    let token = "inbound_token = { file = \"secret\" }";
    let other = firm.replace("acme", "bell").replace("loc-1", "loc-2");
    let other = other.replace(token, &token.replace("secret", "other"));
    home.write(&format!("{FILE}\n[[firms]]{other}"));
    let reloaded = loaded.reread().unwrap();
    assert_eq!((reloaded.changed, reloaded.needs_restart), (vec!["firms.bell".to_owned()], Vec::new()));
    assert_eq!(reloaded.loaded.config.firms.len(), 2);
}

#[test]
fn a_wrong_file_is_refused_with_its_reason_and_changes_nothing() {
    let home = Home::new();
    let loaded = home.load();
    for (wrong, reason) in [
        (FILE.replace("\"Unknown\"", "7"), "firms.0.sync.name_filler: invalid type: integer `7`"),
        (FILE.replace("[firms.sync]", "[firms.sync"), "line 14"),
        (format!("{FILE}leads_form = \"all\"\n"), "unknown field `leads_form`"),
        (
            format!("{FILE}[firms.casepeer.inbound.verify]\nkind = \"none\"\n"),
            "unknown variant `none`, expected one of `hmac`, `standard_webhooks`, `shared_header`, `basic`",
        ),
        (
            format!("{FILE}[firms.casepeer.inbound.answers.busy]\nstatus = 200\n"),
            "firms.0.casepeer.inbound.answers.busy: a webhook that is not safe must come again",
        ),
        (
            FILE.replace("base_url = \"https", "profile = \"no-such\"\nbase_url = \"https"),
            "no profile is called `no-such`",
        ),
    ] {
        home.write(&wrong);
        let refused = loaded.reread().unwrap_err().to_string();
        assert!(refused.contains(reason), "{refused}\nshould say {reason}");
        assert!(!refused.contains("0123456789abcdef"), "{refused}");
    }
    fs::remove_file(home.path()).unwrap();
    assert!(loaded.reread().unwrap_err().to_string().contains("cannot be read"));
    assert_eq!(loaded.config.firms[0].sync.name_filler, "Unknown");
}

#[test]
fn a_profile_of_ones_own_is_watched_too() {
    let home = Home::new();
    let profile = home.0.path().join("own.toml");
    fs::write(&profile, "extends = \"contract-v1\"\n").unwrap();
    let named = format!("profile = {:?}\nbase_url = \"https", profile.display().to_string());
    home.write(&FILE.replace("base_url = \"https", &named));
    let mut loaded = home.load();
    assert!(!loaded.has_moved());
    fs::write(&profile, "extends = \"contract-v1\"\n[inbound.verify]\nkind = \"basic\"\n").unwrap();
    assert!(loaded.has_moved());
    let refused = loaded.reread().unwrap_err().to_string();
    assert!(refused.contains("missing field `user`"), "{refused}");
    fs::write(&profile, "extends = \"contract-v1\"\n[inbound.verify]\nkind = \"basic\"\nuser = \"zap\"\n")
        .unwrap();
    let config = loaded.reread().unwrap().loaded.config;
    let verify = config.firms[0].casepeer.profile().unwrap().inbound().verify.clone();
    assert!(format!("{verify:?}").contains("zap"));
}
