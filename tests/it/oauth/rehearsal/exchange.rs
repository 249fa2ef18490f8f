//! Every secret is exchanged for another while people go on with their work.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use casebridge::clock::Clock;
use casebridge::config;
use casebridge::store::SealedPlace;
use casebridge::webhook::casepeer::sign::sign;
use jiff::SignedDuration;

use super::{By, HOUR, World, file};

const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What senders prove themselves with, and the files the configuration first has them in.
#[derive(Clone)]
pub(super) struct Senders {
    /// At the end of CASEpeer's address.
    pub(super) inbound: String,
    /// CASEpeer's signatures.
    pub(super) signing: String,
    /// At the end of the Workflow's address.
    pub(super) workflow: String,
    /// In the Workflow's header.
    pub(super) header: String,
}

impl Senders {
    /// Those of this exchange; the first are as `configuration_text` writes them.
    fn of(time: u8) -> Self {
        let named = |name: &str| format!("{name}-of-exchange-{time}");
        Self {
            inbound: named("inbound"),
            signing: named("signing"),
            workflow: named("workflow"),
            header: named("header"),
        }
    }
}

/// Replaces the line of the configuration that begins so.
fn set(text: &str, key: &str, value: &str) -> String {
    let old = text.lines().find(|line| line.starts_with(key)).unwrap_or_else(|| panic!("no {key}"));
    text.replace(old, &format!("{key}{value}"))
}

impl World {
    /// The envelope key: the new one last, restart all; then first, restart all; seal anew; take the old one out.
    async fn change_key(&mut self, time: u8) {
        let secret = file(self.directory.path(), &format!("key-{time}"), &STANDARD.encode([time; 32]));
        let new = format!("{{ id = \"k-{time}\", secret = {secret} }}");
        let old = self.text.lines().find_map(|line| line.strip_prefix("keys = [")).unwrap();
        let old = old.trim_end_matches(']').to_owned();
        for keys in [format!("{old}, {new}"), format!("{new}, {old}")] {
            self.text = set(&self.text, "keys = [", &format!("{keys}]"));
            self.restart_all().await;
        }
        let store = self.instances[0].store.clone();
        for place in SealedPlace::ALL {
            let mut next = None;
            loop {
                next = store.reseal(place, next, 100).await.unwrap().next;
                if next.is_none() {
                    break;
                }
            }
        }
        assert_eq!(store.forget_keys().await.unwrap().len(), 1, "nothing is sealed with the old one");
        self.text = set(&self.text, "keys = [", &format!("{new}]"));
        self.restart_all().await;
    }

    /// The new one in a file of its own, and the one before, which is accepted for a week.
    fn exchanged(&self, name: &str, time: u8, secret: &str) -> String {
        let called = |time: u8| if time == 0 { name.to_owned() } else { format!("{name}-{time}") };
        let new = file(self.directory.path(), &called(time), secret);
        let old = self.directory.path().join(called(time - 1)).display().to_string();
        format!("[{new}, {{ file = {old:?}, until = \"{}\" }}]", self.clock.now() + WEEK)
    }

    /// What senders prove themselves with: both are accepted for a week, without a restart.
    async fn change_senders(&mut self, time: u8) {
        let new = Senders::of(time);
        let header = self.exchanged("workflow-header", time, &new.header);
        for (key, value) in [
            ("inbound_token = ", self.exchanged("inbound", time, &new.inbound)),
            ("webhook_secrets = ", self.exchanged("webhook", time, &new.signing)),
            ("workflow_token = ", self.exchanged("workflow", time, &new.workflow)),
            ("workflow_header = ", format!("{{ name = \"X-Bridge-Secret\", secret = {header} }}")),
        ] {
            self.text = set(&self.text, key, &value);
        }
        let config = config::parse("test.toml", &self.text, &Vec::new()).unwrap();
        for instance in &self.instances {
            instance.bridge.reload(&config).unwrap();
        }
        // The senders do not know of it yet, and then do.
        self.traffic().await;
        self.senders = new;
        self.traffic().await;
    }

    /// What the bridge proves itself with: the vendors take both until every instance was restarted.
    async fn change_credentials(&mut self, time: u8) {
        let (highlevel, casepeer) = (self.twin.highlevel.clone(), self.twin.casepeer.clone());
        let called = |name: &str, time: u8| match (name, time) {
            ("client", 0) => "twin-secret".to_owned(),
            (_, 0) => "twin-token".to_owned(),
            _ => format!("{name}-{time}"),
        };
        let both = |name: &str| [called(name, time), called(name, time - 1)];
        let [client, old_client] = both("client");
        let ([pit, old_pit], [bearer, old_bearer]) = (both("pit"), both("bearer"));
        highlevel.accept_token(&pit);
        casepeer.accept_token(&bearer);
        highlevel.set_client_secrets(&[&client, &old_client]);
        casepeer.set_client_secrets(&[&client, &old_client]);
        let files = match self.by {
            By::Browser => [("client-secret", &client), ("account-secret", &client)],
            By::Tokens => [("token", &pit), ("bearer", &bearer)],
        };
        for (name, secret) in files {
            file(self.directory.path(), name, secret);
        }
        // With every instance restarted for the envelope key's sake, no further restart is needed.
        self.change_key(time).await;
        highlevel.set_client_secrets(&[&client]);
        casepeer.set_client_secrets(&[&client]);
        self.clock.advance(HOUR);
        self.traffic().await;
        highlevel.revoke_token(&old_pit);
        casepeer.revoke_token(&old_bearer);
    }

    pub(super) async fn change_every_secret(&mut self, time: u8) {
        self.change_credentials(time).await;
        self.change_senders(time).await;
        if self.by == By::Browser && time == 2 {
            self.connect().await;
        }
    }

    /// What was exchanged opens nothing any more.
    pub(super) async fn assert_the_old_is_refused(&self) {
        let contact = self.twin.highlevel.contacts()[0]["id"].as_str().unwrap().to_owned();
        let (new, old) = (&self.senders, Senders::of(1));
        assert_eq!(self.workflow(&contact, &Senders { workflow: old.workflow, ..new.clone() }).await, 404);
        assert_eq!(self.workflow(&contact, &Senders { header: old.header, ..new.clone() }).await, 401);
        for (inbound, expected) in [(&old.inbound, 404), (&new.inbound, 401)] {
            let url = format!("{}/webhooks/casepeer/{inbound}", self.instances[0].url);
            let now = self.clock.now().as_second();
            let sending = self.http.post(url).body("{}").header("X-Casepeer-Timestamp", now);
            let signature = sign(old.signing.as_bytes(), now, b"{}");
            let answer = sending.header("X-Casepeer-Signature", signature).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), expected);
        }
    }
}
