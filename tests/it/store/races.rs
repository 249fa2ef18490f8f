//! Several instances on one PostgreSQL.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use casebridge::domain::{Base, EventId, EventState, Link, Outcome, System};
use casebridge::store::postgres::PostgresStore;
use casebridge::store::{Arrival, LinkChange, Recorded, Store};
use futures_util::future::join_all;

use super::databases::keyring;
use super::{LEASE, PostgresDatabase, TestStore, contact, lead, room, settlement};
use crate::support::clock;

/// Two instances, and one of them as the tests know it.
async fn instances() -> Option<(TestStore, [Arc<PostgresStore>; 2])> {
    let test = TestStore::postgres().await?;
    let database: &PostgresDatabase = test.database.as_postgres();
    let one = Arc::new(database.open(&clock(), keyring()).await);
    let other = Arc::new(database.open(&clock(), keyring()).await);
    Some((test, [one, other]))
}

/// The number of events in each lane that are its head.
async fn heads(test: &TestStore) -> Vec<i64> {
    let mut connection = test.database.connect().await;
    let sql = "SELECT count(*) FROM event WHERE state IN ('ready', 'running', 'retrying', 'parked')
        GROUP BY person ORDER BY 1";
    sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_never_claim_the_same_event() {
    let Some((test, stores)) = instances().await else { return };
    let arrivals = (0..600).map(|number| test.arrival(&format!("c{}", number % 200)));
    join_all(arrivals.map(|arrival| test.store.record(arrival))).await;
    let work = (0..8).map(|number| {
        let store = Arc::clone(&stores[number % 2]);
        tokio::spawn(async move {
            let mut taken: Vec<(EventId, i64)> = Vec::new();
            let mut idle = 0;
            while idle < 20 {
                let claims = store.claim(&format!("worker {number}"), &room(5), LEASE).await.unwrap();
                idle = if claims.is_empty() { idle + 1 } else { 0 };
                for claim in claims {
                    taken.push((claim.lease.event, claim.lease.claim));
                    store.settle(&claim.lease, settlement(Outcome::Done)).await.unwrap();
                }
                tokio::task::yield_now().await;
            }
            taken
        })
    });
    let taken: Vec<_> = join_all(work).await.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(taken.len(), 600);
    assert!(taken.iter().all(|(_, claim)| *claim == 1));
    assert_eq!(taken.into_iter().collect::<BTreeSet<_>>().len(), 600);
    assert_eq!(test.store.counts().await.unwrap().of(EventState::Done), 600);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_receivers_store_a_delivery_once() {
    let Some((test, stores)) = instances().await else { return };
    let arrivals: Vec<Arrival> = (0..200).map(|number| test.arrival(&format!("c{number}"))).collect();
    let recording = arrivals.iter().flat_map(|arrival| {
        stores.iter().map(move |store| {
            let repeat = Arrival { id: EventId(uuid::Uuid::now_v7()), ..arrival.clone() };
            let store = Arc::clone(store);
            tokio::spawn(async move { store.record(repeat).await.unwrap() })
        })
    });
    let recorded: Vec<Recorded> = join_all(recording).await.into_iter().map(Result::unwrap).collect();
    for pair in recorded.chunks(2) {
        let ids = pair.iter().map(|recorded| match recorded {
            Recorded::Stored(id) | Recorded::Duplicate(id) => *id,
        });
        assert_eq!(ids.collect::<BTreeSet<_>>().len(), 1, "both name the one that was stored");
        assert_eq!(pair.iter().filter(|recorded| matches!(recorded, Recorded::Stored(_))).count(), 1);
    }
    assert_eq!(test.store.counts().await.unwrap().pending(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_receivers_give_a_person_one_head() {
    let Some((test, stores)) = instances().await else { return };
    // Some of each person's events name the contact first, some the lead.
    let recording = (0..300).map(|number: usize| {
        let person = number % 5;
        let mut records = vec![contact(&format!("c{person}")), lead(&format!("l{person}"))];
        records.rotate_left(number % 2);
        let arrival = Arrival { records, ..test.arrival("") };
        let store = Arc::clone(&stores[number % 2]);
        tokio::spawn(async move { store.record(arrival).await.unwrap() })
    });
    join_all(recording).await;
    assert_eq!(heads(&test).await, [1; 5]);
    assert_eq!(test.store.counts().await.unwrap().pending(), 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_united_while_events_arrive() {
    let Some((test, stores)) = instances().await else { return };
    for person in 0..10 {
        test.update(&format!("c{person}")).await;
    }
    let claims = test.claim().await;
    let uniting = claims.iter().zip(0..).map(|(claim, person)| {
        let (store, lease) = (Arc::clone(&stores[person % 2]), claim.lease.clone());
        let pair = Link::new(
            contact(&format!("c{person}")),
            lead(&format!("l{person}")),
            System::HighLevel,
            Base::default(),
        );
        tokio::spawn(async move {
            store.save_links(&lease, vec![LinkChange::Link(pair)]).await.unwrap();
            store.settle(&lease, settlement(Outcome::Done)).await.unwrap();
        })
    });
    let uniting: Vec<_> = uniting.collect();
    let recording = (0..200).map(|number: usize| {
        let person = number / 2 % 10;
        let record = if number.is_multiple_of(2) {
            contact(&format!("c{person}"))
        } else {
            lead(&format!("l{person}"))
        };
        let arrival = Arrival { records: vec![record], ..test.arrival("") };
        let store = Arc::clone(&stores[number % 2]);
        tokio::spawn(async move { store.record(arrival).await.map(drop).unwrap() })
    });
    let recording: Vec<_> = recording.collect();
    join_all(uniting.into_iter().chain(recording)).await.into_iter().for_each(Result::unwrap);
    assert_eq!(heads(&test).await, [1; 10]);
}

#[tokio::test]
async fn an_instance_hears_what_another_received() {
    let Some((test, [one, other])) = instances().await else { return };
    let heard = tokio::spawn(async move { one.rung().await });
    // Listening begins with the first wait, and has begun at the latest when a ring is heard.
    let hearing = async {
        while !heard.is_finished() {
            other.record(test.arrival("c1")).await.unwrap();
            test.settle(&test.claim_one().await, Outcome::Done).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), hearing).await.unwrap();
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let Some((test, _)) = instances().await else { return };
    let mut connection = test.database.connect().await;
    sqlx::query("INSERT INTO schema_version VALUES (99)").execute(&mut connection).await.unwrap();
    let refused = test.database.as_postgres().try_open(&clock(), keyring()).await.err().unwrap();
    assert!(refused.to_string().contains("schema 99"), "{refused}");
}

#[tokio::test]
async fn the_databases_clock_is_gone_by() {
    let Some((test, _)) = instances().await else { return };
    let database = test.database.as_postgres();
    let options = casebridge::store::postgres::PostgresOptions::default();
    let time = casebridge::store::postgres::TimeSource::Database;
    let store = PostgresStore::open(&database.url, options, keyring(), time).await.unwrap();
    // This receiver's clock is years ahead: what it received is due all the same.
    let received_at = "2040-01-01T00:00:00Z".parse().unwrap();
    store.record(Arrival { received_at, ..test.arrival("c1") }).await.unwrap();
    let claims = store.claim("worker", &room(1), LEASE).await.unwrap();
    assert_eq!((claims.len(), claims[0].received_at), (1, received_at));
    assert!(store.claim("worker", &room(1), LEASE).await.unwrap().is_empty());
}
