//! The twin, looked at from outside: over HTTP, as a client and as a receiver of webhooks.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Fault, Misbehaviour, NewContact, NewLead, Twin, TwinConfig};
use crate::clock::{ManualClock, SystemClock};
use crate::webhook::{casepeer::sign as casepeer_sign, highlevel::sign as highlevel_sign};

mod casepeer;
mod faults;
mod highlevel;

type Received = (String, HeaderMap, Bytes);

/// A receiver of webhooks that accepts everything, and what it got.
#[derive(Clone, Default)]
struct Receiver(Arc<Mutex<Vec<Received>>>);

impl Receiver {
    async fn start() -> (Self, String) {
        let receiver = Self::default();
        let router = Router::new()
            .fallback(async |State(Self(inbox)): State<Self>, uri: Uri, headers: HeaderMap, body: Bytes| {
                inbox.lock().unwrap().push((uri.path().to_owned(), headers, body));
                StatusCode::ACCEPTED
            })
            .with_state(receiver.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (receiver, url)
    }

    fn take(&self) -> Vec<Received> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    fn types(&self) -> Vec<String> {
        self.take().iter().map(|(_, _, body)| body_of(body)["type"].as_str().unwrap().to_owned()).collect()
    }
}

fn body_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

async fn twin() -> (Twin, Receiver) {
    let twin = Twin::start(TwinConfig::new(Arc::new(SystemClock))).await.unwrap();
    let (receiver, url) = Receiver::start().await;
    twin.set_bridge(&url);
    (twin, receiver)
}

fn ada() -> NewContact {
    NewContact {
        first_name: "Ada".into(),
        last_name: "Lovelace".into(),
        email: "Ada@example.com".into(),
        phone: "(555) 010-0100".into(),
        ..NewContact::default()
    }
}

struct Client<'a> {
    base: String,
    headers: Vec<(&'a str, &'a str)>,
}

impl Client<'_> {
    fn highlevel(twin: &Twin) -> Self {
        Self { base: twin.highlevel.url(), headers: vec![("version", "2021-07-28")] }
    }

    fn casepeer(twin: &Twin) -> Self {
        Self { base: twin.casepeer.url(), headers: Vec::new() }
    }

    async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        more: &[(&str, &str)],
    ) -> reqwest::Result<Response> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let mut request = client.request(method, format!("{}{path}", self.base)).bearer_auth("twin-token");
        for (name, value) in self.headers.iter().chain(more) {
            request = request.header(*name, *value);
        }
        if !body.is_null() {
            request = request.json(body);
        }
        request.send().await
    }

    async fn send(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        self.send_with(method, path, body, &[]).await
    }

    async fn send_with(
        &self,
        method: Method,
        path: &str,
        body: Value,
        more: &[(&str, &str)],
    ) -> (u16, Value) {
        let response = self.try_send(method, path, &body, more).await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap_or_default())
    }
}

fn lead(reference: &str) -> Value {
    json!({"external_ref": reference, "case_type": "Auto Accident",
        "client": {"first_name": "Ada", "last_name": "Lovelace", "phone": "+15550100100"}})
}
