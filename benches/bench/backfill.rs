//! Records a second of a backfill, against simulated vendors: `casebridge serve` and `casebridge backfill`, each a
//! process of its own. Half of the people are at both vendors.

use std::time::{Duration, Instant};

use casebridge::domain::EventState;
use casebridge::twin::{NewContact, NewLead};

use super::Plan;
use super::database::Database;
use super::latency::{start_twin, vendors};
use super::server::Site;
use super::table::{Bound, Report, Table, number};

/// How often is looked whether everything is settled, and at the memory.
const LOOK: Duration = Duration::from_millis(50);

pub fn run(plan: &Plan, report: &mut Report) {
    let table = Table::new(
        "Backfill against simulated vendors in this process, without limits; until the last event is settled",
        &[&format!("{:<52}", "what"), " records", "  writes", "records/s", "peak MiB", "             budget"],
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("the system gives threads");
    for database in &plan.databases {
        runtime.block_on(of(plan, *database, &table, report));
    }
}

async fn of(plan: &Plan, database: Database, table: &Table, report: &mut Report) {
    // Each vendor has three quarters of them: 20,000, or 2,000.
    let people = if plan.is_full { 26_668 } else { 2_668 };
    let twin = start_twin().await;
    for index in 0..people {
        let (first, email) = (first_name(index), format!("person{index}@example.com"));
        let phone = format!("+1512{:03}{:04}", 200 + index / 10_000, index % 10_000);
        if index % 4 != 3 {
            twin.highlevel.create_contact(NewContact {
                first_name: first.clone(),
                last_name: format!("Byron{index}"),
                email: email.clone(),
                phone: phone.clone(),
                city: "Austin".into(),
                ..NewContact::default()
            });
        }
        if index % 4 != 1 {
            twin.casepeer.create_lead(NewLead {
                first_name: first,
                last_name: format!("Byron{index}"),
                email,
                phone,
                case_type: "Auto Accident".into(),
                ..NewLead::default()
            });
        }
    }
    let records = twin.highlevel.contacts().len() + twin.casepeer.leads().len();
    let site = Site::new(database, &vendors(&twin));
    let server = site.serve();
    // From now on: what was made before, nobody tells of.
    twin.highlevel.add_senders(7);
    twin.casepeer.add_senders(7);
    twin.set_bridge(&format!("http://{}", server.address));
    let store = site.store().await;
    let timer = Instant::now();
    let mut backfill = site.command(&["backfill", "--firm", super::server::FIRM]);
    let mut child = backfill.spawn().expect("the program starts");
    let (mut peak, mut both): (f64, f64) = (0.0, 0.0);
    let mut is_read = false;
    loop {
        std::thread::sleep(LOOK);
        peak = peak.max(server.memory().0);
        both = both.max(server.memory().0 + super::server::memory_of(child.id()).0);
        if !is_read {
            is_read = child.try_wait().expect("a child can be asked").is_some();
            continue;
        }
        twin.flush().await;
        if store.counts().await.expect("the store works").pending() == 0 {
            break;
        }
    }
    let elapsed = timer.elapsed();
    let ended = child.wait().expect("a child can be waited for");
    assert!(ended.success(), "the backfill read everything");
    let counts = store.counts().await.expect("the store works");
    assert_eq!(counts.of(EventState::Undelivered) + counts.of(EventState::InReview), 0, "{counts:?}");
    assert_eq!(twin.highlevel.contacts().len(), people, "everybody is in HighLevel, once");
    assert_eq!(twin.casepeer.leads().len(), people, "everybody is in CASEpeer, once");
    let rate = records as f64 / elapsed.as_secs_f64();
    let name = format!("backfill, {}, {people} people", database.name());
    let speed = report.judge(&name, rate, "/s", Bound::AtLeast(1_000.0));
    let memory = report.judge(&format!("{name}, both processes"), both, "MiB", Bound::AtMost(150.0));
    table.row([
        format!("{}, {people} people at two vendors", database.name()),
        number(records as f64),
        number((twin.highlevel.writes() + twin.casepeer.writes()) as f64),
        number(rate),
        format!("{} ({})", number(both), number(peak)),
        format!("{speed}, {memory}"),
    ]);
    drop(server);
    twin.stop().await;
}

/// Names that are nobody else's: look-alikes are another bench's.
fn first_name(index: usize) -> String {
    ["Ada", "Grace", "Katherine", "Dorothy", "Mary", "Annie"][index % 6].to_owned()
}
