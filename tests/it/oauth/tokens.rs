//! A connection stays alive: renewed ahead, once whoever asks, through crashes, until HighLevel ends it.

use std::sync::Arc;

use casebridge::bridge::Bridge;
use casebridge::config::Secret;
use casebridge::domain::{EventState, ParkCause, System};
use casebridge::operations::highlevel::get_location;
use casebridge::store::{Holder, SharedStore, Tokens};
use casebridge::twin::Fault;
use jiff::SignedDuration;
use serde_json::json;

use super::{ALL, Browser, connected, credential};
use crate::crash::doomed::{Doomed, Point};
use crate::store::PostgresDatabase;
use crate::story::ada;
use crate::support::TestBridge;

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// The 30 s in which HighLevel repeats an answer are over.
const TOO_LATE: SignedDuration = SignedDuration::from_secs(31);
/// A renewal's lease is over, and HighLevel still repeats its answer.
const LEASE_OVER: SignedDuration = SignedDuration::from_secs(21);

/// The token a bridge would call with.
async fn token(bridge: &Bridge) -> Result<String, String> {
    let firm = bridge.firms.iter().next().unwrap();
    let granted = firm.highlevel.granted().await;
    granted.map(|granted| granted.token.reveal().to_owned()).map_err(|failure| failure.to_string())
}

/// Asks HighLevel for the location.
async fn call(bridge: &Bridge) -> Option<u16> {
    let firm = bridge.firms.iter().next().unwrap();
    firm.highlevel.send(&get_location(&firm.location), None).await.status()
}

#[tokio::test]
async fn asking_for_a_token_spends_a_call() {
    let bridge = connected(ALL).await;
    let spent = async || {
        let quotas = bridge.installation.store.quotas().await.unwrap();
        quotas.iter().find(|quota| quota.system == System::HighLevel).map_or(0, |quota| quota.spent_today)
    };
    // Past midnight, where the vendor's day begins anew.
    bridge.installation.clock.advance(SignedDuration::from_hours(23));
    bridge.installation.bridge.keep_connections().await;
    let counts = bridge.highlevel.oauth_counts();
    assert_eq!((counts.codes, counts.refreshes, spent().await), (1, 1, 2));
    bridge.installation.bridge.keep_connections().await;
    assert_eq!(spent().await, 2, "nothing was due");
}

#[tokio::test]
async fn a_year_passes_and_no_call_is_made_with_a_dead_token() {
    let bridge = connected(ALL).await;
    let hours = 365 * 24;
    for hour in 1..=hours {
        bridge.installation.clock.advance(SignedDuration::from_hours(1));
        bridge.installation.bridge.keep_connections().await;
        if hour % 6 == 0 {
            assert_eq!(call(&bridge.installation.bridge).await, Some(200), "hour {hour}");
        }
        if hour % (30 * 24) == 0 {
            let name = format!("Ada{hour}");
            let email = format!("ada{hour}@example.com");
            let new = casebridge::twin::NewContact { first_name: name, email, phone: String::new(), ..ada() };
            bridge.highlevel.create_contact(new);
            bridge.settle().await;
        }
    }
    let counts = bridge.highlevel.oauth_counts();
    // Each token lasts a day, less a second, and is renewed in its last hour.
    assert_eq!(counts.refreshes, hours / 23);
    assert!(counts.refreshes >= 365);
    assert_eq!((counts.dead_calls, counts.refused, counts.repeats, counts.reconnects), (0, 0, 0, 0));
    assert_eq!(bridge.casepeer.leads().len(), 12, "{}", bridge.installation.tell().await);
}

#[tokio::test]
async fn a_token_that_ended_unnoticed_is_renewed_before_it_is_used() {
    let bridge = connected(ALL).await;
    bridge.installation.clock.advance(DAY);
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 1);
    let counts = bridge.highlevel.oauth_counts();
    assert_eq!((counts.refreshes, counts.dead_calls), (1, 0));
}

/// Many ask at once, in two processes.
async fn assert_one_refresh(bridge: &TestBridge, one: Arc<Bridge>, other: Arc<Bridge>, most_tokens: usize) {
    let before = bridge.highlevel.oauth_counts().refreshes;
    let asking: Vec<_> = (0..16)
        .map(|number| {
            let bridge = if number % 2 == 0 { one.clone() } else { other.clone() };
            tokio::spawn(async move { token(&bridge).await.unwrap() })
        })
        .collect();
    let mut tokens = std::collections::BTreeSet::new();
    for task in asking {
        tokens.insert(task.await.unwrap());
    }
    assert!(tokens.len() <= most_tokens, "{} tokens", tokens.len());
    let counts = bridge.highlevel.oauth_counts();
    assert_eq!((counts.refreshes - before, counts.repeats, counts.refused), (1, 0, 0));
    assert_eq!((call(&one).await, call(&other).await), (Some(200), Some(200)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_that_renew_at_once_ask_once_on_sqlite() {
    let bridge = connected(ALL).await;
    bridge.installation.clock.advance(DAY);
    let store = bridge.installation.store.clone();
    let (one, other) =
        (bridge.installation.another_bridge(store.clone()), bridge.installation.another_bridge(store));
    assert_one_refresh(&bridge, one, other, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_instances_that_renew_at_once_ask_once_on_postgres() {
    let Some(database) = PostgresDatabase::create().await else { return };
    let bridge = connected(ALL).await;
    let known = credential(&bridge).await.unwrap();
    let keyring = crate::store::keyring();
    let open = async || database.open(&bridge.installation.clock, keyring.clone()).await;
    let (first, second): (SharedStore, SharedStore) = (Arc::new(open().await), Arc::new(open().await));
    let tokens = Tokens {
        access: known.access,
        refresh: known.refresh,
        scopes: Some(known.row.scopes.join(" ")),
        life: DAY,
        company: None,
    };
    first.save_tokens(&known.holder, &tokens, None).await.unwrap();
    let (one, other) =
        (bridge.installation.another_bridge(first), bridge.installation.another_bridge(second));
    for _ in 0..3 {
        bridge.installation.clock.advance(DAY);
        assert_one_refresh(&bridge, one.clone(), other.clone(), 1).await;
    }
    // While the token is still good, nobody waits for who renews it: the one before is used on.
    bridge.installation.clock.advance(DAY - SignedDuration::from_mins(30));
    assert_one_refresh(&bridge, one, other, 2).await;
}

/// A process ends at this point of a renewal.
async fn crash(bridge: &TestBridge, point: Point) {
    let doomed = Doomed::new(bridge.installation.store.clone(), point, "");
    let process = bridge.installation.another_bridge(doomed.clone());
    let renewing = tokio::spawn(async move { token(&process).await });
    doomed.reached().await;
    renewing.abort();
    assert!(renewing.await.is_err());
}

#[tokio::test]
async fn a_crash_at_any_step_of_a_renewal_loses_nothing() {
    for (point, repeats) in [(Point::AfterLease, 0), (Point::BeforeTokens, 1), (Point::AfterTokens, 0)] {
        let bridge = connected(ALL).await;
        bridge.installation.clock.advance(DAY);
        crash(&bridge, point).await;
        bridge.installation.clock.advance(LEASE_OVER);
        let next = bridge.installation.another_bridge(bridge.installation.store.clone());
        assert_eq!(call(&next).await, Some(200), "{point:?}");
        let counts = bridge.highlevel.oauth_counts();
        assert_eq!((counts.refreshes, counts.repeats), (1, repeats), "{point:?}");
        assert_eq!((counts.refused, counts.reconnects, counts.dead_calls), (0, 0, 0), "{point:?}");
        // The next renewal goes by the token that was kept.
        bridge.installation.clock.advance(DAY);
        assert_eq!(call(&next).await, Some(200), "{point:?}");
        assert_eq!(bridge.highlevel.oauth_counts().refreshes, 2, "{point:?}");
    }
}

#[tokio::test]
async fn an_answer_that_was_lost_for_good_is_made_up_for_by_a_reconnect() {
    let bridge = connected(ALL).await;
    bridge.installation.clock.advance(DAY);
    crash(&bridge, Point::BeforeTokens).await;
    bridge.installation.clock.advance(TOO_LATE);
    let next = bridge.installation.another_bridge(bridge.installation.store.clone());
    assert_eq!(call(&next).await, Some(200));
    let counts = bridge.highlevel.oauth_counts();
    assert_eq!((counts.refused, counts.reconnects, counts.codes, counts.dead_calls), (1, 1, 2, 0));
    let row = credential(&bridge).await.unwrap().row;
    assert_eq!((row.refused_why, row.scopes.len()), (None, 11));
}

#[tokio::test]
async fn a_frozen_process_does_not_put_an_old_token_in_place_of_a_new_one() {
    let bridge = connected(ALL).await;
    bridge.installation.clock.advance(DAY);
    let doomed = Doomed::new(bridge.installation.store.clone(), Point::BeforeTokens, "");
    let process = bridge.installation.another_bridge(doomed.clone());
    let frozen = tokio::spawn(async move { token(&process).await });
    doomed.reached().await;
    bridge.installation.clock.advance(TOO_LATE);
    let next = bridge.installation.another_bridge(bridge.installation.store.clone());
    let newer = token(&next).await.unwrap();
    doomed.thaw();
    assert_eq!(frozen.await.unwrap().unwrap(), newer, "it takes what was there");
    assert_eq!(credential(&bridge).await.unwrap().access.reveal(), newer);
}

#[tokio::test]
async fn an_answer_that_gets_lost_on_its_way_is_given_again() {
    let bridge = connected(ALL).await;
    let process = &bridge.installation.bridge;
    // The token is still good: nobody notices.
    bridge.installation.clock.advance(DAY - SignedDuration::from_mins(30));
    bridge.highlevel.fault(Fault::timeout_after().on("POST", "/oauth/token"));
    assert_eq!(call(process).await, Some(200));
    assert_eq!(bridge.highlevel.oauth_counts().refreshes, 1);
    bridge.installation.clock.advance(SignedDuration::from_secs(5));
    assert_eq!(call(process).await, Some(200));
    let counts = bridge.highlevel.oauth_counts();
    assert_eq!((counts.refreshes, counts.repeats, counts.refused), (1, 1, 0));
    // It is not: the call waits, and is made up for.
    bridge.installation.clock.advance(DAY);
    bridge.highlevel.fault(Fault::timeout_after().on("POST", "/oauth/token"));
    let why = token(process).await.unwrap_err();
    assert!(why.starts_with("was not sent: HighLevel's token endpoint could not be reached"), "{why}");
    assert_eq!(token(process).await.unwrap_err(), why, "who asks at the same moment is told the same");
    bridge.installation.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(call(process).await, Some(200));
    let counts = bridge.highlevel.oauth_counts();
    assert_eq!((counts.refreshes, counts.repeats, counts.refused, counts.dead_calls), (2, 2, 0, 0));
}

#[tokio::test]
async fn a_token_endpoint_that_is_away_is_no_revocation() {
    let bridge = connected(ALL).await;
    bridge.installation.clock.advance(DAY);
    bridge.highlevel.fault(Fault::status(503).on("POST", "/oauth/token"));
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    assert_eq!(bridge.installation.store.parkings().await.unwrap(), []);
    let story = bridge.installation.last_story().await;
    assert_eq!(story.row.state, EventState::Retrying);
    assert!(story.row.reason.unwrap().contains("HighLevel's token endpoint answered 503"));
    bridge.wait(SignedDuration::from_mins(1)).await;
    assert_eq!(bridge.casepeer.leads().len(), 1);
}

#[tokio::test]
async fn a_token_that_ends_early_is_replaced_on_the_spot() {
    let bridge = connected(ALL).await;
    bridge.highlevel.expire_tokens();
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 1);
    bridge.installation.assert_nothing_undelivered().await;
    assert_eq!(bridge.highlevel.oauth_counts().refreshes, 1);
}

#[tokio::test]
async fn a_revoked_connection_parks_the_firm_and_tells_a_person_what_to_do() {
    let bridge = connected(ALL).await;
    bridge.highlevel.uninstall_silently();
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let parked = bridge.installation.store.parkings().await.unwrap().remove(0);
    assert_eq!((parked.cause, parked.system), (ParkCause::Credentials, Some(System::HighLevel)));
    for words in [
        "was not sent: HighLevel no longer accepts the connection (invalid_grant, reconnect: answered 400)",
        "connect it with `casebridge firms connect acme` and the link that prints",
    ] {
        assert!(parked.reason.contains(words), "{}", parked.reason);
    }
    assert!(credential(&bridge).await.unwrap().row.refused_at.is_some());
    // It is asked once for many events, and again only when one is let go ahead.
    bridge.highlevel.update_contact(&contact, json!({ "city": "Dallas" }));
    bridge.settle().await;
    assert!(token(&bridge.installation.bridge).await.is_err());
    assert_eq!(bridge.highlevel.oauth_counts().refused, 1);

    let (status, page) = Browser::of(&bridge).connect(&bridge).await;
    assert_eq!(status, 200, "{page}");
    bridge.settle().await;
    assert_eq!(bridge.installation.store.parkings().await.unwrap(), []);
    assert_eq!(bridge.casepeer.leads().len(), 1);
    assert_eq!(credential(&bridge).await.unwrap().row.refused_at, None);
}

#[tokio::test]
async fn an_answer_for_another_account_is_not_used() {
    let bridge = connected(ALL).await;
    bridge.installation.clock.advance(DAY);
    let body = json!({"access_token": "planted", "token_type": "Bearer", "expires_in": 86399,
        "refresh_token": "planted", "userType": "Location", "locationId": "elsewhere"});
    let answer = casebridge::twin::Misbehaviour::Status { status: 200, retry_after: None, body: Some(body) };
    bridge.highlevel.fault(Fault::new(answer).on("POST", "/oauth/token"));
    let why = token(&bridge.installation.bridge).await.unwrap_err();
    assert!(why.contains("it answered for another account"), "{why}");
    let kept = credential(&bridge).await.unwrap();
    assert_eq!(kept.holder, Holder::Location(bridge.highlevel.location().to_owned()));
    assert_ne!(kept.access.reveal(), Secret::new("planted").reveal());
}
