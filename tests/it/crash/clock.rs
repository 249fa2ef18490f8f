//! A clock that is set back: nothing waits for the time to come round again, and nothing hurries.

use casebridge::twin::{Fault, Misbehaviour, NewContact};
use jiff::SignedDuration;

use super::assert_all_is_well;
use crate::story::ada;
use crate::support::{Gated, TestBridge};

const STEP: SignedDuration = SignedDuration::from_hours(1);

#[tokio::test]
async fn a_clock_that_is_set_back_holds_nobody_up() {
    let bridge = TestBridge::start().await;
    bridge.casepeer.fault(Fault::status(500).on("POST", "/leads").times(1));
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 0, "it waits for its second attempt");

    bridge.installation.clock.advance(-STEP);
    let mary = NewContact {
        first_name: "Mary".into(),
        email: "mary@example.com".into(),
        phone: String::new(),
        ..ada()
    };
    bridge.highlevel.create_contact(mary);
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 1, "what comes now is worked on now");
    bridge.wait(SignedDuration::from_secs(10)).await;
    assert_eq!(bridge.casepeer.leads().len(), 2, "and what waited waits no longer than it was to");
    assert_all_is_well(&bridge).await;
}

#[tokio::test]
async fn after_a_clock_was_set_back_pauses_are_still_kept() {
    let Gated { bridge, casepeer, .. } = TestBridge::gated().await;
    bridge.installation.clock.advance(SignedDuration::from_secs(1));
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    bridge.installation.clock.advance(-STEP);
    let busy = Misbehaviour::Status { status: 429, retry_after: Some(30), body: None };
    bridge.casepeer.fault(Fault::new(busy).on("POST", "/leads").times(3));
    let mary = NewContact {
        first_name: "Mary".into(),
        email: "mary@example.com".into(),
        phone: String::new(),
        ..ada()
    };
    bridge.highlevel.create_contact(mary);
    bridge.settle().await;
    assert_eq!(casepeer.count("POST", "/leads"), 2, "a vendor that asks for a pause is given it");
    for attempt in 2..5 {
        bridge.wait(SignedDuration::from_secs(20)).await;
        assert_eq!(casepeer.count("POST", "/leads"), attempt);
        bridge.wait(SignedDuration::from_secs(12)).await;
        assert_eq!(casepeer.count("POST", "/leads"), attempt + 1);
    }
    assert_all_is_well(&bridge).await;
    assert_eq!(bridge.casepeer.leads().len(), 2);
}
