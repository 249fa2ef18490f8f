//! Stands between the bridge and a vendor: counts requests, and holds one at the door or on its way back.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use tokio::sync::Notify;

use super::PATIENCE;

/// Where a request is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// It has left the bridge and not reached the vendor.
    BeforeTheEffect,
    /// The vendor has done it, and the answer has not reached the bridge.
    AfterTheEffect,
}

struct Hold {
    method: &'static str,
    path: &'static str,
    passing: usize,
    held: Held,
}

/// The door of one vendor.
#[derive(Clone)]
pub struct Gate {
    pub url: String,
    door: Arc<Door>,
}

struct Door {
    vendor: String,
    http: reqwest::Client,
    passed: Mutex<Vec<String>>,
    inside: AtomicUsize,
    most: AtomicUsize,
    hold: Mutex<Vec<Hold>>,
    holds: Notify,
    released: Notify,
}

impl Gate {
    /// A door to the vendor at this address, whose path it keeps.
    pub async fn to(vendor: &str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = vendor.trim_end_matches("/api/v1");
        let path = &vendor[origin.len()..];
        let url = format!("http://{}{path}", listener.local_addr().unwrap());
        let door = Arc::new(Door {
            vendor: origin.to_owned(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            passed: Mutex::default(),
            inside: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            hold: Mutex::default(),
            holds: Notify::new(),
            released: Notify::new(),
        });
        let router = Router::new().fallback(pass).with_state(Arc::clone(&door));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, door }
    }

    /// Holds the next request like this until it is released, after `passing` of them.
    pub fn hold(&self, method: &'static str, path: &'static str, passing: usize, held: Held) {
        self.door.hold.lock().unwrap().push(Hold { method, path, passing, held });
    }

    /// Lets go of the request that has been held the longest.
    pub fn release(&self) {
        self.door.released.notify_one();
    }

    /// Resolves when the request is being held.
    pub async fn holds(&self) {
        let held = tokio::time::timeout(PATIENCE, self.door.holds.notified()).await;
        assert!(held.is_ok(), "no such request came");
    }

    /// How many requests of this method with this in their path have come.
    pub fn count(&self, method: &str, path: &str) -> usize {
        let passed = self.door.passed.lock().unwrap();
        passed.iter().filter(|line| line.starts_with(method) && line.contains(path)).count()
    }

    /// The most requests that were inside at once since the last time this was asked.
    pub fn take_most(&self) -> usize {
        self.door.most.swap(0, Ordering::SeqCst)
    }
}

async fn pass(State(door): State<Arc<Door>>, request: Request<Body>) -> Response {
    let most = door.inside.fetch_add(1, Ordering::SeqCst) + 1;
    door.most.fetch_max(most, Ordering::SeqCst);
    let answer = through(&door, request).await;
    door.inside.fetch_sub(1, Ordering::SeqCst);
    answer
}

async fn through(door: &Door, request: Request<Body>) -> Response {
    let line = format!("{} {}", request.method(), request.uri().path());
    let held = door.is_to_hold(&line);
    door.passed.lock().unwrap().push(line);
    if held == Some(Held::BeforeTheEffect) {
        door.keep().await;
    }
    let (head, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let url = format!("{}{}", door.vendor, head.uri);
    let answer = door.http.request(head.method, url).headers(head.headers).body(body).send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = answer.bytes().await.unwrap();
    if held == Some(Held::AfterTheEffect) {
        door.keep().await;
    }
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

impl Door {
    fn is_to_hold(&self, line: &str) -> Option<Held> {
        let mut hold = self.hold.lock().unwrap();
        let is_wanted = |hold: &Hold| line.starts_with(hold.method) && line.contains(hold.path);
        let position = hold.iter().position(is_wanted)?;
        if hold[position].passing > 0 {
            hold[position].passing -= 1;
            return None;
        }
        Some(hold.remove(position).held)
    }

    async fn keep(&self) {
        self.holds.notify_one();
        self.released.notified().await;
    }
}
