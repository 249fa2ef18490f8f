//! Ages of secrets, and sealing anew: nothing is lost, whenever it is broken off.

use std::sync::Arc;

use casebridge::config::Secret;
use casebridge::crypto::Keyring;
use casebridge::domain::{
    Base, Deed, Details, Difference, EffectKey, Link, Outcome, Question, Reach, Resolution, ReviewAction,
    ReviewKind, Role, System,
};
use casebridge::store::{
    ActionAnswer, AuditEntry, AuditFilter, Begun, HandOver, Holder, Intent, LinkChange, PlanRecord,
    ReviewFilter, Said, SealedPlace, Settlement, SharedStore, Tokens,
};
use jiff::SignedDuration;
use zeroize::Zeroizing;

use super::{TestStore, contact, firm, lead, on_both, settlement};

on_both!(
    a_secret_is_as_old_as_the_first_look_at_it,
    everything_is_sealed_anew_in_steps_and_the_old_key_may_go,
    what_is_written_meanwhile_stays,
);

fn keyring(keys: &[(&str, u8)]) -> Arc<Keyring> {
    let keys = keys.iter().map(|(id, byte)| ((*id).to_owned(), Zeroizing::new([*byte; 32])));
    Arc::new(Keyring::new(keys).unwrap())
}

async fn a_secret_is_as_old_as_the_first_look_at_it(test: &TestStore) {
    let secret = |name: &str, byte| (name.to_owned(), [byte; 32]);
    let begun = test.now();
    assert_eq!(test.store.first_seen(&[secret("a", 1)]).await.unwrap(), [begun]);
    test.pass(SignedDuration::from_hours(24));
    let asked = [secret("a", 2), secret("a", 1), secret("b", 1)];
    let seen = [test.now(), begun, test.now()];
    assert_eq!(test.store.first_seen(&asked).await.unwrap(), seen);
    test.pass(SignedDuration::from_hours(24));
    assert_eq!(test.store.first_seen(&asked).await.unwrap(), seen, "in whatever order they are asked for");
}

/// Something sealed in every place.
async fn live_in(test: &TestStore) {
    for number in 0..5 {
        test.update(&format!("c{number}")).await;
    }
    for claim in test.claim().await {
        let intent = Intent {
            operation: "create-lead",
            body: b"{\"name\":\"Ada\"}".to_vec(),
            is_create: true,
            idempotency_key: "key".into(),
            match_keys: Vec::new(),
            said: Said::default(),
        };
        let key = EffectKey(format!("lead-of:{}", claim.lease.event));
        test.store.begin_effect(&claim.lease, &key, intent).await.unwrap();
        let id = claim.lease.event.to_string();
        let link = Link::new(contact(&id), lead(&id), System::HighLevel, Base::of_task(true));
        test.store.save_links(&claim.lease, vec![LinkChange::Link(link)]).await.unwrap();
        let base = Base::of_task(false);
        let hand_over = HandOver {
            original: None,
            makes: None,
            base,
            has_rest: false,
            within: SignedDuration::from_hours(1),
        };
        test.store.hand_over(&claim.lease, &key, hand_over, None).await.unwrap();
        let shown = Difference {
            field: "city".into(),
            base: None,
            highlevel: Some("Austin".into()),
            casepeer: None,
            highlevel_changed: None,
            casepeer_changed: None,
        };
        let question = Question {
            kind: ReviewKind::AmbiguousMatch,
            subject: contact(&claim.lease.event.to_string()).to_string(),
            why: "two look alike".into(),
            details: Details { differences: vec![shown], ..Details::default() },
        };
        let asked = test.store.open_review(&firm(), question, None).await.unwrap();
        let answer = Resolution::new(ReviewAction::Ignore);
        test.store.resolve_review(asked, &answer, "maria").await.unwrap();
        let plan = Some(PlanRecord { commands: Vec::new(), remarks: vec!["as it was".into()] });
        let answer = ActionAnswer { status: Some(200), why: None, body: serde_json::json!({}) };
        test.store.save_answer(&claim.lease, answer).await.unwrap();
        let settled = Settlement { plan, ..settlement(Outcome::Done) };
        test.store.settle(&claim.lease, settled).await.unwrap();
        let person = test.store.person_of(&firm(), &contact(&id)).await.unwrap().unwrap();
        test.store.add_hook(super::hooks::new(&id)).await.unwrap();
        test.store.save_rule(&id, "{}", None, "maria").await.unwrap();
        let mapping = test
            .store
            .save_mapping(&casebridge::domain::FirmId::new(&id), Some("{}"), 0, "maria")
            .await
            .unwrap();
        assert_eq!(mapping, Some(1));
        test.store.hold(person, "Byron v. Acme", "maria").await.unwrap();
        let access = Secret::new("access");
        let tokens = Tokens {
            refresh: Some(access.clone()),
            access,
            scopes: None,
            life: SignedDuration::from_hours(24),
            company: None,
        };
        test.store.save_tokens(&Holder::Location(id.clone()), &tokens, None).await.unwrap();
        let account = super::access::new(&id, Role::Viewer, Reach::Everywhere);
        assert!(test.store.add_account(account).await.unwrap());
        test.store.note_deed(AuditEntry::new(&id, Deed::SignedIn).because("as it was")).await.unwrap();
    }
}

async fn assert_it_opens(store: &SharedStore) {
    for row in store.mappings().await.unwrap() {
        assert_eq!(row.json.as_deref(), Some("{}"));
    }
    let filter = casebridge::store::EventFilter { limit: 10, ..Default::default() };
    let events = store.events(filter).await.unwrap();
    assert_eq!(events.len(), 5);
    for row in events {
        assert!(store.payload(row.id).await.unwrap().is_some());
        let story = store.event(row.id).await.unwrap().unwrap();
        assert_eq!(story.plan.unwrap().remarks, ["as it was"]);
        let link = &store.links_of(&firm(), &[lead(&row.id.to_string())]).await.unwrap()[0];
        assert_eq!(link.base, Base::of_task(true));
    }
    for row in store.audit_log(AuditFilter { limit: 10, ..Default::default() }).await.unwrap() {
        assert_eq!(row.reason.as_deref(), Some("as it was"));
        assert!(store.account(&row.who).await.unwrap().unwrap().1.0.reveal().starts_with("$argon2id"));
    }
    let filter = ReviewFilter { with_resolved: true, limit: 10, ..Default::default() };
    for row in store.reviews(filter).await.unwrap() {
        let story = store.review(row.id).await.unwrap().unwrap();
        assert_eq!(story.details.differences[0].highlevel.as_deref(), Some("Austin"));
        assert_eq!(story.resolution.unwrap().action, ReviewAction::Ignore);
    }
}

async fn everything_is_sealed_anew_in_steps_and_the_old_key_may_go(test: &TestStore) {
    live_in(test).await;
    let (old, both, new) = (keyring(&[("k1", 7)]), keyring(&[("k2", 8), ("k1", 7)]), keyring(&[("k2", 8)]));
    let store = test.database.store(&test.clock, both.clone()).await.unwrap();
    assert_eq!(store.sealed_by().await.unwrap(), [("k2".into(), 0), ("k1".into(), 81)]);
    assert_eq!(store.forget_keys().await.unwrap(), [""; 0], "it is needed");
    for place in SealedPlace::ALL {
        // Broken off after one step, and begun anew from the start.
        assert_eq!(store.reseal(place, None, 1).await.unwrap().values, 1, "{place:?}");
        assert_it_opens(&store).await;
        let mut next = None;
        loop {
            let step = store.reseal(place, next, 2).await.unwrap();
            next = step.next;
            if next.is_none() {
                break;
            }
        }
        assert_it_opens(&store).await;
    }
    assert_eq!(store.sealed_by().await.unwrap(), [("k2".into(), 81), ("k1".into(), 0)]);
    assert_eq!(store.forget_keys().await.unwrap(), ["k1"]);
    let alone = test.database.store(&test.clock, new.clone()).await.unwrap();
    assert_it_opens(&alone).await;
    // What is looked up by a keyed hash is found as before, although the key it was made from is gone.
    assert_eq!(old.fingerprint("phone", b"1"), new.fingerprint("phone", b"1"));
    let refused = test.database.store(&test.clock, keyring(&[("k1", 7)])).await.err().unwrap();
    assert!(refused.contains("sealed with the key `k2`, which crypto.keys does not list"), "{refused}");
}

async fn what_is_written_meanwhile_stays(test: &TestStore) {
    live_in(test).await;
    let both = keyring(&[("k2", 8), ("k1", 7)]);
    let store = test.database.store(&test.clock, both).await.unwrap();
    // The service goes on while everything is sealed anew; it knows both keys and seals with the new one.
    let events: Vec<_> = (0..20).map(|number| test.arrival(&format!("new{number}"))).collect();
    let sealing = async {
        for place in SealedPlace::ALL {
            let mut next = None;
            loop {
                next = store.reseal(place, next, 1).await.unwrap().next;
                if next.is_none() {
                    break;
                }
            }
        }
    };
    let working = async {
        for event in events {
            store.record(event).await.unwrap();
            for claim in store.claim("worker", &super::room(5), super::LEASE).await.unwrap() {
                assert!(claim.payload.is_ok());
                let intent = Intent {
                    operation: "create-lead",
                    body: b"{}".to_vec(),
                    is_create: true,
                    idempotency_key: "key".into(),
                    match_keys: Vec::new(),
                    said: Said::default(),
                };
                let key = EffectKey(format!("lead-of:{}", claim.lease.event));
                let begun = store.begin_effect(&claim.lease, &key, intent).await.unwrap();
                assert!(matches!(begun, Begun::Send { .. }));
                store.settle(&claim.lease, settlement(Outcome::Done)).await.unwrap();
            }
        }
    };
    tokio::join!(sealing, working);
    let counts = store.sealed_by().await.unwrap();
    assert_eq!(counts[1], ("k1".into(), 0), "{counts:?}");
    assert_eq!(store.forget_keys().await.unwrap(), ["k1"]);
}
