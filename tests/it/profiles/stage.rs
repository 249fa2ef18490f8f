//! A bridge between the twin's HighLevel and a CASEpeer side of some profile.

use std::sync::Arc;

use casebridge::clock::Clock;
use casebridge::clock::{ManualClock, SystemClock};
use casebridge::operations::casepeer::Profile;
use casebridge::twin::{Fault, HighLevel, Misbehaviour, NewContact, NewLead, NewNote, Twin, TwinConfig};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::stub::mycase;
use crate::support::{Installation, SYNC, SecretFiles, Vendors, clock};

/// What is on the other side.
pub enum Side {
    /// The twin: by the contract or by its JSON:API dialect.
    Twin,
    /// Zaps: the twin's hook takes what is handed over, and what a Zap would post is told here.
    Zaps,
    /// MyCase, as its documentation has it.
    MyCase(mycase::Stub),
}

/// One of the profiles under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Contract,
    Zapier,
    MyCase,
    JsonApi,
}

pub struct Stage {
    pub shape: Shape,
    pub profile: Profile,
    pub highlevel: HighLevel,
    pub side: Side,
    pub twin: Twin,
    pub installation: Installation,
}

impl Shape {
    /// The profile, as its file has it.
    pub fn profile(self) -> Profile {
        match self {
            Self::Contract => Profile::built_in("contract-v1").unwrap(),
            Self::Zapier => Profile::built_in("zapier").unwrap(),
            Self::MyCase => Profile::parse("mycase.toml", include_str!("mycase.toml")).unwrap(),
            Self::JsonApi => Profile::parse("jsonapi.toml", include_str!("jsonapi.toml")).unwrap(),
        }
    }

    /// The value of `profile`: a built-in one's name, or a file.
    fn named(self) -> String {
        let file = |name: &str| format!("{}/tests/it/profiles/{name}", env!("CARGO_MANIFEST_DIR"));
        match self {
            Self::Contract => "contract-v1".into(),
            Self::Zapier => "zapier".into(),
            Self::MyCase => file("mycase.toml"),
            Self::JsonApi => file("jsonapi.toml"),
        }
    }
}

impl Stage {
    pub async fn set(shape: Shape) -> Self {
        // The stub stamps what it keeps by the system's clock.
        let clock =
            if shape == Shape::MyCase { Arc::new(ManualClock::at(SystemClock.now())) } else { clock() };
        let config = TwinConfig { unlimited: true, ..TwinConfig::new(clock.clone()) };
        let secrets = (config.inbound_token.clone(), config.webhook_secret.clone());
        let twin = Twin::start(config).await.unwrap();
        if twin.highlevel.pipelines().iter().all(|pipeline| pipeline["name"] != "Intake") {
            twin.highlevel.create_pipeline("Intake", &["In intake", "Signed", "Closed"]);
        }
        let side = match shape {
            Shape::MyCase => Side::MyCase(mycase::Stub::start("twin-token").await),
            Shape::Zapier => Side::Zaps,
            _ => Side::Twin,
        };
        let url = match (&side, shape) {
            (Side::MyCase(stub), _) => stub.url(),
            (_, Shape::JsonApi) => twin.casepeer.jsonapi_url(),
            _ => twin.casepeer.url(),
        };
        let highlevel_url = twin.highlevel.url();
        let vendors = Vendors {
            highlevel_url: &highlevel_url,
            highlevel_key: &twin.highlevel.public_key(),
            location: twin.highlevel.location(),
            highlevel_token: "twin-token",
            casepeer_url: &url,
            casepeer_token: "twin-token",
            inbound_token: &secrets.0,
            webhook_secret: &secrets.1,
        };
        let hook = twin.casepeer.zap_url();
        let lines = |secret: &SecretFiles<'_>| {
            let profile = shape.named();
            if shape == Shape::Zapier {
                let hook = secret("hook", &hook);
                return format!(
                    "profile = {profile:?}\nauth = {{ kind = \"none\" }}\nhooks = {{ \"lead.create\" = {hook} }}"
                );
            }
            let bearer = secret("bearer", "twin-token");
            format!(
                "profile = {profile:?}\nbase_url = {url:?}\nauth = {{ kind = \"bearer_static\", token = {bearer} }}"
            )
        };
        let installation = Installation::start_by_profile(&vendors, &lines, SYNC, clock);
        twin.set_bridge(&installation.url);
        Self { shape, profile: shape.profile(), highlevel: twin.highlevel.clone(), side, twin, installation }
    }

    /// Delivers every webhook and takes every turn that is due, until neither is left.
    pub async fn settle(&self) {
        for _ in 0..100 {
            self.twin.flush().await;
            if self.installation.step().await == 0 {
                return;
            }
        }
        panic!("events and echoes do not come to an end");
    }

    pub async fn wait(&self, span: SignedDuration) {
        self.installation.clock.advance(span);
        self.settle().await;
    }

    /// Ada, in HighLevel.
    pub async fn ada(&self) -> String {
        let contact = self.highlevel.create_contact(crate::story::ada());
        self.settle().await;
        contact
    }

    /// The people CASEpeer has, or a Zap was handed: first name, last name, e-mail, phone, city.
    pub fn people(&self) -> Vec<[String; 5]> {
        let text = |record: &Value, path: &str| {
            record.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let read = |records: Vec<Value>, paths: [&str; 5]| {
            records.iter().map(|record| paths.map(|path| text(record, path))).collect()
        };
        match &self.side {
            Side::MyCase(stub) => read(
                stub.leads(),
                ["/first_name", "/last_name", "/email", "/cell_phone_number", "/address/city"],
            ),
            Side::Zaps => read(
                self.twin.casepeer.hand_offs(),
                ["/first_name", "/last_name", "/email", "/phone", "/city"],
            ),
            Side::Twin => read(
                self.twin.casepeer.leads(),
                [
                    "/client/first_name",
                    "/client/last_name",
                    "/client/email",
                    "/client/phone",
                    "/client/address/city",
                ],
            ),
        }
    }

    /// How many creates and changes the CASEpeer side carried out.
    pub fn writes(&self) -> usize {
        match &self.side {
            Side::MyCase(stub) => stub.writes(),
            Side::Twin | Side::Zaps => self.twin.casepeer.writes(),
        }
    }

    /// Grace enters CASEpeer as a lead; its id. The system's webhook goes out.
    pub async fn grace(&self) -> String {
        let id = match &self.side {
            Side::Twin => self.twin.casepeer.create_lead(crate::story::grace()),
            Side::MyCase(stub) => stub.add_lead(json!({ "first_name": "Grace", "last_name": "Hopper",
                "email": "grace@example.com", "cell_phone_number": "+15125550199" })),
            Side::Zaps => "CP-1".into(),
        };
        self.tell("lead.created", "lead", &id, &json!({})).await;
        id
    }

    /// A lead's city is changed in CASEpeer.
    pub async fn move_lead(&self, id: &str, city: &str) {
        match &self.side {
            Side::Twin => {
                let client = json!({ "client": { "address": { "city": city } } });
                self.twin.casepeer.update_lead(id, client);
            }
            Side::MyCase(stub) => stub.change_lead(id, json!({ "address": { "city": city } })),
            Side::Zaps => {}
        }
        self.tell("lead.updated", "lead", id, &json!({ "city": city })).await;
    }

    /// A case for Grace in this status; its id.
    pub async fn graces_case(&self, status: &str) -> String {
        let id = match &self.side {
            Side::Twin => {
                let new = casebridge::twin::NewCase {
                    first_name: "Grace".into(),
                    last_name: "Hopper".into(),
                    email: "grace@example.com".into(),
                    phone: "+15125550199".into(),
                    case_type: "Auto Accident".into(),
                    status: status.into(),
                    ..Default::default()
                };
                self.twin.casepeer.create_case(new)
            }
            Side::MyCase(stub) => {
                let client = json!({ "first_name": "Grace", "last_name": "Hopper", "email": "grace@example.com",
                    "cell_phone_number": "+15125550199", "address": {} });
                stub.add_case(client, status)
            }
            Side::Zaps => "CP-2".into(),
        };
        self.tell("case.created", "case", &id, &json!({ "status": status })).await;
        id
    }

    /// A case moves to another status.
    pub async fn set_status(&self, case: &str, status: &str) {
        match &self.side {
            Side::Twin => self.twin.casepeer.set_status(case, status),
            Side::MyCase(stub) => stub.set_stage(case, status),
            Side::Zaps => {}
        }
        self.tell("case.status_changed", "case", case, &json!({ "status": status })).await;
    }

    /// The city of Grace's case's client.
    pub fn clients_city(&self) -> String {
        let city = match &self.side {
            Side::Twin | Side::Zaps => self.twin.casepeer.cases()[0].pointer("/client/address/city").cloned(),
            Side::MyCase(stub) => stub.clients()[0].pointer("/address/city").cloned(),
        };
        city.and_then(|city| city.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// The notes of every lead and case.
    pub fn notes(&self) -> Vec<String> {
        let (notes, field) = match &self.side {
            Side::Twin | Side::Zaps => (self.twin.casepeer.notes(), "body"),
            Side::MyCase(stub) => (stub.notes(), "note"),
        };
        notes.iter().map(|note| note[field].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// A person writes a note on a lead, of a category that is shared.
    pub async fn note_on(&self, lead: &str, body: &str) {
        let note = NewNote { body: body.into(), category: "Intake".into(), ..NewNote::default() };
        self.twin.casepeer.create_note(lead, note);
        self.settle().await;
    }

    /// The next create on the CASEpeer side is carried out, and its answer is lost.
    pub fn lose_next_create(&self) {
        let path = if self.shape == Shape::Zapier { "/catch" } else { "/leads" };
        match &self.side {
            Side::MyCase(stub) => stub.lose_next_create(),
            Side::Twin | Side::Zaps => {
                let lost = Misbehaviour::TimeoutAfter { hold_milliseconds: 0 };
                let mut fault = Fault::new(lost);
                (fault.method, fault.path) = (Some("POST".into()), path.into());
                self.twin.casepeer.fault(fault);
            }
        }
    }

    /// Tells the bridge of a change as an adapter or a Zap would; the twin does so by itself.
    async fn tell(&self, event: &str, kind: &str, id: &str, said: &Value) {
        match &self.side {
            Side::Twin => {}
            Side::MyCase(_) => {
                let now = self.installation.clock.now();
                let record = json!({ "id": id, "status": said["status"] });
                let body = json!({ "id": uuid::Uuid::now_v7().to_string(), "type": event,
                    "occurred_at": now.to_string(), "account_id": "firm-1", "data": { kind: record } });
                self.deliver(&body).await;
            }
            Side::Zaps => {
                // Flat, and all that the Zap's trigger has of Grace.
                let mut body = json!({ "type": event, format!("{kind}_id"): id, "first_name": "Grace",
                    "last_name": "Hopper", "email": "grace@example.com", "phone": "+15125550199",
                    "case_type": "Auto Accident" });
                for (key, value) in said.as_object().into_iter().flatten() {
                    body[key] = value.clone();
                }
                self.deliver(&body).await;
            }
        }
        self.settle().await;
    }

    async fn deliver(&self, body: &Value) {
        let bytes = serde_json::to_vec(body).unwrap();
        let stamp = self.installation.clock.now().as_second();
        let signature = casebridge::webhook::casepeer::sign::sign(b"twin-webhook-secret", stamp, &bytes);
        let answer = reqwest::Client::new()
            .post(format!("{}/webhooks/casepeer/twin-inbound", self.installation.url))
            .header("x-casepeer-timestamp", stamp.to_string())
            .header("x-casepeer-signature", signature)
            .header("x-bridge-secret", "twin-webhook-secret")
            .body(bytes)
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    /// The tasks of every lead and case, and whether they are done.
    pub fn tasks(&self) -> Vec<(String, bool)> {
        let (tasks, title) = match &self.side {
            Side::Twin | Side::Zaps => (self.twin.casepeer.tasks(), "title"),
            Side::MyCase(stub) => (stub.tasks(), "name"),
        };
        let read =
            |task: &Value| (task[title].as_str().unwrap_or_default().to_owned(), task["completed"] == true);
        tasks.iter().map(read).collect()
    }

    /// A second contact like Grace.
    pub async fn contact_grace(&self) -> String {
        let contact = NewContact {
            first_name: "Grace".into(),
            last_name: "Hopper".into(),
            email: "grace@example.com".into(),
            ..NewContact::default()
        };
        let id = self.highlevel.create_contact(contact);
        self.settle().await;
        id
    }

    /// A lead of the twin's, for those that have one.
    pub fn like_grace() -> NewLead {
        crate::story::grace()
    }
}
