//! What is about people is in no byte of a database: not in its tables, indexes or log, not in a backup.

use casebridge::domain::{
    Base, Cause, Details, EffectKey, Field, Fields, Link, Outcome, Question, ReviewKind, Shown, System,
};
use casebridge::store::{Arrival, Intent, LinkChange, PlanRecord, Said, Settlement};
use sqlx::{AssertSqlSafe, Row};

use super::{TestStore, contact, firm, lead, on_both, settlement};

on_both!(what_is_about_people_is_in_no_byte,);

/// Words that stand nowhere else, one in each place that holds something about people.
const PLANTED: [&str; 7] = [
    "Zyxwa-in-the-body",
    "Zyxwb-in-the-request",
    "Zyxwc-in-the-base",
    "Zyxwd-in-the-plan",
    "Zyxwe-in-the-question",
    "Zyxwf-in-the-hold",
    "Zyxwg-in-the-stranger",
];

async fn live(test: &TestStore) {
    let body = format!("{{\"name\":\"{}\"}}", PLANTED[0]);
    test.record(Arrival { payload: body.into_bytes().into(), ..test.arrival("c1") }).await;
    let claim = test.claim_one().await;
    let intent = Intent {
        operation: "create-lead",
        body: PLANTED[1].into(),
        is_create: true,
        idempotency_key: "k".into(),
        match_keys: vec![[3; 32]],
        said: Said::default(),
    };
    test.store.begin_effect(&claim.lease, &EffectKey("lead-of:c1".into()), intent).await.unwrap();
    let fields = Fields::default().with(Field::FirstName, PLANTED[2]);
    let base = Base { fields, ..Base::default() };
    let link = LinkChange::Link(Link::new(contact("c1"), lead("l1"), System::HighLevel, base));
    test.store.save_links(&claim.lease, vec![link]).await.unwrap();
    let shown = Shown::of(&contact("c1"), &Fields::default().with(Field::FirstName, PLANTED[4]));
    let question = Question {
        kind: ReviewKind::AmbiguousMatch,
        subject: contact("c1").to_string(),
        why: "two look alike".into(),
        details: Details { highlevel: vec![shown], ..Details::default() },
    };
    test.store.open_review(&firm(), question, None).await.unwrap();
    let plan = Some(PlanRecord { commands: Vec::new(), remarks: vec![PLANTED[3].into()] });
    test.store.settle(&claim.lease, Settlement { plan, ..settlement(Outcome::Done) }).await.unwrap();
    let person = test.store.person_of(&firm(), &contact("c1")).await.unwrap().unwrap();
    test.store.hold(person, PLANTED[5], "maria").await.unwrap();
    let undeliverable = Some((Cause::Unreadable, "cannot be read".to_owned()));
    let payload = PLANTED[6].as_bytes().into();
    test.record(Arrival { payload, undeliverable, ..test.arrival("c2") }).await;
}

/// Every byte that the database has on disk for this test, and its log.
async fn bytes(test: &TestStore) -> Vec<u8> {
    if !test.is_postgres() {
        let folder = test.database_path();
        let files = std::fs::read_dir(folder.parent().unwrap()).unwrap();
        return files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
    }
    let mut connection = test.connect().await;
    sqlx::query("CHECKPOINT").execute(&mut connection).await.unwrap();
    let sql = "SELECT pg_relation_filepath(oid) FROM pg_class WHERE relkind IN ('r', 'i', 't', 'm', 'S')
        AND relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('public', 'pg_toast'))
        AND pg_relation_filepath(oid) IS NOT NULL
        UNION ALL SELECT 'pg_wal/' || pg_walfile_name(pg_current_wal_insert_lsn())";
    let mut all = Vec::new();
    for row in sqlx::query(sql).fetch_all(&mut connection).await.unwrap() {
        let path: String = row.try_get(0).unwrap();
        let sql = format!("SELECT pg_read_binary_file('{path}', 0, 1000000000, true)");
        let read: Option<Vec<u8>> =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap();
        all.extend(read.unwrap_or_default());
    }
    all
}

async fn what_is_about_people_is_in_no_byte(test: &TestStore) {
    live(test).await;
    let bytes = bytes(test).await;
    let holds = |part: &str| bytes.windows(part.len()).any(|window| window == part.as_bytes());
    // What names nobody is there in the clear, so the right bytes were looked at.
    assert!(holds("lead-of:c1") && holds("ContactUpdate"), "{} bytes", bytes.len());
    for planted in PLANTED {
        assert!(!holds(planted), "{planted}");
    }
}
