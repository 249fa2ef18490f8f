//! What the embedded store asks SQLite for while it works on events: found by an index, however many events there are.

use std::sync::Arc;

use casebridge::clock::SystemClock;
use casebridge::crypto::{Keyring, random_key};
use casebridge::store::sqlite::SqliteStore;
use rusqlite::Connection;

use crate::house::{rust_files, source};

/// Where statements stand that people wait for, or that run once: they may read everything.
const MAY_READ_ALL: [&str; 6] =
    ["listing.rs", "mod.rs", "tests.rs", "backup.rs", "keeping/retention.rs", "keeping/erase.rs"];
/// Tables that are small however long a bridge runs, and reads of few rows of a large one.
const FEW: [&str; 18] = [
    "SCAN quota",
    "SCAN seal_check",
    "SCAN parking",
    "SCAN next",
    "SCAN CONSTANT ROW",
    "SCAN event USING INDEX event_lease",
    "SCAN credential",
    "SCAN connect_link",
    "SCAN installation",
    "SCAN rule",
    "SCAN saved",
    "SCAN mapping",
    "SCAN json_each",
    "SCAN hook",
    "SCAN api_token",
    "SCAN account",
    "SCAN setup_link",
    "SCAN activity_hour",
];

#[test]
fn working_on_an_event_reads_no_table_from_end_to_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bridge.db");
    let keyring = Arc::new(Keyring::new([("k".to_owned(), random_key())]).unwrap());
    SqliteStore::open(&path, keyring, Arc::new(SystemClock)).unwrap();
    let connection = Connection::open(&path).unwrap();
    let files = rust_files("src/store/sqlite");
    let files = files.iter().filter(|file| !MAY_READ_ALL.iter().any(|name| file.ends_with(name)));
    let (mut statements, mut wrong) = (0, Vec::new());
    for file in files {
        for sql in sql(&source(file)) {
            statements += 1;
            for step in plan(&connection, &sql) {
                if step.starts_with("SCAN")
                    && !FEW.iter().any(|few| step == *few || step.starts_with(&format!("{few} ")))
                {
                    wrong.push(format!("{file}: {step}: {sql}"));
                }
            }
        }
    }
    assert!(statements > 30, "only {statements} statements were found");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The statements of a file: its literals that begin with one of SQL's verbs.
fn sql(text: &str) -> Vec<String> {
    let head = "state IN ('ready', 'running', 'retrying', 'parked')";
    let is_statement = |literal: &&str| {
        ["SELECT ", "UPDATE ", "INSERT ", "DELETE ", "WITH "].iter().any(|verb| literal.starts_with(verb))
    };
    text.split('"').filter(is_statement).map(|literal| literal.replace("{HEAD}", head)).collect()
}

fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let steps =
        explain.query_map(rusqlite::params_from_iter(vec![""; explain.parameter_count()]), |row| row.get(3));
    steps.unwrap().collect::<Result<_, _>>().unwrap()
}
