//! People are told what needs them, once, in their own words, and told when it is over.

use std::sync::Arc;

use casebridge::bridge::Watchman;
use casebridge::http;
use casebridge::twin::NewContact;
use hmac::{Hmac, KeyInit, Mac};
use jiff::SignedDuration;
use serde_json::Value;
use sha2::Sha256;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::TestBridge;

const SECRET: &str = "a-secret-of-the-signed-webhook";

/// A bridge that tells a chat and a program.
async fn told_by(server: &MockServer, more: &str) -> TestBridge {
    let url = server.uri();
    let more = more.to_owned();
    TestBridge::edited(move |text, directory| {
        let secret = |name: &str, value: &str| {
            let path = directory.join(name);
            std::fs::write(&path, value).unwrap();
            format!("{{ file = {:?} }}", path.display().to_string())
        };
        let (chat, key) = (secret("chat", &format!("{url}/chat")), secret("hook-secret", SECRET));
        format!(
            "{text}\n[notifications]\n{more}\nslack = {{ url = {chat} }}\nwebhook = {{ url = \"{url}/hook\", secret = {key} }}\n"
        )
    })
    .await
}

async fn server() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(path("/chat")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    Mock::given(path("/hook")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    server
}

/// What the chat was told.
async fn chat(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    let chat = requests.iter().filter(|request| request.url.path() == "/chat");
    chat.map(|request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        body["text"].as_str().unwrap().to_owned()
    })
    .collect()
}

fn contact(number: u32) -> NewContact {
    NewContact {
        email: format!("p{number}@example.com"),
        phone: format!("+1 512 555 01{number:02}"),
        first_name: format!("Person{number}"),
        ..crate::story::ada()
    }
}

async fn look_after(bridge: &TestBridge, watch: &Watchman, minutes: i64) {
    bridge.installation.clock.advance(SignedDuration::from_mins(minutes));
    watch.look().await.unwrap();
}

#[tokio::test]
async fn a_dead_credential_is_told_once_and_told_to_be_over() {
    let server = server().await;
    let bridge = told_by(&server, "").await;
    let watch = bridge.installation.watch();
    watch.look().await.unwrap();
    assert!(chat(&server).await.is_empty(), "nothing is wrong");
    bridge.casepeer.revoke_token("twin-token");
    for number in 1..=3 {
        bridge.highlevel.create_contact(contact(number));
    }
    bridge.settle().await;
    look_after(&bridge, &watch, 12).await;
    let expected =
        "acme: 3 new leads have not reached CASEpeer for 12 minutes: its credential was refused at 12:00";
    assert_eq!(chat(&server).await, [expected]);
    for _ in 0..4 {
        look_after(&bridge, &watch, 1).await;
    }
    assert_eq!(chat(&server).await.len(), 1, "once while it lasts");

    // The program that listens can trust what it hears.
    let requests = server.received_requests().await.unwrap();
    let hook = requests.iter().find(|request| request.url.path() == "/hook").unwrap();
    let header = |name: &str| hook.headers.get(name).unwrap().to_str().unwrap().to_owned();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{}.{}.", header("webhook-id"), header("webhook-timestamp")).as_bytes());
    mac.update(&hook.body);
    use base64::Engine as _;
    let expected = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
    assert_eq!(header("webhook-signature"), format!("v1,{expected}"));
    let body: Value = serde_json::from_slice(&hook.body).unwrap();
    assert_eq!(
        (&body["type"], &body["data"]["kind"]),
        (&"casebridge.alert.open".into(), &"credential".into())
    );

    bridge.casepeer.accept_token("twin-token");
    bridge.installation.store.resume(&casebridge::domain::FirmId::new("acme")).await.unwrap();
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 3);
    look_after(&bridge, &watch, 2).await;
    let told = chat(&server).await;
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].starts_with("Over since 12:18, after 6 minutes: acme: "), "{told:?}");
    look_after(&bridge, &watch, 5).await;
    assert_eq!(chat(&server).await.len(), 2);
    for text in told {
        assert!(!text.contains("Person") && !text.contains("512"), "{text}");
    }
}

#[tokio::test]
async fn a_channel_that_fails_is_tried_again_and_keeps_nothing_from_the_others() {
    let server = MockServer::start().await;
    Mock::given(path("/chat")).respond_with(ResponseTemplate::new(500)).up_to_n_times(2).mount(&server).await;
    Mock::given(path("/chat")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    Mock::given(path("/hook")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let bridge = told_by(&server, "").await;
    bridge.casepeer.revoke_token("twin-token");
    bridge.highlevel.create_contact(contact(1));
    bridge.settle().await;
    let watch = bridge.installation.watch();
    watch.look().await.unwrap();
    let hooks = async || {
        let requests = server.received_requests().await.unwrap();
        requests.iter().filter(|request| request.url.path() == "/hook").count()
    };
    assert_eq!((chat(&server).await.len(), hooks().await), (1, 1));
    // Another instance goes on where this one ended.
    let another = bridge.installation.watch();
    for _ in 0..5 {
        look_after(&bridge, &another, 3).await;
    }
    assert_eq!((chat(&server).await.len(), hooks().await), (3, 1));
}

#[tokio::test]
async fn quiet_hours_wait_for_the_morning() {
    let server = server().await;
    // It is 12:00.
    let quiet = "quiet = { from = \"11:00\", until = \"13:00\", for_urgent_too = true }";
    let bridge = told_by(&server, quiet).await;
    bridge.casepeer.revoke_token("twin-token");
    bridge.highlevel.create_contact(contact(1));
    bridge.settle().await;
    let watch = bridge.installation.watch();
    watch.look().await.unwrap();
    look_after(&bridge, &watch, 30).await;
    assert!(chat(&server).await.is_empty());
    look_after(&bridge, &watch, 31).await;
    assert_eq!(chat(&server).await.len(), 1);
}

#[tokio::test]
async fn a_changed_signing_key_is_noticed_and_the_sweep_heals_what_was_refused() {
    let server = server().await;
    let bridge = told_by(&server, "").await;
    let watch = bridge.installation.watch();
    bridge.highlevel.create_contact(contact(1));
    bridge.settle().await;
    // HighLevel signs with another key from now on.
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/webhooks/highlevel", bridge.installation.url);
    bridge.highlevel.drop_next_webhooks(6);
    for number in 2..=7 {
        bridge.highlevel.create_contact(contact(number));
        let sent = http.post(&url).header("x-ghl-signature", "AAAA").body("{}").send().await.unwrap();
        assert_eq!(sent.status(), 401);
    }
    watch.look().await.unwrap();
    let told = chat(&server).await;
    assert!(
        told[0].starts_with("Webhooks from HighLevel fail verification since 12:00: 6 were refused"),
        "{told:?}"
    );
    bridge.installation.clock.advance(SignedDuration::from_hours(3));
    let firm = casebridge::domain::FirmId::new("acme");
    let swept = bridge.installation.bridge.reconcile(&firm, Default::default(), &mut |_| {}).await.unwrap();
    assert_eq!(swept.gaps.len(), 6, "{swept:?}");
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 7);
    // The key is put right: the next webhook is accepted, and that is told.
    bridge.highlevel.create_contact(contact(8));
    bridge.settle().await;
    watch.look().await.unwrap();
    let told = chat(&server).await;
    assert!(told.iter().any(|text| text.starts_with("Over since 15:00")), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_comes_through_the_whole_path_and_no_vendor_hears_of_it() {
    let bridge = TestBridge::start().await;
    let public = bridge.installation.public_router();
    let (one, other) = (public.clone(), Arc::clone(&bridge.installation.bridge));
    let probing = tokio::spawn(async move { http::probe(one, &other).await });
    let through = loop {
        bridge.installation.step().await;
        if probing.is_finished() {
            break probing.await.unwrap().unwrap().expect("a firm that is not parked");
        }
        tokio::task::yield_now().await;
    };
    let story = bridge.installation.store.event(through.event).await.unwrap().unwrap();
    assert_eq!(story.row.state, casebridge::domain::EventState::NothingToDo);
    assert_eq!((story.verified_by.as_str(), story.calls.len(), bridge.writes()), ("ed25519", 0, 0));
    // The bridge's own key is good for this process alone.
    let another = bridge.installation.another_bridge(bridge.installation.store.clone());
    assert_ne!(another.sign_probe(b"x"), bridge.installation.bridge.sign_probe(b"x"));

    // Nobody works: that is noticed, and told.
    bridge.installation.store.pause(&casebridge::domain::FirmId::new("acme"), "x").await.unwrap();
    assert!(http::probe(public, &bridge.installation.bridge).await.unwrap().is_none(), "a pause is no fault");
    let watch = bridge.installation.watch();
    watch.probed(Err("it was answered with 429".into())).await.unwrap();
    let open = bridge.installation.store.open_alerts().await.unwrap();
    assert!(open[0].message.contains("did not come through: it was answered with 429"), "{open:?}");
    watch.probed(Ok(())).await.unwrap();
    assert!(bridge.installation.store.open_alerts().await.unwrap().is_empty());
}

/// A mail server (RFC 5321) for one mail, and what it was told.
async fn mail_server() -> (u16, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let told = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (read, mut write) = stream.into_split();
        let (mut lines, mut told, mut is_data) = (BufReader::new(read).lines(), Vec::new(), false);
        write.write_all(b"220 mail.test\r\n").await.unwrap();
        while let Ok(Some(line)) = lines.next_line().await {
            let reply = match line.split([' ', ':']).next().unwrap_or_default() {
                "." if is_data => {
                    is_data = false;
                    "250 kept\r\n"
                }
                _ if is_data => "",
                "DATA" => {
                    is_data = true;
                    "354 go on\r\n"
                }
                "QUIT" => "221 bye\r\n",
                _ => "250 ok\r\n",
            };
            told.push(line.clone());
            if write.write_all(reply.as_bytes()).await.is_err() || line == "." || line == "QUIT" {
                break;
            }
        }
        told
    });
    (port, told)
}

#[tokio::test]
async fn an_alert_comes_by_mail() {
    let (port, told) = mail_server().await;
    let bridge = TestBridge::edited(|text, _| {
        format!(
            "{text}\n[notifications.email]\nto = [\"ops@example.com\"]\nserver = \"127.0.0.1\"\nport = {port}\nencryption = \"none\"\nfrom = \"bridge@example.com\"\n"
        )
    })
    .await;
    bridge.casepeer.revoke_token("twin-token");
    bridge.highlevel.create_contact(contact(1));
    bridge.settle().await;
    bridge.installation.watch().look().await.unwrap();
    let told = told.await.unwrap();
    assert!(told.iter().any(|line| line == "RCPT TO:<ops@example.com>"), "{told:#?}");
    let text = told.join("\n");
    assert!(text.contains("Subject: Casebridge: acme: 1 new lead has not reached CASEpeer"), "{text}");
    assert!(text.contains("its credential was refused at 12:00"), "{text}");
}

#[tokio::test]
async fn a_firm_that_is_added_while_it_runs_is_told_of_by_its_name() {
    let server = server().await;
    let bridge = told_by(&server, "").await;
    let watch = bridge.installation.watch();
    watch.look().await.unwrap();
    let text = std::fs::read_to_string(bridge.installation.directory().join("casebridge.toml")).unwrap();
    let mut config = casebridge::config::parse("test.toml", &text, &Vec::new()).unwrap();
    let mut bell = config.firms[0].clone();
    (bell.id, bell.name) = ("bell".into(), Some("Bell & Sons".into()));
    bell.highlevel.location_id = "bellLocation00000001".into();
    bell.casepeer.inbound_token = casebridge::config::Secret::new("bell-inbound-token");
    config.firms.push(bell);
    bridge.installation.bridge.reload(&config).unwrap();
    bridge
        .installation
        .store
        .record(undeliverable("bell", bridge.installation.clock.as_ref()))
        .await
        .unwrap();
    look_after(&bridge, &watch, 1).await;
    let told = chat(&server).await;
    assert!(told.len() == 1 && told[0].starts_with("Bell & Sons: "), "{told:?}");
}

/// A webhook of this firm that could not be taken further.
fn undeliverable(firm: &str, clock: &dyn casebridge::clock::Clock) -> casebridge::store::Arrival {
    use casebridge::domain::{Cause, EventId, FirmId, System};
    casebridge::store::Arrival {
        id: EventId(uuid::Uuid::now_v7()),
        firm: FirmId::new(firm),
        source: System::HighLevel,
        kind: "ContactCreate".into(),
        delivery_key: casebridge::store::DeliveryKey::Sender("w1".into()),
        records: Vec::new(),
        proof: "ed25519",
        payload: b"{}".to_vec().into(),
        sent_at: None,
        received_at: clock.now(),
        is_update: false,
        undeliverable: Some((Cause::Unreadable, "it is of another time".into())),
        trace: None,
    }
}
