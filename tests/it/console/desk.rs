//! What administrators and operators do at the console beyond mending events: tokens, questions taken back.

use casebridge::domain::{
    Details, EventState, Fields, FirmId, Question, Reach, RecordKind, RecordRef, ReviewKind, Role, Shown,
};
use casebridge::store::AuditFilter;
use casebridge::twin::Fault;

use super::Person;
use crate::story::ada;
use crate::support::TestBridge;

/// What was written down, the newest first: what, and on what.
pub async fn deeds(bridge: &TestBridge) -> Vec<(String, String)> {
    let filter = AuditFilter { limit: 100, ..AuditFilter::default() };
    let rows = bridge.installation.store.audit_log(filter).await.unwrap();
    rows.into_iter().map(|row| (row.what.to_string(), row.about.unwrap_or_default())).collect()
}

#[tokio::test]
async fn a_token_is_made_shown_once_and_ended() {
    let bridge = TestBridge::start().await;
    let mut root = Person::signed_in(&bridge, "root", Role::Admin, Reach::Everywhere).await;
    let form = [("name", "The intake Zap"), ("firm", "acme"), ("action", "contacts.*"), ("action", "hooks")];
    let made = root.post("/tokens", &form).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let token = made.text.split("id=\"new-token\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert!(token.starts_with("cbt_"), "{token}");
    let page = root.get("/tokens").await.text;
    assert!(page.contains("The intake Zap") && !page.contains(&token), "{page}");
    let call = |token: &str| {
        let url = format!("{}/api/v1/actions/contacts.get-contact", bridge.installation.url);
        let body = serde_json::json!({ "parameters": { "contactId": "nobody" } });
        reqwest::Client::new().post(url).bearer_auth(token).json(&body).send()
    };
    assert_ne!(call(&token).await.unwrap().status(), 401);
    let id = bridge.installation.store.tokens().await.unwrap().pop().unwrap().id;
    assert_eq!(root.post(&format!("/tokens/{id}/revoke"), &[]).await.status, 303);
    assert_eq!(call(&token).await.unwrap().status(), 401);
    assert_eq!(root.post(&format!("/tokens/{id}/revoke"), &[]).await.status, 409);
    let told = deeds(&bridge).await;
    assert_eq!(told[0], ("token_revoked".into(), id.clone()));
    assert_eq!(told[1], ("token_made".into(), format!("{id}, The intake Zap: contacts.* hooks")));
    assert!(!told.iter().any(|(_, about)| about.contains(&token)));

    for (field, value) in
        [("name", ""), ("firm", "nobody"), ("action", "contactz.*"), ("more", "contacts.gt")]
    {
        let mut wrong = vec![("name", "x"), ("firm", "acme"), ("action", "hooks")];
        wrong.retain(|(name, _)| *name != field);
        wrong.push((field, value));
        let answer = root.post("/tokens", &wrong).await;
        assert_eq!(answer.status, 400, "{field} = {value}: {}", answer.text);
    }
    let of_no_firm = root.post("/tokens", &[("name", "x"), ("action", "hooks")]).await;
    assert_eq!(of_no_firm.status, 400, "no firm is not every firm");
    let mut some = Person::signed_in(&bridge, "op", Role::Operator, Reach::Everywhere).await;
    assert_eq!((some.get("/tokens").await.status, some.post("/tokens", &form).await.status), (403, 403));
}

#[tokio::test]
async fn what_came_just_now_is_found_by_its_phone_number() {
    let bridge = TestBridge::start().await;
    bridge.casepeer.fault(Fault::status(422).on("POST", "/leads").times(1));
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let event = bridge.installation.events().await.pop().unwrap();
    assert_eq!(event.state, EventState::Undelivered);
    let mut person = Person::signed_in(&bridge, "mo", Role::Operator, Reach::Everywhere).await;
    let found = person.post("/events", &[("word", "(512) 555-0100")]).await.text;
    assert!(found.contains(&event.id.to_string()), "without waiting for what is counted at leisure: {found}");
}

#[tokio::test]
async fn an_answer_that_changed_nothing_is_taken_back_and_asked_again() {
    let bridge = TestBridge::start().await;
    let store = &bridge.installation.store;
    let shown = Shown {
        score: Some(600),
        ..Shown::of(&RecordRef::casepeer(RecordKind::Lead, "L-1"), &Fields::default())
    };
    let question = |kind, subject: &str| Question {
        kind,
        subject: subject.into(),
        why: "two look alike".into(),
        details: Details { casepeer: vec![shown.clone()], ..Details::default() },
    };
    let mut mo = Person::signed_in(&bridge, "mo", Role::Operator, Reach::Everywhere).await;
    let mut viewer = Person::signed_in(&bridge, "vi", Role::Viewer, Reach::Everywhere).await;
    let firm = FirmId::new("acme");
    for (kind, action, why) in [
        (ReviewKind::AmbiguousMatch, "ignore", None),
        (ReviewKind::Conflict, "ignore", None),
        (ReviewKind::AmbiguousMatch, "create", None),
        // It names what is put back, and nothing is left that could be worked on again for it.
        (ReviewKind::Conflict, "use_casepeer", Some("put back where they stood")),
        (ReviewKind::OverdueHandOff, "ignore", Some("cannot be taken back from here")),
        (ReviewKind::OverdueHandOff, "retry", Some("what was sent cannot be called back")),
        (
            ReviewKind::AmbiguousCreate,
            "create",
            Some("what a vendor has created only a person can delete there"),
        ),
        (ReviewKind::HopBudget, "retry", Some("change the values back in either system")),
    ] {
        let id = store.open_review(&firm, question(kind, &format!("{kind} {action}")), None).await.unwrap();
        let page = format!("/review/{id}");
        let undo = format!("{page}/undo");
        assert_eq!(mo.post(&undo, &[]).await.status, 409, "{kind}: it is not answered yet");
        let decided = mo.post(&page, &[("action", action)]).await;
        assert_eq!(decided.location.as_deref(), Some(&*format!("/review?done={id}")), "{}", decided.text);
        assert_eq!(viewer.post(&undo, &[]).await.status, 403);
        let is_open = async || store.review(id).await.unwrap().unwrap().row.resolved_at.is_none();
        match why {
            None => {
                assert!(mo.get(&page).await.text.contains("question is asked again"), "{kind} {action}");
                assert_eq!(mo.post(&undo, &[]).await.location.as_deref(), Some(&*page));
                assert!(is_open().await);
            }
            Some(why) => {
                assert!(mo.get(&page).await.text.contains(why), "{kind} {action}");
                assert_eq!(mo.post(&undo, &[]).await.status, 409);
                assert!(!is_open().await);
            }
        }
    }
}

#[tokio::test]
async fn everything_is_sealed_anew_once_every_instance_knows_the_key() {
    let bridge = TestBridge::start().await;
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let mut root = Person::signed_in(&bridge, "root", Role::Admin, Reach::Everywhere).await;
    let mut operator = Person::signed_in(&bridge, "op", Role::Operator, Reach::Everywhere).await;
    assert!(root.get("/settings").await.text.contains("nothing is sealed with another"));
    assert_eq!(operator.post("/settings/reseal", &[("restarted", "1")]).await.status, 403);
    assert_eq!(root.post("/settings/reseal", &[]).await.status, 400, "nobody said that all were restarted");
    assert_eq!(root.post("/settings/reseal", &[("restarted", "1")]).await.status, 303);
    assert_eq!(deeds(&bridge).await[0].0, "resealed");
    let event = bridge.installation.events().await.pop().unwrap().id;
    assert!(bridge.installation.store.payload(event).await.unwrap().is_some(), "it can still be read");
}
