//! Who may sign in, who is signed in, and what people did.

use casebridge::config::Secret;
use casebridge::domain::{Deed, FirmId, Reach, Role};
use casebridge::store::{AuditEntry, AuditFilter, Changed, NewAccount, PasswordHash};
use jiff::SignedDuration;

use super::{TestStore, firm, on_both};

on_both!(
    the_first_administrator_is_made_once,
    the_last_administrator_stays,
    a_session_ends_when_idle_and_at_the_end_of_the_day,
    a_change_of_rights_or_password_ends_sessions,
    tries_are_counted_within_a_window,
    the_audit_log_is_read_by_firm_and_page,
);

const HOUR: SignedDuration = SignedDuration::from_hours(1);

pub fn new(name: &str, role: Role, reach: Reach) -> NewAccount {
    NewAccount { name: name.into(), role, reach, password: PasswordHash(Secret::new("$argon2id$of it")) }
}

fn at_acme() -> Reach {
    Reach::Firms([firm()].into())
}

async fn the_first_administrator_is_made_once(test: &TestStore) {
    let first = || new("ada", Role::Admin, Reach::Everywhere);
    assert!(!test.store.set_up([1; 32], first()).await.unwrap(), "no link was offered");
    assert!(test.store.offer_setup([1; 32], HOUR).await.unwrap());
    assert!(test.store.offer_setup([2; 32], HOUR).await.unwrap());
    assert!(!test.store.is_setup_link([1; 32]).await.unwrap(), "the newer link takes its place");
    test.pass(HOUR);
    assert!(!test.store.is_setup_link([2; 32]).await.unwrap());
    assert!(!test.store.set_up([2; 32], first()).await.unwrap(), "it is over");
    assert!(test.store.offer_setup([3; 32], HOUR).await.unwrap());
    let race = (test.store.set_up([3; 32], first()), test.store.set_up([3; 32], first()));
    let (one, other) = tokio::join!(race.0, race.1);
    assert!(one.unwrap() ^ other.unwrap(), "one of two who open the link at once");
    assert!(!test.store.set_up([3; 32], new("eve", Role::Admin, Reach::Everywhere)).await.unwrap());
    assert!(!test.store.offer_setup([4; 32], HOUR).await.unwrap(), "there is somebody now");
    let (account, password) = test.store.account("ada").await.unwrap().unwrap();
    assert_eq!((account.role, account.reach), (Role::Admin, Reach::Everywhere));
    assert_eq!(password.0.reveal(), "$argon2id$of it");
}

async fn the_last_administrator_stays(test: &TestStore) {
    assert!(test.store.add_account(new("ada", Role::Admin, Reach::Everywhere)).await.unwrap());
    assert!(!test.store.add_account(new("ada", Role::Viewer, at_acme())).await.unwrap());
    assert!(test.store.add_account(new("bo", Role::Admin, at_acme())).await.unwrap());
    assert_eq!(test.store.remove_account("ada").await.unwrap(), Changed::LastAdmin);
    assert_eq!(test.store.change_account("ada", Role::Admin, &at_acme()).await.unwrap(), Changed::LastAdmin);
    assert_eq!(test.store.change_account("bo", Role::Admin, &Reach::Everywhere).await.unwrap(), Changed::Yes);
    let (one, other) = tokio::join!(test.store.remove_account("ada"), test.store.remove_account("bo"));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!((one == Changed::Yes) ^ (other == Changed::Yes), "{one:?} {other:?}");
    assert_eq!(test.store.accounts().await.unwrap().len(), 1);
    assert_eq!(test.store.remove_account("nobody").await.unwrap(), Changed::Nobody);
}

async fn a_session_ends_when_idle_and_at_the_end_of_the_day(test: &TestStore) {
    test.store.add_account(new("ada", Role::Operator, at_acme())).await.unwrap();
    test.store.open_session([1; 32], "ada", HOUR).await.unwrap();
    let account = test.store.session([1; 32], HOUR).await.unwrap().unwrap();
    assert_eq!((account.name.as_str(), account.role, account.reach), ("ada", Role::Operator, at_acme()));
    assert!(test.store.session([2; 32], HOUR).await.unwrap().is_none());
    let most = SignedDuration::from_mins(50);
    for _ in 0..14 {
        test.pass(most);
        assert!(test.store.session([1; 32], HOUR).await.unwrap().is_some(), "it is used");
    }
    test.pass(most);
    assert!(test.store.session([1; 32], HOUR).await.unwrap().is_none(), "12 h are over");
    test.store.open_session([3; 32], "ada", HOUR).await.unwrap();
    test.pass(HOUR);
    assert!(test.store.session([3; 32], HOUR).await.unwrap().is_none(), "it was idle");
    test.store.open_session([4; 32], "ada", HOUR).await.unwrap();
    assert_eq!(test.store.end_session([4; 32]).await.unwrap().as_deref(), Some("ada"));
    assert!(test.store.session([4; 32], HOUR).await.unwrap().is_none());
}

async fn a_change_of_rights_or_password_ends_sessions(test: &TestStore) {
    test.store.add_account(new("root", Role::Admin, Reach::Everywhere)).await.unwrap();
    test.store.add_account(new("ada", Role::Operator, Reach::Everywhere)).await.unwrap();
    let signed_in = async |token: u8| {
        test.store.open_session([token; 32], "ada", HOUR).await.unwrap();
        assert!(test.store.session([token; 32], HOUR).await.unwrap().is_some());
    };
    let is_out = async |token: u8| test.store.session([token; 32], HOUR).await.unwrap().is_none();
    signed_in(1).await;
    assert_eq!(test.store.change_account("ada", Role::Viewer, &at_acme()).await.unwrap(), Changed::Yes);
    assert!(is_out(1).await);
    signed_in(2).await;
    assert!(test.store.change_password("ada", PasswordHash(Secret::new("other"))).await.unwrap());
    assert!(is_out(2).await);
    signed_in(3).await;
    assert_eq!(test.store.remove_account("ada").await.unwrap(), Changed::Yes);
    assert!(is_out(3).await);
    assert!(!test.store.change_password("ada", PasswordHash(Secret::new("x"))).await.unwrap());
}

async fn tries_are_counted_within_a_window(test: &TestStore) {
    let count = async |by: u8| test.store.count_try([by; 32], HOUR).await.unwrap();
    assert_eq!([count(1).await, count(1).await, count(2).await], [1, 2, 1]);
    test.pass(HOUR);
    assert_eq!(count(1).await, 1, "the window is over");
    test.store.forget_tries([1; 32]).await.unwrap();
    assert_eq!(count(1).await, 1);
}

async fn the_audit_log_is_read_by_firm_and_page(test: &TestStore) {
    let entry = |who: &str| AuditEntry::new(who, Deed::Revealed);
    test.store.note_deed(entry("ada").at(&firm()).about("event 1").because("Ada called")).await.unwrap();
    test.store.note_deed(entry("bo").at(&FirmId::new("other"))).await.unwrap();
    test.store.note_deed(AuditEntry::new("ada", Deed::SignedIn)).await.unwrap();
    let all = AuditFilter { limit: 10, ..AuditFilter::default() };
    let rows = test.store.audit_log(all.clone()).await.unwrap();
    assert_eq!(
        rows.iter().map(|row| row.what).collect::<Vec<_>>(),
        [Deed::SignedIn, Deed::Revealed, Deed::Revealed]
    );
    assert_eq!((rows[2].about.as_deref(), rows[2].reason.as_deref()), (Some("event 1"), Some("Ada called")));
    let at_acme = AuditFilter { within: Some(vec![firm()]), ..all.clone() };
    assert_eq!(test.store.audit_log(at_acme).await.unwrap(), rows[2..]);
    let nowhere = AuditFilter { within: Some(Vec::new()), ..all.clone() };
    assert!(test.store.audit_log(nowhere).await.unwrap().is_empty());
    let of_bo = AuditFilter { who: Some("bo".into()), ..all.clone() };
    assert_eq!(test.store.audit_log(of_bo).await.unwrap(), rows[1..2]);
    let older = AuditFilter { before: Some(rows[0].id), limit: 1, ..all };
    assert_eq!(test.store.audit_log(older).await.unwrap(), rows[1..2]);
}

#[test]
fn no_line_of_the_audit_log_can_be_changed_or_taken_out() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bridge.db");
    let clock = crate::support::clock();
    casebridge::store::sqlite::SqliteStore::open(&path, super::keyring(), clock).unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    let insert = "INSERT INTO audit (id, at, who, what) VALUES (x'00', 1, 'ada', 'signed_in')";
    connection.execute(insert, []).unwrap();
    for forbidden in ["DELETE FROM audit", "UPDATE audit SET who = 'bo'", "UPDATE audit SET at = 2"] {
        let error = connection.execute(forbidden, []).unwrap_err().to_string();
        assert!(error.contains("the audit log is only added to"), "{forbidden}: {error}");
    }
    connection.execute("UPDATE audit SET sealed_reason = x'01'", []).unwrap();
}
