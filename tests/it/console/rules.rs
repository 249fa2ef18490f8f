//! Rules at the console: brought in, switched on, seen at work, and whose they are.

use casebridge::domain::{FirmId, Reach, Role};
use casebridge::store::AuditFilter;

use super::Person;
use crate::automations::{TAG, import};
use crate::story::ada;
use crate::support::TestBridge;

fn acme() -> Reach {
    Reach::Firms([FirmId::new("acme")].into())
}

#[tokio::test]
async fn a_file_is_brought_in_switched_on_and_its_runs_are_told_with_their_calls() {
    let bridge = TestBridge::start().await;
    let mut admin = Person::signed_in(&bridge, "ad", Role::Admin, Reach::Everywhere).await;
    assert!(admin.get("/rules").await.text.contains("There is no rule yet"));
    let brought = admin.post("/builder/start", &[("text", TAG)]).await;
    assert_eq!(brought.location.as_deref(), Some("/rules/google?done=saved"), "{}", brought.text);
    let shown = admin.get("/rules/google?done=saved").await.text;
    for said in
        ["A contact was created", "source", "contains", "contacts.add-tags", "It has not run yet", ">off<"]
    {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    assert!(admin.get("/rules").await.text.contains("never"), "a rule that is off does not run");
    admin.post("/rules/google/switch", &[("to", "on")]).await;
    let contact = bridge.highlevel.create_contact(casebridge::twin::NewContact {
        email: "b@example.com".into(),
        phone: String::new(),
        ..ada()
    });
    bridge.settle().await;
    assert_eq!(bridge.highlevel.contact(&contact).unwrap()["tags"], serde_json::json!(["google"]));
    let shown = admin.get("/rules/google").await.text;
    assert!(shown.contains("contacts.add-tags <span class=\"pill good\">accepted</span>"), "{shown}");
    assert!(!shown.contains("b@example.com"), "{shown}");

    let changed = TAG.replace("\"google\"]", "\"search\"]");
    let taken = admin.post("/builder/start", &[("text", &changed)]).await;
    assert_eq!(taken.status, 409, "{}", taken.text);
    let taken = admin.post("/builder/start", &[("text", &changed), ("replace", "yes")]).await;
    assert_eq!(taken.location.as_deref(), Some("/rules/google?done=saved-on"));
    let second = admin.get("/rules/google?version=2").await.text;
    assert!(
        second.contains("<del>") && second.contains("search") && second.contains("by ad")
            || second.contains("ad")
    );
    let old = admin.get("/rules/google/export?version=1").await.text;
    assert!(old.contains("tags = [\"google\"]"), "{old}");
    assert!(admin.get("/rules/google/export").await.text.contains("tags = [\"search\"]"));
    admin.post("/rules/google/remove", &[]).await;
    assert_eq!(admin.get("/rules/google").await.status, 404);
    let filter = AuditFilter { who: Some("ad".into()), limit: 10, ..AuditFilter::default() };
    let log = bridge.installation.store.audit_log(filter).await.unwrap();
    let told: Vec<_> = log.iter().map(|row| row.what.as_str()).collect();
    assert_eq!(told[..4], ["rule_removed", "rule_saved", "rule_on", "rule_saved"]);
}

#[tokio::test]
async fn a_wrong_file_is_told_its_places_and_kept_in_the_page() {
    let bridge = TestBridge::start().await;
    let mut admin = Person::signed_in(&bridge, "ad", Role::Admin, Reach::Everywhere).await;
    let text = TAG.replace("\"source\"", "\"sourse\"").replace("contacts.add-tags", "contacts.add-tag");
    let answer = admin.post("/builder/start", &[("text", &text)]).await.text;
    assert!(
        answer.contains("Line 6, <code>then[1].action</code>")
            && answer.contains("did you mean `contacts.add-tags`?"),
        "{answer}"
    );
    assert!(answer.contains("sourse"), "what was written is not lost");
    let answer =
        admin.post("/builder/start", &[("text", &TAG.replace("\"source\"", "\"sourse\""))]).await.text;
    assert!(
        answer.contains("Line 4, <code>if.field</code>") && answer.contains("did you mean `source`?"),
        "{answer}"
    );
    let ready = [("ready", "rejected")];
    assert_eq!(
        admin.post("/builder/start", &ready).await.location.as_deref(),
        Some("/rules/rejected?done=saved")
    );
    let missing =
        admin.post("/builder/start", &[("ready", "signed"), ("place:workflow_id", "a\"b")]).await.text;
    assert!(missing.contains("is a text without quotes"), "{missing}");
}

#[tokio::test]
async fn a_rule_is_its_firms_administrators() {
    let bridge = TestBridge::start().await;
    let mut admin = Person::signed_in(&bridge, "ad", Role::Admin, acme()).await;
    let refused = admin.post("/builder/start", &[("text", TAG)]).await;
    assert_eq!(refused.status, 400, "a rule for every firm: {}", refused.text);
    let own = admin.post("/builder/start", &[("text", TAG), ("firm", "acme")]).await;
    assert_eq!(own.status, 303, "{}", own.text);
    import(&bridge.installation, &TAG.replace("\"google\"\nwhen", "\"all\"\nwhen")).await;
    assert_eq!(admin.post("/rules/all/switch", &[("to", "off")]).await.status, 400, "it is every firm's");
    let other = Reach::Firms([FirmId::new("other")].into());
    let mut other = Person::signed_in(&bridge, "ot", Role::Admin, other).await;
    assert_eq!(other.get("/rules/google").await.status, 404);
    let list = other.get("/rules").await.text;
    assert!(
        list.contains("/rules/all") && !list.contains("/rules/google") && !list.contains("acme"),
        "{list}"
    );
    assert_eq!(other.post("/rules/google/switch", &[("to", "on")]).await.status, 404);
    let both = TAG.replace("\"google\"\nwhen", "\"both\"\nfirms = [\"acme\", \"other\"]\nwhen");
    import(&bridge.installation, &both).await;
    let shown = other.get("/rules/both?version=1").await.text;
    assert!(shown.contains("other and others") && !shown.contains("acme"), "{shown}");
    assert_eq!(other.get("/rules/both/export").await.status, 403);
    let mut viewer = Person::signed_in(&bridge, "vi", Role::Viewer, Reach::Everywhere).await;
    assert_eq!(viewer.get("/rules/google").await.status, 200);
    for (path, fields) in [
        ("/rules/google/switch", &[("to", "on")][..]),
        ("/rules/google/remove", &[]),
        ("/builder/start", &[("text", TAG)]),
    ] {
        assert_eq!(viewer.post(path, fields).await.status, 403, "{path}");
    }
    assert_eq!(viewer.get("/builder/start").await.status, 403);
    let rules = bridge.installation.store.rules().await.unwrap();
    assert!(rules.iter().any(|row| row.id == "google" && !row.is_on));
}
