//! The samples: which one a name means, and its body for one delivery.

use serde_json::{Map, Value, json};

use crate::webhook::{casepeer, highlevel};

/// HighLevel's samples whose name is not the type they are sent with.
const OTHER_NAMES: [(&str, &str); 4] = [
    ("AppInstall", "INSTALL"),
    ("AppUninstall", "UNINSTALL"),
    ("ConversationUnreadWebhook", "ConversationUnreadUpdate"),
    ("PlanChange", "PLAN_CHANGE"),
];

/// The vendor's sample of a Workflow's webhook.
const WORKFLOW_SAMPLE: &str = "Workflow_outbound_webhook";

/// A sample webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sample {
    /// Of a HighLevel Marketplace app.
    App {
        /// The type it is sent with.
        kind: &'static str,
        /// HighLevel's own text of it.
        text: &'static str,
    },
    /// Of a HighLevel Workflow.
    Workflow,
    /// Of the CASEpeer side.
    CasePeer {
        /// The event.
        event: &'static str,
    },
}

/// What distinguishes one delivery of a sample from another.
#[derive(Debug, Clone, Default)]
pub(super) struct Particulars {
    /// The HighLevel location it names.
    pub(super) location: Option<String>,
    /// The record it is about.
    pub(super) record: Option<String>,
    /// Whether HighLevel's record lies under `data`.
    pub(super) is_wrapped: bool,
    /// The delivery's own id.
    pub(super) delivery_id: String,
    /// When it happened.
    pub(super) at: String,
}

impl Sample {
    /// The sample of this name, in any case.
    pub(super) fn find(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("workflow") || name.eq_ignore_ascii_case(WORKFLOW_SAMPLE) {
            return Some(Self::Workflow);
        }
        if let Some(event) = casepeer::EVENTS.iter().find(|event| event.eq_ignore_ascii_case(name)) {
            return Some(Self::CasePeer { event });
        }
        let exact = apps().find(|(sample, _, _)| sample.contains('.') && sample.eq_ignore_ascii_case(name));
        if let Some((_, kind, text)) = exact {
            return Some(Self::App { kind, text });
        }
        // Of several samples of one type, the first that carries the type: one is a form with its blanks unfilled.
        let mut of_type = apps().filter(|(sample, kind, _)| {
            kind.eq_ignore_ascii_case(name) || (!sample.contains('.') && sample.eq_ignore_ascii_case(name))
        });
        let (_, kind, first) = of_type.next()?;
        let carries_type = |text: &str| text.contains(&format!("\"type\": \"{kind}\""));
        let text = Some(first).filter(|text| carries_type(text));
        let text = text.or_else(|| {
            let mut others = apps().filter(|(_, other, text)| *other == kind && carries_type(text));
            others.next().map(|(_, _, text)| text)
        });
        Some(Self::App { kind, text: text.unwrap_or(first) })
    }

    /// Every name, and whose it is.
    pub(super) fn names() -> Vec<(&'static str, &'static str)> {
        let apps = apps().map(|(sample, kind, _)| {
            // Of a numbered sample the number matters, of the others the type.
            (if sample.contains('.') { sample } else { kind }, "HighLevel, Marketplace app")
        });
        let events = casepeer::EVENTS.iter().map(|event| (*event, "CASEpeer"));
        apps.chain([("workflow", "HighLevel, Workflow")]).chain(events).collect()
    }

    /// The body of one delivery.
    pub(super) fn body(self, particulars: &Particulars) -> Value {
        match self {
            Self::App { kind, text } => app_body(kind, text, particulars),
            Self::Workflow => {
                let text = highlevel::sample::find(WORKFLOW_SAMPLE).expect("the Workflow's sample is there");
                let mut body = object(text);
                if let Some(location) = &particulars.location {
                    body["location"]["id"] = json!(location);
                }
                if let Some(record) = &particulars.record {
                    body.insert("contact_id".into(), json!(record));
                }
                Value::Object(body)
            }
            Self::CasePeer { event } => {
                let body = casepeer::sample::find(event, &particulars.delivery_id, &particulars.at);
                let mut body = body.expect("every event of the contract has a sample");
                let kind = event.split('.').next().unwrap_or(event);
                if let Some(record) = &particulars.record {
                    body["data"][kind]["id"] = json!(record);
                }
                body
            }
        }
    }
}

/// A Marketplace app's samples: name, type, text.
fn apps() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let apps = highlevel::sample::SAMPLES.iter().filter(|(name, _)| *name != WORKFLOW_SAMPLE);
    apps.map(|(name, text)| {
        let base = name.split('.').next().unwrap_or(name);
        let kind = OTHER_NAMES.iter().find(|(other, _)| *other == base).map_or(base, |(_, kind)| kind);
        (*name, kind, *text)
    })
}

fn app_body(kind: &str, text: &str, particulars: &Particulars) -> Value {
    let mut record = object(text);
    // Some samples carry no type or another's; live webhooks carry their own.
    record.insert("type".into(), json!(kind));
    if let Some(location) = &particulars.location {
        let is_alternative = record.get("altType").is_some_and(|kind| kind == "location");
        if is_alternative {
            record.insert("altId".into(), json!(location));
        }
        if !is_alternative || record.contains_key("locationId") {
            record.insert("locationId".into(), json!(location));
        }
    }
    if let Some(id) = &particulars.record {
        let is_underscored = record.contains_key("_id");
        match record.get_mut("appointment") {
            Some(appointment) => appointment["id"] = json!(id),
            None => drop(record.insert(if is_underscored { "_id" } else { "id" }.into(), json!(id))),
        }
    }
    let mut delivery = Map::new();
    if particulars.is_wrapped {
        for key in ["type", "locationId", "appId"] {
            delivery.extend(record.remove_entry(key));
        }
        delivery.insert("data".into(), Value::Object(record));
    } else {
        delivery = record;
    }
    delivery.insert("webhookId".into(), json!(particulars.delivery_id));
    delivery.insert("timestamp".into(), json!(particulars.at));
    Value::Object(delivery)
}

fn object(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).expect("samples are JSON objects")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::highlevel::{Keys, Signatures, read_envelope, sign::SigningKey, verify};

    fn particulars() -> Particulars {
        Particulars {
            delivery_id: "d-1".into(),
            at: "2026-11-24T12:00:00.000Z".into(),
            ..Particulars::default()
        }
    }

    fn envelope(body: &Value) -> crate::webhook::Envelope {
        let key = SigningKey::from_seed(&[7; 32]);
        let keys = Keys::parse([format!("ed25519:{}", key.public_key()).as_str()], false).unwrap();
        let body = body.to_string();
        let signature = key.sign(body.as_bytes());
        let signatures = Signatures { ed25519: Some(&signature), legacy_rsa: None };
        read_envelope(verify(&keys, signatures, body.into()).unwrap().body()).unwrap()
    }

    #[test]
    fn every_documented_type_is_sent_under_its_own_name() {
        let particulars = Particulars { location: Some("my-location".into()), ..particulars() };
        for kind in highlevel::DOCUMENTED {
            for name in [kind.to_owned(), kind.to_lowercase()] {
                let sample = Sample::find(&name).unwrap_or_else(|| panic!("{name} has no sample"));
                for is_wrapped in [false, true] {
                    let read = envelope(&sample.body(&Particulars { is_wrapped, ..particulars.clone() }));
                    assert_eq!(read.kind, kind);
                    assert_eq!(read.tenant.as_deref(), Some("my-location"), "{kind}");
                    assert_eq!(read.delivery_id.as_deref(), Some("d-1"), "{kind}");
                    assert_eq!(
                        read.sent_at.map(|at| at.to_string()).as_deref(),
                        Some("2026-11-24T12:00:00Z")
                    );
                }
            }
        }
    }

    #[test]
    fn every_listed_name_is_found_and_no_other() {
        let names = Sample::names();
        for (name, _) in &names {
            assert!(Sample::find(name).is_some(), "{name}");
        }
        assert_eq!(names.len(), highlevel::sample::SAMPLES.len() + casepeer::EVENTS.len());
        assert_eq!(Sample::find("ContactSneeze"), None);
    }

    #[test]
    fn a_sample_may_be_asked_for_by_its_own_name_and_number() {
        let kind_of = |name| match Sample::find(name) {
            Some(Sample::App { kind, text }) => (kind, text),
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(kind_of("AppInstall").0, "INSTALL");
        assert_eq!(kind_of("install").0, "INSTALL");
        assert_ne!(kind_of("AppInstall.2").1, kind_of("AppInstall").1);
        assert!(kind_of("UserCreate").1.contains("john"), "the first of them holds placeholders");
    }

    #[test]
    fn the_record_is_named_where_the_payload_names_it() {
        let particulars =
            Particulars { record: Some("r-1".into()), location: Some("l-1".into()), ..particulars() };
        let cases = [
            ("ContactCreate", "/id"),
            ("AppointmentUpdate", "/appointment/id"),
            ("InvoicePaid", "/_id"),
            ("workflow", "/contact_id"),
            ("case.status_changed", "/data/case/id"),
            ("note.created", "/data/note/id"),
        ];
        for (name, place) in cases {
            let body = Sample::find(name).unwrap().body(&particulars);
            assert_eq!(body.pointer(place), Some(&json!("r-1")), "{name}");
        }
        let workflow = Sample::Workflow.body(&particulars);
        assert_eq!(workflow["location"]["id"], "l-1");
        let event = Sample::find("lead.created").unwrap().body(&particulars);
        assert_eq!((&event["id"], &event["type"]), (&json!("d-1"), &json!("lead.created")));
    }
}
