//! A year of a firm with two instances: tokens end daily and hourly and are renewed by both at once, every secret is
//! exchanged twice, what senders prove themselves with as well as what the bridge does, and each exchange goes as the
//! handbook says. No webhook is lost, no call is made with a token that is no good.

mod exchange;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use casebridge::bridge::{Bridge, Worker, WorkerOptions};
use casebridge::clock::ManualClock;
use casebridge::config;
use casebridge::domain::EventState;
use casebridge::http::{self, Listener, Readiness, Shared};
use casebridge::operations::casepeer::health;
use casebridge::operations::highlevel::get_location;
use casebridge::store::SharedStore;
use casebridge::twin::{NewContact, NewLead, Twin, TwinConfig};
use jiff::SignedDuration;
use tempfile::TempDir;

use self::exchange::Senders;
use super::{ALL, Browser, account, by_browser, link};
use crate::store::PostgresDatabase;
use crate::story::{ada, grace};
use crate::support::{Vendors, clock, configuration_text};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// How the firm proves itself to its vendors.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    /// By OAuth, connected in the browser on both sides.
    Browser,
    /// By a private token and a bearer, which people exchange.
    Tokens,
}

/// One process.
struct Instance {
    bridge: Arc<Bridge>,
    store: SharedStore,
    worker: Worker,
    public: Listener,
    url: String,
}

struct World {
    by: By,
    twin: Twin,
    clock: Arc<ManualClock>,
    directory: TempDir,
    database: PostgresDatabase,
    text: String,
    senders: Senders,
    http: reqwest::Client,
    instances: Vec<Instance>,
    people: usize,
}

fn file(directory: &Path, name: &str, secret: &str) -> String {
    std::fs::write(directory.join(name), secret).unwrap();
    format!("{{ file = {:?} }}", directory.join(name).display().to_string())
}

impl World {
    async fn begin(by: By) -> Option<Self> {
        let (database, clock) = (PostgresDatabase::create().await?, clock());
        database.hurry().await;
        let config = TwinConfig { unlimited: true, ..TwinConfig::new(clock.clone()) };
        let senders = Senders {
            inbound: config.inbound_token.clone(),
            signing: config.webhook_secret.clone(),
            workflow: "workflow-token-of-acme".into(),
            header: "workflow-secret".into(),
        };
        let twin = Twin::start(config).await.unwrap();
        let directory = TempDir::new().unwrap();
        let (highlevel, casepeer) = (twin.highlevel.url(), twin.casepeer.url());
        let vendors = Vendors {
            highlevel_url: &highlevel,
            highlevel_key: &twin.highlevel.public_key(),
            location: twin.highlevel.location(),
            highlevel_token: "twin-token",
            casepeer_url: &casepeer,
            casepeer_token: "twin-token",
            inbound_token: &senders.inbound,
            webhook_secret: &senders.signing,
        };
        let mut text = configuration_text(directory.path(), &vendors, "[firms.sync]\n");
        if by == By::Browser {
            text = by_browser(&text, directory.path(), ALL, "twinapp0000000000000000a-x");
            text = account::by_account(&text, directory.path(), "");
        }
        let (instances, http) = (Vec::new(), reqwest::Client::builder().no_proxy().build().unwrap());
        let mut world =
            Self { by, twin, clock, directory, database, text, senders, http, instances, people: 0 };
        for name in ["one", "other"] {
            let instance = world.start(name).await;
            world.instances.push(instance);
        }
        world.send_to(0);
        if by == By::Browser {
            world.connect().await;
        }
        Some(world)
    }

    async fn start(&self, name: &str) -> Instance {
        let config = config::parse("test.toml", &self.text, &Vec::new()).unwrap();
        let keyring = Arc::new(config.crypto.keyring().unwrap());
        let store: SharedStore = Arc::new(self.database.open(&self.clock, keyring.clone()).await);
        let bridge = Arc::new(Bridge::new(&config, store.clone(), keyring, self.clock.clone()).unwrap());
        let readiness = Readiness::default();
        let shared = Arc::new(Shared::new(bridge.clone(), readiness.clone(), None));
        let anywhere = ([127, 0, 0, 1], 0).into();
        let public = Listener::serve(Listener::bind(anywhere).unwrap(), http::public(shared)).unwrap();
        readiness.ready();
        let worker = Worker::new(bridge.clone(), name, WorkerOptions::default());
        let url = format!("http://{}", public.address());
        Instance { bridge, store, worker, public, url }
    }

    /// Restarts one instance with the configuration as it stands, while the other goes on.
    async fn restart(&mut self, number: usize) {
        self.instances[number].worker.release().await;
        let instance = self.start(if number == 0 { "one" } else { "other" }).await;
        let old = std::mem::replace(&mut self.instances[number], instance);
        old.public.stop(Duration::from_secs(5)).await;
    }

    /// Restarts both, one after the other, with people changing things after each.
    async fn restart_all(&mut self) {
        for number in 0..2 {
            self.restart(number).await;
            self.traffic().await;
        }
    }

    /// A person connects both sides, as the scripted browser does.
    async fn connect(&self) {
        let instance = &self.instances[0];
        let mut browser = Browser::at(&instance.url);
        for link in [link(&instance.bridge).await, account::link(&instance.bridge).await] {
            let back = browser.leave(&link).await;
            let page = browser.open(back.as_str()).await;
            assert_eq!(page.status, 200, "{}", page.text);
        }
    }

    /// The senders' webhooks go to this instance.
    fn send_to(&self, number: usize) {
        let Senders { inbound, signing, .. } = &self.senders;
        self.twin.set_bridge_by(&self.instances[number].url, inbound, signing);
    }

    /// A Workflow's webhook about a contact, with these secrets; how it is answered.
    async fn workflow(&self, contact: &str, secrets: &Senders) -> u16 {
        let url = format!("{}/webhooks/highlevel/{}", self.instances[self.people % 2].url, secrets.workflow);
        let location = self.twin.highlevel.location();
        let body = format!(r#"{{"contact_id":"{contact}","location":{{"id":"{location}"}}}}"#);
        let sending = self.http.post(url).header("X-Bridge-Secret", &secrets.header).body(body);
        sending.send().await.unwrap().status().as_u16()
    }

    /// A contact and a lead come into being, a Workflow runs, and their webhooks reach one instance or the other.
    async fn traffic(&mut self) {
        self.people += 1;
        let email = |side: &str| format!("{side}{}@example.com", self.people);
        self.send_to(self.people % 2);
        let contact = NewContact { email: email("contact"), phone: String::new(), ..ada() };
        let contact = self.twin.highlevel.create_contact(contact);
        assert_eq!(self.workflow(&contact, &self.senders).await, 202);
        let lead = NewLead { email: email("lead"), phone: String::new(), ..grace() };
        self.twin.casepeer.create_lead(lead);
        self.settle().await;
    }

    async fn settle(&self) {
        for _ in 0..100 {
            self.twin.flush().await;
            let [one, other] = &self.instances[..] else { panic!("there are two") };
            let (by_one, by_other) = tokio::join!(one.worker.step(), other.worker.step());
            if by_one.unwrap() + by_other.unwrap() == 0 {
                return;
            }
        }
        panic!("events and echoes do not come to an end");
    }

    /// Both instances renew what is due at once; then one calls one vendor, and the other the other.
    async fn renew(&self, day: usize) {
        let [one, other] = &self.instances[..] else { panic!("there are two") };
        tokio::join!(one.bridge.keep_connections(), other.bridge.keep_connections());
        for (number, instance) in self.instances.iter().enumerate() {
            let firm = instance.bridge.firms.iter().next().unwrap();
            let asked = if (number + day).is_multiple_of(2) {
                firm.highlevel.send(&get_location(&firm.location), None).await
            } else {
                firm.casepeer.send(&health(firm.casepeer.profile()).unwrap(), None, None).await
            };
            assert_eq!(asked.status(), Some(200), "{:?}", asked.result);
        }
    }

    /// What became of the year.
    async fn assert_nothing_was_lost(&self) {
        let (contacts, leads) = (self.twin.highlevel.contacts(), self.twin.casepeer.leads());
        assert_eq!((contacts.len(), leads.len()), (2 * self.people, 2 * self.people));
        let sent = self.twin.highlevel.deliveries().into_iter().chain(self.twin.casepeer.deliveries());
        let refused: Vec<_> =
            sent.filter(|sent| sent.last_status.is_none_or(|status| status >= 300)).collect();
        assert!(refused.is_empty(), "{refused:#?}");
        let counts = self.instances[0].store.counts().await.unwrap();
        for state in [EventState::Undelivered, EventState::Retrying, EventState::Parked, EventState::InReview]
        {
            assert_eq!(counts.of(state), 0, "{state}");
        }
        let (highlevel, casepeer) = (self.twin.highlevel.oauth_counts(), self.twin.casepeer.oauth_counts());
        assert_eq!((highlevel.dead_calls, casepeer.dead_calls), (0, 0));
        assert_eq!((highlevel.refused, highlevel.repeats, highlevel.reconnects), (0, 0, 0));
        assert_eq!(casepeer.refused, 0);
        let (least, codes) = if self.by == By::Browser { (365, 2) } else { (0, 0) };
        assert!(highlevel.refreshes >= least && casepeer.refreshes >= least, "{highlevel:?} {casepeer:?}");
        // Two instances that find a token due at once ask for one.
        assert!(highlevel.refreshes <= least + 20, "{highlevel:?}");
        assert_eq!((highlevel.codes, casepeer.codes), (codes, codes));
    }
}

async fn rehearse(by: By) {
    let Some(mut world) = World::begin(by).await else { return };
    for day in 1..=365_usize {
        world.clock.advance(HOUR * 23);
        world.renew(day).await;
        world.clock.advance(HOUR);
        if day % 14 == 0 {
            world.traffic().await;
        }
        if day % 120 == 0 && day < 360 {
            world.change_every_secret(u8::try_from(day / 120).unwrap()).await;
        }
    }
    world.assert_nothing_was_lost().await;
    world.assert_the_old_is_refused().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_year_by_oauth_on_both_sides() {
    rehearse(By::Browser).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_year_by_tokens_that_people_exchange() {
    rehearse(By::Tokens).await;
}
