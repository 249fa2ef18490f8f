//! Who may use which route of the API: each route, by each kind of caller.

use casebridge::domain::{EventState, FirmId, Reach, Role};
use casebridge::twin::Fault;
use serde_json::json;

use super::Person;
use crate::house::source;
use crate::story::ada;
use crate::support::TestBridge;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq)]
enum For {
    /// Whoever has this role at the firm; what is of another firm is not there.
    OfFirm(Role),
    /// Whoever has this role somewhere; sees only what is of their firms.
    Anywhere(Role),
    /// Who sees all firms.
    AllFirms,
    /// An operator or administrator of all firms.
    MendsAllFirms,
    /// An administrator of all firms.
    Governs,
    /// Everybody, and from this machine even nobody.
    Everybody,
}

/// Every route of the admin listener that is no page of the console. A new one must be put here.
const ROUTES: &[(&str, &str, For)] = &[
    ("GET", "/api/v1/events", For::Anywhere(Role::Viewer)),
    ("GET", "/api/v1/events/{id}", For::OfFirm(Role::Viewer)),
    ("POST", "/api/v1/events/{id}/discard", For::OfFirm(Role::Operator)),
    ("POST", "/api/v1/events/{id}/replay", For::OfFirm(Role::Operator)),
    ("GET", "/api/v1/losses", For::Anywhere(Role::Viewer)),
    ("GET", "/api/v1/review", For::Anywhere(Role::Viewer)),
    ("GET", "/api/v1/review/{id}", For::OfFirm(Role::Viewer)),
    ("POST", "/api/v1/review/{id}/resolve", For::OfFirm(Role::Operator)),
    ("GET", "/api/v1/people", For::MendsAllFirms),
    ("POST", "/api/v1/people/search", For::MendsAllFirms),
    ("POST", "/api/v1/people/link", For::MendsAllFirms),
    ("POST", "/api/v1/people/merge", For::MendsAllFirms),
    ("POST", "/api/v1/people/split", For::MendsAllFirms),
    ("GET", "/api/v1/people/{id}", For::MendsAllFirms),
    ("GET", "/api/v1/quotas", For::Anywhere(Role::Viewer)),
    ("GET", "/api/v1/secrets", For::Governs),
    ("GET", "/api/v1/firms", For::Anywhere(Role::Viewer)),
    ("GET", "/api/v1/installations", For::Anywhere(Role::Admin)),
    ("GET", "/api/v1/users", For::Governs),
    ("GET", "/api/v1/audit", For::Anywhere(Role::Admin)),
    ("GET", "/metrics", For::AllFirms),
    ("GET", "/openapi.json", For::Everybody),
    ("GET", "/livez", For::Everybody),
    ("GET", "/readyz", For::Everybody),
];

#[test]
fn every_route_of_the_admin_listener_is_in_the_matrix() {
    let text = source("src/http/mod.rs");
    let admin = text.split("pub fn admin(").nth(1).unwrap();
    for route in admin.split(".route(\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(ROUTES.iter().any(|(_, known, _)| *known == route), "{route}: say here who may use it");
    }
}

/// A bridge with an undelivered event and an open question of acme, and their ids.
async fn scene() -> (TestBridge, String, String) {
    let bridge = TestBridge::start().await;
    bridge.casepeer.fault(Fault::status(422).on("POST", "/leads").times(100));
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let event = bridge.installation.events().await.pop().unwrap();
    assert_eq!(event.state, EventState::Undelivered);
    let question = casebridge::domain::Question {
        kind: casebridge::domain::ReviewKind::AmbiguousMatch,
        subject: "highlevel:contact:c".into(),
        why: "two look alike".into(),
        details: casebridge::domain::Details::default(),
    };
    let review = bridge.installation.store.open_review(&FirmId::new("acme"), question, None).await.unwrap();
    (bridge, event.id.to_string(), review.to_string())
}

#[tokio::test]
async fn each_route_by_each_caller() {
    let (bridge, event, review) = scene().await;
    let firms = |id: &str| Reach::Firms([FirmId::new(id)].into());
    let callers = [
        ("viewer", Role::Viewer, firms("acme")),
        ("operator", Role::Operator, firms("acme")),
        ("admin", Role::Admin, firms("acme")),
        ("other", Role::Admin, firms("other")),
        ("watcher", Role::Viewer, Reach::Everywhere),
        ("root", Role::Admin, Reach::Everywhere),
    ];
    let mut people = Vec::new();
    for (name, role, reach) in callers {
        people.push((name, role, reach.clone(), Person::signed_in(&bridge, name, role, reach).await));
    }
    for (method, route, who) in ROUTES {
        let id = if route.contains("review") { &review } else { &event };
        let path = route.replace("{id}", id);
        let body = match route.rsplit('/').next() {
            Some("discard") => json!({ "reason": "a test" }),
            Some("resolve") => json!({ "action": "ignore" }),
            _ => json!({}),
        };
        let ask = |person: &Person| {
            let asking = person.request(method, &path);
            if *method == "POST" { asking.json(&body) } else { asking }
        };
        let mut nobody = Person::at(&bridge);
        let is_open = route.starts_with("/metrics") || *who == For::Everybody;
        let answer = nobody.send(ask(&nobody)).await.status;
        assert_eq!(answer == 401, !is_open, "{method} {route}: nobody, from this machine: {answer}");
        let away = ask(&nobody).header("x-forwarded-for", "203.0.113.7");
        assert_eq!(nobody.send(away).await.status, 401, "{method} {route}: nobody, from elsewhere");
        let wrong = ask(&nobody).bearer_auth("wrong");
        assert_eq!(nobody.send(wrong).await.status, 401, "{method} {route}: a wrong token");
        nobody.cookie = Some("casebridge-local=wrong".into());
        assert_eq!(nobody.send(ask(&nobody)).await.status, 401, "{method} {route}: a wrong cookie");
        for (name, role, reach, person) in &mut people {
            let expected = match who {
                For::OfFirm(_) if !reach.covers(&FirmId::new("acme")) => 404,
                For::OfFirm(needed) | For::Anywhere(needed) if *role < *needed => 403,
                For::AllFirms if *reach != Reach::Everywhere => 403,
                For::MendsAllFirms if *role < Role::Operator || *reach != Reach::Everywhere => 403,
                // There is no such person, or the body is not as it should be: that is for the handler to say.
                For::MendsAllFirms => continue,
                For::Governs if *role != Role::Admin || *reach != Reach::Everywhere => 403,
                _ => 0,
            };
            if *method == "POST" {
                let without = person.send(ask(person)).await.status;
                assert_eq!(without, 401, "{method} {route}: {name}, without the page's token");
            }
            let asking = ask(person).header("x-page-token", &person.page_token);
            let answer = person.send(asking).await;
            let is_refused = matches!(answer.status, 401 | 403 | 404);
            assert!(
                answer.status == expected || (expected == 0 && !is_refused),
                "{method} {route}: {name} got {}, not {expected}: {}",
                answer.status,
                answer.text
            );
            if *name == "other" && matches!(who, For::Anywhere(_)) {
                let is_theirs = !answer.text.contains("acme");
                assert!(is_theirs, "{method} {route}: what is of acme is shown: {}", answer.text);
            }
        }
    }
}
