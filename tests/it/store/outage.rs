//! A PostgreSQL that goes away: senders are told at once to come again, and everything goes on when it is back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use casebridge::store::postgres::{CannotOpenPostgres, PostgresOptions, PostgresStore, TimeSource};
use casebridge::store::{Store, StoreError};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use super::TestStore;
use super::databases::keyring;
use crate::support::clock;

/// A way to the database that can be cut.
struct Cable {
    port: u16,
    server: String,
    carrying: Option<AbortHandle>,
}

impl Cable {
    async fn to(server: String) -> Self {
        let mut cable = Self { port: 0, server, carrying: None };
        cable.mend().await;
        cable
    }

    async fn mend(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        self.port = listener.local_addr().unwrap().port();
        let server = self.server.clone();
        let carrying = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                let server = server.clone();
                connections.spawn(async move {
                    let mut far = TcpStream::connect(server).await.unwrap();
                    // Either side may hang up.
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        self.carrying = Some(carrying.abort_handle());
    }

    fn cut(&mut self) {
        self.carrying.take().unwrap().abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_database_is_said_at_once_and_found_again() {
    let Some(test) = TestStore::postgres().await else { return };
    let mut url = reqwest::Url::parse(&test.database.as_postgres().url).unwrap();
    let server = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
    let mut cable = Cable::to(server).await;
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(cable.port)).unwrap();
    let options = PostgresOptions { acquire_timeout: Duration::from_secs(1), ..PostgresOptions::default() };
    let store = PostgresStore::open(url.as_str(), options, keyring(), TimeSource::Clock(clock())).await;
    let store = Arc::new(store.unwrap());
    store.record(test.arrival("c1")).await.unwrap();

    cable.cut();
    for _ in 0..3 {
        let asked = Instant::now();
        let refused = store.record(test.arrival("c2")).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    }
    assert!(store.ping().await.is_err());

    cable.mend().await;
    let back = async { while store.record(test.arrival("c3")).await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(10), back).await.unwrap();
    assert_eq!(test.store.counts().await.unwrap().pending(), 2, "what was refused was not stored");
}

#[tokio::test]
async fn a_database_that_is_not_there_is_waited_for_and_then_named() {
    let options =
        PostgresOptions { connect_timeout: Duration::from_millis(700), ..PostgresOptions::default() };
    let open = |url: &'static str| PostgresStore::open(url, options, keyring(), TimeSource::Database);
    let refused = open("postgres://user:hunter2@127.0.0.1:1/none").await.err().unwrap();
    assert!(matches!(refused, CannotOpenPostgres::Database(_)));
    assert!(!refused.to_string().contains("hunter2"), "{refused}");
    let wrong = open("postgres://user:hunter2@[::1/none").await.err().unwrap();
    assert!(matches!(wrong, CannotOpenPostgres::Url(_)) && !wrong.to_string().contains("hunter2"), "{wrong}");
}
