//! The rehearsal: a firm is connected in the browser on both sides and runs for a year on two instances, every secret is
//! exchanged meanwhile by the steps that the program prints, and no webhook is lost and no call made with a dead token.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use casebridge::bridge::{Bridge, Worker, WorkerOptions};
use casebridge::clock::ManualClock;
use casebridge::config;
use casebridge::domain::EventState;
use casebridge::http::{self, Listener, Readiness, Shared};
use casebridge::store::sqlite::SqliteStore;
use casebridge::store::{EventFilter, SealedPlace, SharedStore};
use casebridge::twin::{NewContact, NewLead, Twin, TwinConfig};
use jiff::SignedDuration;
use tempfile::TempDir;

use super::{ALL, Browser, PUBLIC, account};
use crate::store::PostgresDatabase;
use crate::support::{SYNC, clock};

const FIRST_KEY: (&str, &str) = ("k1", "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=");
const SECOND_KEY: (&str, &str) = ("k2", "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=");
/// How long a year is stepped through: each token of HighLevel's lasts two steps, each of CASEpeer's ends in every one.
const STEP: SignedDuration = SignedDuration::from_hours(12);
const STEPS: i64 = 2 * 365;

/// Every secret of the installation as it is at the moment.
struct Secrets {
    keys: Vec<(&'static str, &'static str)>,
    client_secret: &'static str,
    account_secret: &'static str,
    /// The private tokens; none while the location is connected in the browser.
    private: Vec<&'static str>,
    workflow: &'static str,
    inbound: &'static str,
    webhook: Vec<&'static str>,
}

impl Secrets {
    /// The configuration, each secret in a file that is called by it.
    fn text(&self, twin: &Twin, directory: &Path) -> String {
        let secret = |value: &str| {
            let path = directory.join(hex::encode(value));
            std::fs::write(&path, value).unwrap();
            format!("{{ file = {:?} }}", path.display().to_string())
        };
        let list = |values: &[&str]| values.iter().map(|value| secret(value)).collect::<Vec<_>>().join(", ");
        let keys = self.keys.iter().map(|(id, key)| format!("{{ id = {id:?}, secret = {} }}", secret(key)));
        let token = match &self.private[..] {
            [] => "oauth = true".to_owned(),
            tokens => format!("tokens = [{}]", list(tokens)),
        };
        format!(
            r#"
[server]
public_url = "{PUBLIC}"
[crypto]
keys = [{keys}]
[highlevel]
base_url = "{highlevel}"
authorize_url = "{highlevel}/v2/oauth/chooselocation"
webhook_keys = ["ed25519:{key}"]
client_id = "twinapp0000000000000000a-x"
client_secret = {client_secret}
scopes = {ALL}
[[firms]]
id = "acme"
[firms.highlevel]
location_id = "{location}"
{token}
workflow_token = {workflow}
[firms.casepeer]
base_url = "{casepeer}"
inbound_token = {inbound}
webhook_secrets = [{webhook}]
[firms.casepeer.auth]
kind = "oauth2_authorization_code"
client_id = "twin-client"
client_secret = {account_secret}
authorize_url = "{casepeer}/oauth/authorize"
token_url = "{casepeer}/oauth/token"
{SYNC}
"#,
            keys = keys.collect::<Vec<_>>().join(", "),
            highlevel = twin.highlevel.url(),
            key = twin.highlevel.public_key(),
            client_secret = secret(self.client_secret),
            location = twin.highlevel.location(),
            workflow = secret(self.workflow),
            casepeer = twin.casepeer.url(),
            inbound = secret(self.inbound),
            webhook = list(&self.webhook),
            account_secret = secret(self.account_secret),
        )
    }
}

/// A running process: a bridge of its own on a store of its own over the one database.
struct Instance {
    bridge: Arc<Bridge>,
    store: SharedStore,
    worker: Worker,
    public: Listener,
}

struct Rehearsal {
    twin: Twin,
    clock: Arc<ManualClock>,
    secrets: Secrets,
    instances: Vec<Instance>,
    people: usize,
    /// The calls of a Workflow's webhook action that were answered with 2xx.
    workflow_calls: usize,
    directory: TempDir,
    database: Option<PostgresDatabase>,
}

impl Rehearsal {
    async fn begin() -> Self {
        let clock = clock();
        let twin = TwinConfig { unlimited: true, ..TwinConfig::new(clock.clone()) };
        let secrets = Secrets {
            keys: vec![FIRST_KEY],
            client_secret: "twin-secret",
            account_secret: "twin-secret",
            private: Vec::new(),
            workflow: "workflow-token-of-acme",
            inbound: "twin-inbound",
            webhook: vec!["twin-webhook-secret"],
        };
        let mut all = Self {
            twin: Twin::start(twin).await.unwrap(),
            clock,
            secrets,
            instances: Vec::new(),
            people: 0,
            workflow_calls: 0,
            directory: TempDir::new().unwrap(),
            database: PostgresDatabase::create().await,
        };
        for _ in 0..2 {
            let started = all.start().await;
            all.instances.push(started);
        }
        all.point_vendors_at(0);
        all
    }

    async fn start(&self) -> Instance {
        let text = self.secrets.text(&self.twin, self.directory.path());
        let config = config::parse("rehearsal.toml", &text, &Vec::new()).unwrap();
        let keyring = Arc::new(config.crypto.keyring().unwrap());
        let store: SharedStore = match &self.database {
            Some(database) => Arc::new(database.open(&self.clock, keyring.clone()).await),
            None => {
                let path = self.directory.path().join("bridge.db");
                Arc::new(SqliteStore::open(&path, keyring.clone(), self.clock.clone()).unwrap())
            }
        };
        let bridge = Bridge::new(&config, store.clone(), keyring, self.clock.clone()).unwrap();
        let bridge = Arc::new(bridge);
        let readiness = Readiness::default();
        let shared = Arc::new(Shared::new(bridge.clone(), readiness.clone(), None));
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let public = Listener::serve(Listener::bind(anywhere).unwrap(), http::public(shared)).unwrap();
        readiness.ready();
        let name = format!("worker {}", uuid::Uuid::now_v7());
        let worker = Worker::new(bridge.clone(), &name, WorkerOptions::default());
        Instance { bridge, store, worker, public }
    }

    fn url(&self, instance: usize) -> String {
        format!("http://{}", self.instances[instance].public.address())
    }

    /// The load balancer sends webhooks to this instance.
    fn point_vendors_at(&self, instance: usize) {
        // Who sends CASEpeer's webhooks is given the newest secret.
        let (inbound, webhook) = (self.secrets.inbound, self.secrets.webhook[0]);
        self.twin.set_bridge_by(&self.url(instance), inbound, webhook);
    }

    /// Starts both instances anew, one after the other, while webhooks come in.
    async fn restart(&mut self) {
        for at in 0..2 {
            self.tell_of_somebody(1 - at).await;
            let started = self.start().await;
            let stopped = std::mem::replace(&mut self.instances[at], started);
            stopped.public.stop(std::time::Duration::from_secs(5)).await;
            stopped.worker.release().await;
            self.settle().await;
        }
        self.tell_of_somebody(0).await;
        self.settle().await;
    }

    /// Somebody new in each system, and a call of a Workflow, told to this instance.
    async fn tell_of_somebody(&mut self, instance: usize) {
        self.point_vendors_at(instance);
        let number = self.people;
        self.people += 1;
        let contact = self.twin.highlevel.create_contact(NewContact {
            first_name: format!("Ada{number}"),
            last_name: "Byron".into(),
            email: format!("ada{number}@example.com"),
            ..NewContact::default()
        });
        self.twin.casepeer.create_lead(NewLead {
            first_name: format!("Grace{number}"),
            last_name: "Hopper".into(),
            email: format!("grace{number}@example.com"),
            ..NewLead::default()
        });
        self.twin.flush().await;
        let url = format!("{}/webhooks/highlevel/{}", self.url(instance), self.secrets.workflow);
        let body = serde_json::json!({ "contact_id": contact, "location": { "id": self.twin.highlevel.location() } });
        let answer = reqwest::Client::new().post(url).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
        self.workflow_calls += 1;
    }

    async fn settle(&self) {
        for _ in 0..100 {
            self.twin.flush().await;
            let (one, other) = tokio::join!(self.instances[0].worker.step(), self.instances[1].worker.step());
            if one.unwrap() + other.unwrap() == 0 {
                return;
            }
        }
        panic!("events and echoes do not come to an end");
    }

    /// Time passes, and both instances look whether a token is due: one after the other, and sometimes at one moment, when
    /// one has to wait for the other.
    async fn step(&self, number: i64) {
        self.clock.advance(STEP);
        let (one, other) = (self.instances[0].bridge.clone(), self.instances[1].bridge.clone());
        let keep = |bridge: Arc<Bridge>| tokio::spawn(async move { bridge.keep_connections().await });
        match number % 20 {
            0 => {
                let (one, other) = tokio::join!(keep(one), keep(other));
                one.unwrap();
                other.unwrap();
            }
            number => {
                let (first, second) = if number % 2 == 0 { (one, other) } else { (other, one) };
                first.keep_connections().await;
                second.keep_connections().await;
            }
        }
    }

    /// Seals everything anew with the first key, as `casebridge secrets rotate key` does.
    async fn seal_anew(&self) {
        let store = &self.instances[0].store;
        for place in SealedPlace::ALL {
            let mut next = None;
            loop {
                let step = store.reseal(place, next, 100).await.unwrap();
                next = step.next;
                if next.is_none() {
                    break;
                }
            }
        }
        assert_eq!(store.forget_keys().await.unwrap(), ["k1"]);
    }

    /// Connects the firm on one side by a browser that follows redirects.
    async fn connect(&self, link: String) {
        let mut browser = Browser::at(&self.url(1));
        let back = browser.leave(&link).await;
        let page = browser.open(back.as_str()).await;
        assert_eq!(page.status, 200, "{}", page.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_year_with_every_secret_exchanged_loses_no_webhook_and_calls_with_no_dead_token() {
    let mut all = Rehearsal::begin().await;
    // The link is made by one instance, and the browser comes to the other.
    all.connect(super::link(&all.instances[0].bridge).await).await;
    all.connect(account::link(&all.instances[0].bridge).await).await;
    for step in 1..=STEPS {
        all.step(step).await;
        if step % 28 == 0 {
            all.tell_of_somebody(usize::try_from(step / 28 % 2).unwrap()).await;
            all.settle().await;
        }
        match step {
            // The webhook secret: both, then the sender's, then the new one alone.
            60 => {
                all.secrets.webhook = vec!["twin-webhook-secret", "webhook-secret-of-march"];
                all.restart().await;
                all.secrets.webhook.reverse();
                all.tell_of_somebody(0).await;
                all.secrets.webhook.truncate(1);
                all.restart().await;
            }
            // The tokens of the addresses: whoever sends is told the new one while both instances are exchanged, which
            // is why they are exchanged before it is told.
            120 => {
                (all.secrets.inbound, all.secrets.workflow) = ("inbound-of-may", "workflow-of-may");
                let started = [all.start().await, all.start().await];
                all.instances = started.into();
                all.tell_of_somebody(0).await;
                all.settle().await;
            }
            // The app's client secret: HighLevel lets both live.
            180 => {
                all.twin.highlevel.set_client_secrets(&["twin-secret", "client-secret-of-july"]);
                all.secrets.client_secret = "client-secret-of-july";
                all.restart().await;
                all.twin.highlevel.set_client_secrets(&["client-secret-of-july"]);
            }
            // The key: known everywhere before it seals, and the old one until nothing is sealed with it.
            300 => {
                all.secrets.keys = vec![FIRST_KEY, SECOND_KEY];
                all.restart().await;
                all.secrets.keys.reverse();
                all.restart().await;
                all.seal_anew().await;
                all.secrets.keys.truncate(1);
                all.restart().await;
            }
            // A private token in place of the browser's connection, and another in place of that.
            420 => {
                all.twin.highlevel.accept_token("pit-of-november");
                all.secrets.private = vec!["pit-of-november"];
                all.restart().await;
            }
            480 => {
                all.twin.highlevel.accept_token("pit-of-december");
                all.secrets.private.insert(0, "pit-of-december");
                all.restart().await;
                all.secrets.private.truncate(1);
                all.restart().await;
                all.twin.highlevel.revoke_token("pit-of-november");
            }
            // Back to the browser's, whose refresh token has lain unused meanwhile.
            540 => {
                all.secrets.private.clear();
                all.restart().await;
            }
            _ => {}
        }
    }
    let (highlevel, casepeer) = (all.twin.highlevel.oauth_counts(), all.twin.casepeer.oauth_counts());
    assert_eq!(
        (highlevel.dead_calls, highlevel.refused, highlevel.reconnects, highlevel.codes),
        (0, 0, 0, 1)
    );
    assert_eq!((casepeer.dead_calls, casepeer.refused, casepeer.codes), (0, 0, 1));
    // Once in every step, whichever of the two instances it was.
    assert_eq!(casepeer.refreshes, usize::try_from(STEPS).unwrap());
    // A day each, but for the months with private tokens.
    assert!((300..=365).contains(&highlevel.refreshes), "{highlevel:?}");
    assert_eq!(highlevel.repeats, 0);

    let store = &all.instances[0].store;
    let counts = store.counts().await.unwrap();
    assert_eq!((counts.of(EventState::Undelivered), counts.pending()), (0, 0));
    assert_eq!(all.twin.casepeer.leads().len(), 2 * all.people);
    assert_eq!(all.twin.highlevel.contacts().len(), 2 * all.people);
    // What was sent was taken, and what was taken is there.
    let sent = [all.twin.highlevel.deliveries(), all.twin.casepeer.deliveries()].concat();
    for delivery in &sent {
        let is_taken = delivery.last_status.is_some_and(|status| (200..300).contains(&status));
        assert!(is_taken, "{delivery:?}");
    }
    let filter = EventFilter { limit: 100_000, ..EventFilter::default() };
    assert_eq!(store.events(filter).await.unwrap().len(), sent.len() + all.workflow_calls);
    assert!(all.people > 40);
}
