//! What the console's first page takes, with many varied events of many firms stored.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use casebridge::bridge::{Bridge, hash_password};
use casebridge::clock::{Clock, SharedClock, SystemClock};
use casebridge::config::{Config, Secret};
use casebridge::domain::{Cause, EventId, FirmId, Outcome, Reach, RecordKind, RecordRef, Role, System};
use casebridge::http::{self, Listener, Readiness, Shared};
use casebridge::store::{Arrival, ClaimRoom, DeliveryKey, NewAccount, Settlement, SharedStore};
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use jiff::SignedDuration;
use uuid::Uuid;

use super::Plan;
use super::database::Database;
use super::server::{Site, Vendors};
use super::table::{Bound, Report, Table, milliseconds, number, quantile};

const FIRMS: usize = 200;
const DAYS: i64 = 30;
const PASSWORD: &str = "correct horse battery";
/// How often the page is asked for.
const LOOKS: usize = 40;
/// How many events are recorded at once; a full queue would refuse them.
const IN_FLIGHT: usize = 512;
/// What the senders call what happened, and who they are.
const TYPES: [(&str, System); 8] = [
    ("ContactCreate", System::HighLevel),
    ("ContactUpdate", System::HighLevel),
    ("TaskCreate", System::HighLevel),
    ("NoteCreate", System::HighLevel),
    ("lead.created", System::CasePeer),
    ("case.status_changed", System::CasePeer),
    ("task.created", System::CasePeer),
    ("note.created", System::CasePeer),
];
/// What the first page weighs at most with all that it loads, in bytes.
const WEIGHT: f64 = 200_000.0;

pub fn run(plan: &Plan, report: &mut Report) {
    let table = Table::new(
        "The console's first page",
        &[&format!("{:<64}", "stored"), "   p50 ms", "   p99 ms", "    bytes", "      budget"],
    );
    for database in &plan.databases {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let (looks, events) = runtime.expect("the system gives threads").block_on(look(plan, *database));
        for Look { who, spans, weight } in looks {
            let span = |share| milliseconds(quantile(&spans, share));
            let what = format!("home, {}, {} events, {who}", database.name(), number(events as f64));
            let verdict = report.judge(&what, span(0.99), "ms", Bound::AtMost(100.0));
            report.judge(&format!("{what}, first paint"), weight as f64, "bytes", Bound::AtMost(WEIGHT));
            table.row([what, number(span(0.5)), number(span(0.99)), number(weight as f64), verdict]);
        }
    }
}

/// How the page went for somebody.
struct Look {
    who: &'static str,
    spans: Vec<std::time::Duration>,
    weight: usize,
}

async fn look(plan: &Plan, database: Database) -> (Vec<Look>, usize) {
    let events = if plan.is_full { 1_000_000 } else { 50_000 };
    let site = Site::new(database, &Vendors::none());
    let store = site.store().await;
    let timer = Instant::now();
    fill(&store, events).await;
    eprintln!("{events} events stored in {:.0} s", timer.elapsed().as_secs_f64());
    settle(&store, events).await;
    eprintln!("settled after {:.0} s", timer.elapsed().as_secs_f64());
    let clock: SharedClock = Arc::new(SystemClock);
    let bridge = Bridge::new(&with_firms(&site.config), Arc::clone(&store), site.keyring(), clock);
    let bridge = Arc::new(bridge.expect("the configuration is right"));
    let timer = Instant::now();
    while !store.hours_to_count(1).await.expect("the store works").is_empty()
        && timer.elapsed().as_secs() < 300
    {
        bridge.count_up().await.expect("the store works");
        let open = store.hours_to_count(100_000).await.expect("the store works").len();
        if open <= 2 {
            break;
        }
    }
    eprintln!("every hour counted in {:.1} s", timer.elapsed().as_secs_f64());
    let word = bridge.offer_setup().await.expect("the store works").expect("there is nobody");
    let password = Secret::new(PASSWORD);
    let cookie = bridge.set_up(word.reveal(), "ada", password).await.expect("there is nobody");
    let password = hash_password("grace", &Secret::new(PASSWORD)).expect("a good password");
    let reach = Reach::Firms((1..FIRMS).map(firm).collect());
    let grace = NewAccount { name: "grace".into(), role: Role::Operator, reach, password };
    assert!(bridge.store.add_account(grace).await.expect("the store works"));
    let graces = bridge
        .sign_in("grace", Secret::new(PASSWORD), IpAddr::from(Ipv4Addr::LOCALHOST))
        .await
        .expect("she may sign in");
    let shared = Arc::new(Shared::new(bridge, Readiness::default(), None));
    let socket = Listener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
    let listener = Listener::serve(socket, http::admin(shared)).expect("a port that is bound");
    let base = format!("http://{}", listener.address());
    let looks = vec![
        ask(&base, "by an administrator", &cookie).await,
        ask(&base, "by an operator of 199 firms", &graces).await,
    ];
    (looks, events)
}

/// Asks for the page again and again, as somebody who is signed in.
async fn ask(base: &str, who: &'static str, cookie: &Secret) -> Look {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let cookie = format!("casebridge-local={}", cookie.reveal());
    let get = async |path: &str| {
        let answer = client.get(format!("{base}{path}")).header("cookie", &cookie).send().await;
        let answer = answer.expect("it answers");
        assert_eq!(answer.status(), 200);
        answer.text().await.expect("a page")
    };
    let page = get("/").await;
    assert!(page.contains("Undelivered") && page.contains("firm-199"));
    let mut weight = page.len();
    for asset in page.split('"').filter(|text| text.starts_with("/assets/")) {
        weight += get(asset).await.len();
    }
    let mut spans = Vec::with_capacity(LOOKS);
    for _ in 0..LOOKS {
        let timer = Instant::now();
        get("/").await;
        spans.push(timer.elapsed());
    }
    spans.sort_unstable();
    Look { who, spans, weight }
}

fn firm(number: usize) -> FirmId {
    FirmId::new(format!("firm-{number}"))
}

/// The configuration with all the firms in place of its one.
fn with_firms(config: &Config) -> Config {
    let mut config = config.clone();
    let one = config.firms.remove(0);
    config.firms = (0..FIRMS)
        .map(|number| {
            let mut next = one.clone();
            next.id = firm(number).to_string();
            next.highlevel.location_id = format!("location{number:012}");
            next.casepeer.inbound_token = Secret::new(format!("inbound-{number:012}")).into();
            next
        })
        .collect();
    config
}

/// Records events of all firms, over the days before now.
async fn fill(store: &SharedStore, events: usize) {
    let begun = SystemClock.now() - SignedDuration::from_hours(24 * DAYS);
    let step =
        SignedDuration::from_hours(24 * DAYS).as_millis() / i128::try_from(events).expect("not so many");
    let step = i64::try_from(step).expect("a month in milliseconds");
    let arrivals = stream::iter(0..events).map(|number| {
        let (kind, source) = TYPES[number % TYPES.len()];
        let records = match source {
            System::HighLevel => RecordRef::highlevel(RecordKind::Contact, format!("c{}", number / 2)),
            System::CasePeer => RecordRef::casepeer(RecordKind::Lead, format!("l{}", number / 2)),
        };
        let received_at =
            begun + SignedDuration::from_millis(step * i64::try_from(number).expect("not so many"));
        let undeliverable =
            number.is_multiple_of(40).then(|| (Cause::NotOurs, "no firm for this location".to_owned()));
        store.record(Arrival {
            id: EventId(Uuid::now_v7()),
            // Firms of all sizes: the first has a tenth of everything.
            firm: firm(if number % 10 == 3 { 0 } else { number * 7 % FIRMS }),
            source,
            kind: kind.into(),
            delivery_key: DeliveryKey::Sender(format!("{number:036}")),
            records: vec![records],
            proof: "ed25519",
            payload: vec![b'x'; 300].into(),
            sent_at: None,
            received_at,
            is_update: false,
            undeliverable,
            trace: None,
        })
    });
    arrivals
        .buffer_unordered(IN_FLIGHT)
        .for_each(async |one| {
            one.expect("the store works");
        })
        .await;
}

/// Settles all but the newest.
async fn settle(store: &SharedStore, events: usize) {
    let room = ClaimRoom { total: 256, per_firm: 256, ..ClaimRoom::default() };
    let mut left = events - events / 40 - 100;
    let lease = SignedDuration::from_mins(10);
    while left > 0 {
        let claims = store.claim("bench", &room, lease).await.expect("the store works");
        if claims.is_empty() {
            return;
        }
        left = left.saturating_sub(claims.len());
        let settling = claims.iter().enumerate().map(|(at, claim)| {
            let outcome = match at % 20 {
                0..12 => Outcome::Done,
                12..19 => Outcome::NothingToDo { why: "both sides agree".into() },
                _ => Outcome::Undelivered { cause: Cause::Rejected, why: "refused".into() },
            };
            let settlement = Settlement { outcome, plan: None, reads: Vec::new(), supersedes: None };
            store.settle(&claim.lease, settlement)
        });
        for one in join_all(settling).await {
            one.expect("the store works");
        }
    }
}
