//! Each trigger of the catalog sets a rule off.

use std::collections::BTreeSet;

use casebridge::domain::EventState;
use casebridge::operations::catalog::{self, Entry, Kind, System};
use casebridge::twin::{Fault, NewContact, NewLead, NewNote, casepeer, highlevel};
use casebridge::webhook::casepeer::sample;
use casebridge::webhook::casepeer::sign;
use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::import;
use crate::story::{ada, grace};
use crate::support::TestBridge;

fn triggers(system: System) -> impl Iterator<Item = &'static Entry> {
    catalog::all().iter().filter(move |entry| entry.kind == Kind::Trigger && entry.system == system)
}

fn person(email: &str) -> NewContact {
    NewContact { email: email.into(), phone: String::new(), ..ada() }
}

/// A rule that marks a contact with the trigger's name.
fn marks(trigger: &str, contact: &str) -> String {
    let id = trigger.to_lowercase().replace('.', "-");
    format!(
        "id = '{id}'\nwhen = '{trigger}'\nmay_trigger_itself = true\nonce_per = 'record'\n[[then]]\naction = 'contacts.add-tags'\n\
        with = {{ contactId = '{contact}', tags = ['saw {trigger}'] }}\n"
    )
}

fn seen(bridge: &TestBridge, contact: &str) -> BTreeSet<String> {
    let contact = bridge.highlevel.contact(contact).unwrap();
    let tags = contact["tags"].as_array().unwrap().iter().filter_map(Value::as_str);
    tags.filter_map(|tag| tag.strip_prefix("saw ")).map(str::to_lowercase).collect()
}

async fn assert_all(bridge: &TestBridge, contact: &str, system: System) {
    let seen = seen(bridge, contact);
    let missing: Vec<&str> = triggers(system)
        .map(|entry| entry.id.as_str())
        .filter(|id| !seen.contains(&id.to_lowercase()))
        .collect();
    assert!(missing.is_empty(), "{missing:?}\n{}", bridge.installation.tell().await);
}

#[tokio::test]
async fn every_trigger_of_highlevel() {
    let bridge = TestBridge::start().await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    for trigger in triggers(System::HighLevel) {
        import(&bridge.installation, &marks(&trigger.id, &contact)).await;
    }
    // What the sync looks up must be there; everything else is told by the examples of the catalog.
    let real = [
        "webhook.ContactCreate",
        "webhook.ContactUpdate",
        "webhook.ContactTagUpdate",
        "webhook.ContactDelete",
        "webhook.AppointmentCreate",
        "webhook.AppointmentUpdate",
        "webhook.TaskCreate",
        "webhook.TaskComplete",
        "webhook.TaskDelete",
        "webhook.NoteCreate",
        "webhook.NoteUpdate",
        "webhook.NoteDelete",
    ];
    let gone = bridge.highlevel.create_contact(person("gone@example.com"));
    bridge.highlevel.update_contact(&contact, json!({ "city": "Waco" }));
    bridge.highlevel.add_tags(&contact, &["x"]);
    let appointment =
        bridge.highlevel.create_appointment(&contact, "Consultation", "2026-11-26T15:00:00-06:00");
    let task = bridge
        .highlevel
        .create_task(&contact, highlevel::NewTask { title: "Call".into(), ..highlevel::NewTask::default() });
    let note = bridge.highlevel.create_note(&contact, "Called");
    bridge.settle().await;
    bridge.highlevel.update_appointment(&appointment, json!({ "title": "Moved" }));
    bridge.highlevel.complete_task(&contact, &task);
    bridge.highlevel.update_note(&contact, &note, "Called twice");
    bridge.settle().await;
    bridge.highlevel.delete_task(&contact, &task);
    bridge.highlevel.delete_note(&contact, &note);
    bridge.highlevel.delete_contact(&gone);
    bridge.settle().await;
    for trigger in triggers(System::HighLevel).filter(|trigger| !real.contains(&trigger.id.as_str())) {
        let mut fields = Map::new();
        for parameter in trigger.parameters.iter().filter(|one| one.name != "locationId") {
            let text = parameter.example.to_string().replace("ocQHyuzHvysMo5N5VsXc", &contact);
            let mut place = fields.entry(parameter.name.split('.').next().unwrap()).or_insert(Value::Null);
            for step in parameter.name.split('.').skip(1) {
                place = &mut place[step];
            }
            *place = serde_json::from_str(&text).unwrap();
        }
        fields.insert("locationId".into(), bridge.highlevel.location().into());
        bridge.highlevel.send_webhook(&trigger.result, fields.into());
    }
    bridge.settle().await;
    assert_all(&bridge, &contact, System::HighLevel).await;
}

/// Sends a signed webhook of the contract's, as a CASEpeer account would that tells more than the twin.
async fn tell(bridge: &TestBridge, kind: &str, edit: impl FnOnce(&mut Value)) {
    let mut body = sample::find(kind, &format!("evt-{kind}"), crate::support::START).unwrap();
    edit(&mut body);
    let body = body.to_string();
    let stamp = crate::support::START.parse::<jiff::Timestamp>().unwrap().as_second();
    let url = format!("{}/webhooks/casepeer/{}", bridge.installation.url, bridge.inbound_token());
    let answer = reqwest::Client::new()
        .post(url)
        .header(sign::TIMESTAMP_HEADER, stamp.to_string())
        .header(
            sign::SIGNATURE_HEADER,
            sign::sign(bridge.webhook_secret().as_bytes(), stamp, body.as_bytes()),
        )
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 202);
}

#[tokio::test]
async fn every_trigger_of_casepeer() {
    let bridge = TestBridge::start().await;
    bridge.highlevel.create_pipeline("Intake", &["In intake", "Signed", "Closed"]);
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    for trigger in triggers(System::CasePeer) {
        import(&bridge.installation, &marks(&trigger.id, &contact)).await;
    }
    let lead = bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    bridge.casepeer.update_lead(&lead, json!({ "case_type": "Slip and Fall" }));
    bridge.settle().await;
    let task = bridge
        .casepeer
        .create_task(&lead, casepeer::NewTask { title: "Call".into(), ..casepeer::NewTask::default() });
    bridge.casepeer.create_note(
        &lead,
        NewNote { body: "Called".into(), category: "Intake".into(), ..NewNote::default() },
    );
    bridge.settle().await;
    bridge.casepeer.complete_task(&task);
    bridge.settle().await;
    let case = bridge.casepeer.convert_lead(&lead);
    bridge.settle().await;
    bridge.casepeer.set_status(&case, "Treating");
    bridge.settle().await;
    let client = bridge.casepeer.lead(&lead).unwrap()["client"]["id"].clone();
    for kind in ["lead.converted", "lead.rejected", "contact.updated", "contact.merged"] {
        tell(&bridge, kind, |body| {
            if let Some(told) = body["data"].get_mut("lead") {
                told["id"] = lead.as_str().into();
            } else {
                body["data"]["contact"]["id"] = client.clone();
            }
        })
        .await;
    }
    bridge.settle().await;
    assert_all(&bridge, &contact, System::CasePeer).await;
}

#[tokio::test]
async fn every_trigger_of_the_bridge_itself() {
    let bridge = TestBridge::start().await;
    bridge.highlevel.create_pipeline("Intake", &["In intake", "Signed", "Closed"]);
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    for trigger in triggers(System::Casebridge) {
        import(&bridge.installation, &marks(&trigger.id, &contact).replace("'record'", "'event'")).await;
    }
    // A milestone.
    let lead = bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    let case = bridge.casepeer.convert_lead(&lead);
    bridge.settle().await;
    bridge.casepeer.set_status(&case, "Treating");
    bridge.settle().await;
    // Something undelivered.
    let rule = "id = 'broken'\nwhen = 'webhook.NoteCreate'\n[[then]]\naction = 'contacts.add-tags'\n\
        with = { contactId = 'nobody', tags = ['a'] }\n";
    import(&bridge.installation, rule).await;
    bridge.highlevel.create_note(&contact, "Called");
    bridge.settle().await;
    assert!(bridge.installation.count(EventState::Undelivered).await >= 1);
    // A question: a contact that may or may not be the lead's.
    let named = NewLead { email: "other@example.com".into(), phone: "+15125550100".into(), ..grace() };
    bridge.casepeer.create_lead(named);
    bridge.settle().await;
    // A secret that is old.
    bridge.installation.bridge.secret_ages().await.unwrap();
    bridge.installation.clock.advance(SignedDuration::from_hours(91 * 24));
    bridge.installation.bridge.tell_old_credentials().await.unwrap();
    bridge.settle().await;
    // A connection that is refused, and works again.
    bridge.casepeer.fault(Fault::status(401).times(4));
    bridge.highlevel.create_contact(person("late@example.com"));
    bridge.settle().await;
    bridge.casepeer.clear_faults();
    bridge.wait(SignedDuration::from_hours(1)).await;
    assert_all(&bridge, &contact, System::Casebridge).await;
}
