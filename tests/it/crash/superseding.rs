//! A burst of changes of one record is read and written a few times, and each change stays explained.

use casebridge::domain::EventState;
use serde_json::json;

use super::assert_all_is_well;
use crate::story::ada;
use crate::support::{Gated, TestBridge};

const BURST: usize = 50;

#[tokio::test]
async fn fifty_updates_of_a_contact_in_a_second_are_two_reads_and_two_writes_at_most() {
    let Gated { bridge, highlevel, casepeer } = TestBridge::gated().await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let events = bridge.installation.events().await.len();
    let (reads, writes) = (highlevel.count("GET", "/contacts/"), casepeer.count("PATCH", "/leads/"));
    for number in 0..BURST {
        bridge.highlevel.update_contact(&contact, json!({ "city": format!("City {number}") }));
    }
    bridge.deliver().await;
    bridge.settle().await;
    assert_all_is_well(&bridge).await;
    assert_eq!(bridge.casepeer.leads()[0]["client"]["address"]["city"], format!("City {}", BURST - 1));
    let reads = highlevel.count("GET", "/contacts/") - reads;
    // The echo of each write is a change of the lead, for which the contact is read too.
    let writes = casepeer.count("PATCH", "/leads/") - writes;
    assert!(writes <= 2 && reads <= 2 + writes, "{reads} reads, {writes} writes");
    let mut superseded = 0;
    for row in bridge.installation.events().await.split_off(events) {
        if row.state == EventState::Superseded {
            superseded += 1;
            assert!(row.reason.as_ref().unwrap().starts_with("settled together with "), "{row:?}");
        }
    }
    assert!(superseded >= BURST - 2, "{superseded} of {BURST}");
    assert_eq!(
        bridge.installation.events().await.iter().filter(|row| row.kind == "ContactUpdate").count(),
        BURST
    );
}
