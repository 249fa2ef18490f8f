//! Authorisations: a new token replaces only the one it came of, one process renews at a time, a link is good once.

use casebridge::config::Secret;
use casebridge::domain::FirmId;
use casebridge::store::{ConnectLink, Holder, RenewalLease, Saved, Tokens};
use jiff::SignedDuration;

use super::{TestStore, firm, on_both};

const LEASE: SignedDuration = SignedDuration::from_secs(20);

on_both!(
    a_new_token_replaces_only_the_one_it_came_of,
    one_process_renews_at_a_time,
    a_link_is_used_once_by_whoever_comes_first,
    a_link_and_a_journey_end,
    a_refusal_is_about_one_revision,
    an_installation_is_listed_until_it_is_retired,
    tokens_lie_sealed_in_their_row,
);

fn location() -> Holder {
    Holder::Location("loc".into())
}

fn tokens(name: &str) -> Tokens {
    Tokens {
        access: Secret::new(format!("access-{name}")),
        refresh: Some(Secret::new(format!("refresh-{name}"))),
        scopes: Some("contacts.readonly contacts.write".into()),
        life: SignedDuration::from_secs(86_399),
        company: Some("com".into()),
    }
}

async fn access(test: &TestStore) -> String {
    test.store.credential(&location()).await.unwrap().unwrap().access.reveal().to_owned()
}

async fn a_new_token_replaces_only_the_one_it_came_of(test: &TestStore) {
    let save = async |name, over| test.store.save_tokens(&location(), &tokens(name), over).await.unwrap();
    assert_eq!(save("1", None).await, Saved::Yes(1));
    assert_eq!(save("2", Some(1)).await, Saved::Yes(2));
    assert_eq!(save("late", Some(1)).await, Saved::Outdated);
    assert_eq!(access(test).await, "access-2");
    let known = test.store.credential(&location()).await.unwrap().unwrap();
    assert_eq!(known.refresh.unwrap().reveal(), "refresh-2");
    assert_eq!(known.row.scopes, ["contacts.readonly", "contacts.write"]);
    assert_eq!(known.row.expires_at, test.now() + SignedDuration::from_secs(86_399));
    // What an answer leaves out stays; what a person gives anew stands whatever was there.
    let silent = Tokens { scopes: None, company: None, ..tokens("3") };
    assert_eq!(test.store.save_tokens(&location(), &silent, Some(2)).await.unwrap(), Saved::Yes(3));
    let row = test.store.credentials().await.unwrap().remove(0);
    assert_eq!((row.scopes.len(), row.company.as_deref()), (2, Some("com")));
    assert_eq!(save("person", None).await, Saved::Yes(4));
    assert!(!test.store.drop_credential(&location(), 3).await.unwrap());
    assert!(test.store.drop_credential(&location(), 4).await.unwrap());
    assert!(test.store.credential(&location()).await.unwrap().is_none());
}

async fn one_process_renews_at_a_time(test: &TestStore) {
    let lease = async |owner: &str| test.store.lease_renewal(&location(), owner, LEASE).await.unwrap();
    assert!(matches!(lease("a").await, RenewalLease::Unknown));
    test.store.save_tokens(&location(), &tokens("1"), None).await.unwrap();
    assert!(matches!(lease("a").await, RenewalLease::Ours(_)));
    assert!(matches!(lease("b").await, RenewalLease::Theirs(_)));
    assert!(matches!(lease("a").await, RenewalLease::Ours(_)), "who has it gets it again");
    test.pass(LEASE - SignedDuration::from_secs(1));
    assert!(matches!(lease("b").await, RenewalLease::Theirs(_)));
    test.pass(SignedDuration::from_secs(1));
    assert!(matches!(lease("b").await, RenewalLease::Ours(_)), "a lease ends by itself");
    test.store.end_renewal(&location(), "a").await.unwrap();
    assert!(matches!(lease("c").await, RenewalLease::Theirs(_)), "nobody ends another's");
    test.store.end_renewal(&location(), "b").await.unwrap();
    assert!(matches!(lease("c").await, RenewalLease::Ours(_)));
    test.store.save_tokens(&location(), &tokens("2"), Some(1)).await.unwrap();
    assert!(
        matches!(lease("d").await, RenewalLease::Ours(known) if known.row.revision == 2),
        "saving ends it"
    );
}

async fn a_link_is_used_once_by_whoever_comes_first(test: &TestStore) {
    let (store, hour) = (&test.store, SignedDuration::from_hours(1));
    store.make_link([1; 32], &firm(), hour).await.unwrap();
    assert_eq!(store.link([9; 32]).await.unwrap(), ConnectLink::Unknown);
    assert_eq!(store.use_link([9; 32], hour).await.unwrap(), ConnectLink::Unknown);
    for _ in 0..3 {
        assert_eq!(
            store.link([1; 32]).await.unwrap(),
            ConnectLink::For(firm()),
            "looking does not use it up"
        );
    }
    let both = tokio::join!(store.use_link([1; 32], hour), store.use_link([1; 32], hour));
    let both = [both.0.unwrap(), both.1.unwrap()];
    assert!(both.contains(&ConnectLink::For(firm())) && both.contains(&ConnectLink::Used), "{both:?}");
    assert_eq!(store.link([1; 32]).await.unwrap(), ConnectLink::Used);
}

async fn a_link_and_a_journey_end(test: &TestStore) {
    let (store, minute) = (&test.store, SignedDuration::from_mins(1));
    let until = store.make_link([1; 32], &firm(), minute).await.unwrap();
    assert_eq!(until, test.now() + minute);
    store.make_link([2; 32], &FirmId::new("bell"), minute).await.unwrap();
    test.pass(minute);
    assert_eq!(store.link([1; 32]).await.unwrap(), ConnectLink::Expired);
    assert_eq!(store.use_link([1; 32], minute).await.unwrap(), ConnectLink::For(firm()), "who left in time");
    test.pass(minute);
    assert_eq!(store.use_link([2; 32], minute).await.unwrap(), ConnectLink::Expired);
}

async fn a_refusal_is_about_one_revision(test: &TestStore) {
    let refused = async || test.store.credentials().await.unwrap()[0].refused_why.clone();
    test.store.save_tokens(&location(), &tokens("1"), None).await.unwrap();
    test.store.note_refusal(&location(), 7, "no").await.unwrap();
    assert_eq!(refused().await, None);
    test.store.note_refusal(&location(), 1, "no").await.unwrap();
    assert_eq!(refused().await.as_deref(), Some("no"));
    test.store.save_tokens(&location(), &tokens("2"), None).await.unwrap();
    assert_eq!(refused().await, None, "a new token is not refused");
}

async fn an_installation_is_listed_until_it_is_retired(test: &TestStore) {
    let (store, begun) = (&test.store, test.now());
    store.note_installed(&location(), Some("com"), None).await.unwrap();
    test.pass(SignedDuration::from_mins(1));
    store.note_installed(&location(), None, Some("Acme")).await.unwrap();
    let one = store.installations().await.unwrap().remove(0);
    assert_eq!((one.company.as_deref(), one.name.as_deref()), (Some("com"), Some("Acme")));
    assert_eq!((one.installed_at, one.retired_at), (begun, None));
    store.retire(&location()).await.unwrap();
    assert_eq!(store.installations().await.unwrap()[0].retired_at, Some(test.now()));
    store.note_installed(&location(), None, None).await.unwrap();
    let again = store.installations().await.unwrap().remove(0);
    assert_eq!((again.installed_at, again.retired_at), (test.now(), None));
}

async fn tokens_lie_sealed_in_their_row(test: &TestStore) {
    test.store.save_tokens(&location(), &tokens("planted"), None).await.unwrap();
    let (access, refresh) = test.database.stored_tokens().await;
    for sealed in [&access, &refresh] {
        assert!(!sealed.windows(7).any(|window| window == b"planted"));
    }
    test.database.exchange_tokens(&access, &refresh).await;
    let moved = test.store.credential(&location()).await.unwrap_err().to_string();
    assert!(moved.contains("cannot be opened"), "{moved}");
    let shown = format!("{:?}", tokens("planted"));
    assert!(!shown.contains("planted"), "{shown}");
}
