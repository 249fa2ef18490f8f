//! What the first page and a firm's page say of what waits.

use casebridge::domain::{Reach, Role};
use casebridge::twin::{Fault, NewContact};
use jiff::SignedDuration;

use super::Person;
use crate::story::{ada, grace};
use crate::support::TestBridge;

#[tokio::test]
async fn leads_that_have_waited_too_long_are_counted_before_all() {
    let bridge = TestBridge::start().await;
    bridge.casepeer.fault(Fault::status(503).on("POST", "/leads").times(1_000));
    for number in 1..=3 {
        bridge.highlevel.create_contact(NewContact {
            first_name: format!("Person{number}"),
            email: format!("p{number}@example.com"),
            phone: format!("+1 512 555 02{number:02}"),
            ..ada()
        });
    }
    bridge.settle().await;
    let mut viewer = Person::signed_in(&bridge, "vi", Role::Viewer, Reach::Everywhere).await;
    bridge.installation.bridge.count_up().await.unwrap();
    assert!(!viewer.get("/").await.text.contains("waited over 2 minutes"), "they have just come");
    bridge.installation.clock.advance(SignedDuration::from_secs(121));
    bridge.installation.bridge.count_up().await.unwrap();
    let home = viewer.get("/").await.text;
    assert!(home.contains("3 leads have waited over 2 minutes"), "{home}");
}

#[tokio::test]
async fn a_firm_waits_for_its_first_webhook_until_it_comes() {
    let bridge = TestBridge::start().await;
    let mut viewer = Person::signed_in(&bridge, "vi", Role::Viewer, Reach::Everywhere).await;
    assert!(viewer.get("/").await.text.contains("acme waits for its first webhook"));
    let firm = viewer.get("/firms/acme").await.text;
    assert_eq!(
        (firm.matches("waiting for the first webhook").count(), firm.matches(">heard<").count()),
        (2, 0)
    );
    bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    let firm = viewer.get("/firms/acme").await.text;
    assert!(
        !firm.contains("waiting for the first webhook") && firm.matches(">heard<").count() == 2,
        "{firm}"
    );
    assert!(!viewer.get("/").await.text.contains("waits for its first webhook"));
}

#[tokio::test]
async fn whoever_sees_one_firm_hears_of_no_other_firms_questions() {
    let (bridge, _) = crate::identity::in_doubt().await;
    let acme = Reach::Firms([casebridge::domain::FirmId::new("acme")].into());
    let other = Reach::Firms([casebridge::domain::FirmId::new("other")].into());
    let mut sees = Person::signed_in(&bridge, "se", Role::Viewer, acme).await;
    let mut hears = Person::signed_in(&bridge, "he", Role::Viewer, other).await;
    assert!(sees.get("/").await.text.contains("1 to decide"));
    let elsewhere = hears.get("/").await.text;
    assert!(!elsewhere.contains("to decide") && !elsewhere.contains("class=\"count\""), "{elsewhere}");
}
