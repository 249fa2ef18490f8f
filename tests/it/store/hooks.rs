//! Hooks are made, fail, end and go.

use casebridge::store::{HookTarget, NewHook};
use jiff::SignedDuration;

use super::{TestStore, on_both};

on_both!(a_hook_is_kept_until_it_ends);

pub fn new(id: &str) -> NewHook {
    let target =
        HookTarget { url: "https://www.example.com/1".into(), secret: "whsec_aa".into(), before: None };
    NewHook {
        id: id.into(),
        firm: "acme".into(),
        trigger: "webhook.ContactCreate".into(),
        token: "t1".into(),
        target,
    }
}

async fn a_hook_is_kept_until_it_ends(test: &TestStore) {
    let store = &test.store;
    let mut changes = 0;
    let mut has_grown = async || {
        let now = store.hooks_changed().await.unwrap();
        std::mem::replace(&mut changes, now) < now
    };
    store.add_hook(new("h1")).await.unwrap();
    store.add_hook(new("h2")).await.unwrap();
    assert!(has_grown().await);
    let hooks = store.hooks().await.unwrap();
    assert_eq!((hooks.len(), hooks[0].target == new("h1").target), (2, true));
    let began = store.note_delivery("h1", false).await.unwrap();
    assert_eq!(began, Some(test.now()));
    test.pass(SignedDuration::from_hours(1));
    assert_eq!(store.note_delivery("h1", false).await.unwrap(), began, "since the first that failed");
    assert_eq!(store.note_delivery("h1", true).await.unwrap(), None);
    assert!(!has_grown().await);
    let target = HookTarget { before: Some(("whsec_aa".into(), test.now())), ..new("h1").target };
    assert!(store.retarget_hook("h1", &target).await.unwrap() && has_grown().await);
    assert!(store.hooks().await.unwrap()[0].target == target);
    store.end_hook("h1", "nobody listens").await.unwrap();
    assert!(has_grown().await);
    assert_eq!(store.hooks().await.unwrap()[0].ended.as_ref().unwrap().1, "nobody listens");
    assert!(!store.retarget_hook("h1", &target).await.unwrap());
    assert!(!store.remove_hook("h2", "another").await.unwrap());
    assert!(store.remove_hook("h2", "t1").await.unwrap() && store.remove_hook("h1", "t1").await.unwrap());
    assert!(store.hooks().await.unwrap().is_empty() && has_grown().await);
    assert!(!store.remove_hook("h2", "t1").await.unwrap());
}
