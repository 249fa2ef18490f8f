//! Records a second of a backfill, against simulated vendors: `casebridge serve` and `casebridge backfill`, each a
//! process of its own. The people are those of a firm that used both systems side by side: of each side's records nine in ten
//! are at the other side, too, and of these pairs one in six differs in a field or two.

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
        "Backfill against simulated vendors in this process, without limits; until the last event is settled. Of each\n\
         side's records 9 in 10 are at the other side, too; of these pairs 1 in 6 differs in a field or two",
        &[&format!("{:<52}", "what"), " records", "  writes", "records/s", "peak MiB", "             budget"],
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("the system gives threads");
    for database in &plan.databases {
        runtime.block_on(of(plan, *database, &table, report));
    }
}

async fn of(plan: &Plan, database: Database, table: &Table, report: &mut Report) {
    // Each vendor has ten elevenths of them: 20,000, or 2,000.
    let people = if plan.is_full { 22_000 } else { 2_200 };
    let twin = start_twin().await;
    for index in 0..people {
        let (first, email) = (first_name(index), format!("person{index}@example.com"));
        let phone = format!("+1512{:03}{:04}", 200 + index / 10_000, index % 10_000);
        let place = Place::of(index);
        if place != Place::OnlyThere {
            twin.highlevel.create_contact(NewContact {
                first_name: first.clone(),
                last_name: format!("Byron{index}"),
                email: email.clone(),
                phone: phone.clone(),
                city: if place == Place::ContactLacks { "" } else { "Austin" }.into(),
                ..NewContact::default()
            });
        }
        if place != Place::OnlyHere {
            twin.casepeer.create_lead(NewLead {
                first_name: first,
                last_name: format!("Byron{index}"),
                email,
                phone,
                line1: if place == Place::ContactLacks { "12 Elm Street" } else { "" }.into(),
                city: if place == Place::LeadLacks { "" } else { "Austin" }.into(),
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

/// Where a person is known, and by what.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At both vendors, by the same values.
    Both,
    /// At both, but CASEpeer lacks the city.
    LeadLacks,
    /// At both, but HighLevel lacks street and city.
    ContactLacks,
    /// In HighLevel.
    OnlyHere,
    /// In CASEpeer.
    OnlyThere,
}

impl Place {
    fn of(index: usize) -> Self {
        match (index % 11, index / 11 % 12) {
            (9, _) => Self::OnlyHere,
            (10, _) => Self::OnlyThere,
            (_, 0) => Self::LeadLacks,
            (_, 1) => Self::ContactLacks,
            _ => Self::Both,
        }
    }
}

/// Names that are nobody else's: look-alikes are another bench's.
fn first_name(index: usize) -> String {
    ["Ada", "Grace", "Katherine", "Dorothy", "Mary", "Annie"][index % 6].to_owned()
}
