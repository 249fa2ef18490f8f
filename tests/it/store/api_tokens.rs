//! Tokens of programs are known by their digests, and end.

use casebridge::store::{ActionAnswer, NewToken, Settled};
use serde_json::json;

use super::{TestStore, on_both};

on_both!(a_token_is_known_by_its_digest_until_it_ends, an_answer_is_kept_for_whoever_asked);

fn new(id: &str, digest: u8) -> NewToken {
    NewToken {
        id: id.into(),
        name: "zapier".into(),
        digest: [digest; 32],
        firms: vec!["acme".into()],
        actions: vec!["contacts.*".into(), "task.create".into()],
        by: "maria".into(),
    }
}

async fn a_token_is_known_by_its_digest_until_it_ends(test: &TestStore) {
    let store = &test.store;
    store.add_token(new("t1", 1)).await.unwrap();
    store.add_token(new("t2", 2)).await.unwrap();
    assert!(store.add_token(new("t3", 2)).await.is_err(), "no two are the same");
    let token = store.token_by([1; 32]).await.unwrap().unwrap();
    assert_eq!((token.id.as_str(), token.made_by.as_str(), token.revoked_at), ("t1", "maria", None));
    for (action, expected) in [
        ("contacts.add-tags", true),
        ("task.create", true),
        ("task.created", false),
        ("opportunities.x", false),
    ] {
        assert_eq!(token.may_call(action), expected, "{action}");
    }
    assert!(token.is_for("acme") && !token.is_for("bell"));
    assert!(store.revoke_token("t1").await.unwrap());
    assert!(!store.revoke_token("t1").await.unwrap() && !store.revoke_token("nobody").await.unwrap());
    assert_eq!(store.token_by([1; 32]).await.unwrap(), None);
    assert_eq!(store.token_by([9; 32]).await.unwrap(), None);
    let all = store.tokens().await.unwrap();
    assert_eq!(
        all.iter().map(|one| (one.id.as_str(), one.revoked_at.is_some())).collect::<Vec<_>>(),
        [("t1", true), ("t2", false)]
    );
}

async fn an_answer_is_kept_for_whoever_asked(test: &TestStore) {
    test.update("c").await;
    let claim = test.claim_one().await;
    assert_eq!(test.store.answer(claim.lease.event).await.unwrap(), None);
    let answer = |status| ActionAnswer { status: Some(status), why: None, body: json!({ "id": "x" }) };
    for status in [500, 200] {
        assert_eq!(test.store.save_answer(&claim.lease, answer(status)).await.unwrap(), Settled::Yes);
    }
    assert_eq!(test.store.answer(claim.lease.event).await.unwrap(), Some(answer(200)));
    let mut lost = claim.lease.clone();
    lost.claim += 1;
    assert_eq!(test.store.save_answer(&lost, answer(201)).await.unwrap(), Settled::LeaseLost);
}
