//! The program takes a changed configuration over when it is told to, and refuses a wrong one.

use std::sync::Arc;

use casebridge::clock::{Clock, SystemClock};
use casebridge::twin::{Twin, TwinConfig};
use casebridge::webhook::casepeer::sign::sign;
use reqwest::StatusCode;
use rustix::process::Signal;
use serde_json::Value;

use crate::crash::child::{Child, Home};
use crate::crash::{Database, PATIENCE, eventually};
use crate::support::{SYNC, Vendors};

/// What a webhook is answered that is signed with this secret.
async fn webhook(child: &Child, secret: &str, id: &str) -> StatusCode {
    let body = format!("{{\"id\":\"{id}\",\"type\":\"other\"}}");
    let now = SystemClock.now().as_second();
    let request = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = request.post(format!("{}/webhooks/casepeer/twin-inbound", child.url));
    let request = request
        .header("x-casepeer-timestamp", now.to_string())
        .header("x-casepeer-signature", sign(secret.as_bytes(), now, body.as_bytes()));
    request.body(body).send().await.unwrap().status()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hang_up_takes_the_file_over_and_a_wrong_one_changes_nothing() {
    let twin = Twin::start(TwinConfig::new(Arc::new(SystemClock))).await.unwrap();
    let (highlevel, casepeer) = (twin.highlevel.url(), twin.casepeer.url());
    let vendors = Vendors {
        highlevel_url: &highlevel,
        highlevel_key: &twin.highlevel.public_key(),
        location: twin.highlevel.location(),
        highlevel_token: "twin-token",
        casepeer_url: &casepeer,
        casepeer_token: "twin-token",
        inbound_token: "twin-inbound",
        webhook_secret: "twin-webhook-secret",
    };
    let (directory, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let home = Home {
        directory: directory.path(),
        data: data.path(),
        database: &Database::Sqlite,
        drain_seconds: 0,
    };
    let child = Child::start_logging(&home, &vendors, SYNC, "info").await;
    let says = async |words: &str| {
        let look = async || child.log().contains(words).then_some(());
        eventually(words, PATIENCE, look).await;
    };
    // The file is as it was: only a signal has it read.
    child.signal(Signal::HUP);
    says("the configuration was read anew: nothing of it changed").await;

    let path = directory.path().join("casebridge.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let newer = directory.path().join("webhook-newer");
    std::fs::write(&newer, "the-secret-after-the-rotation").unwrap();
    assert_eq!(webhook(&child, "the-secret-after-the-rotation", "e1").await, StatusCode::UNAUTHORIZED);
    let listed = format!("webhook_secrets = [{{ file = {:?} }}, ", newer.display().to_string());
    let text = text.replace("webhook_secrets = [", &listed);
    std::fs::write(&path, &text).unwrap();
    child.signal(Signal::HUP);
    says("the configuration was read anew: firms.acme.casepeer.webhook_secrets").await;
    assert_eq!(webhook(&child, "the-secret-after-the-rotation", "e2").await, StatusCode::ACCEPTED);
    // Its age is known from the moment it is in force.
    let ages: Value =
        reqwest::get(format!("{}/api/v1/secrets", child.admin_url)).await.unwrap().json().await.unwrap();
    let origin = format!("file {}", newer.display());
    let age = ages.as_array().unwrap().iter().find(|age| age["origin"] == origin.as_str());
    let age = age.unwrap_or_else(|| panic!("{origin} is not in {ages}"));
    assert_eq!((&age["age_days"], &age["is_due"]), (&Value::from(0), &Value::from(false)));

    std::fs::write(&path, text.replace("[firms.casepeer]\n", "[firms.casepeer]\nprofile = \"caseper\"\n"))
        .unwrap();
    child.signal(Signal::HUP);
    says("the changed configuration was refused, and the one before stays in force").await;
    says("no profile is called `caseper`").await;
    assert_eq!(webhook(&child, "the-secret-after-the-rotation", "e3").await, StatusCode::ACCEPTED);
}
