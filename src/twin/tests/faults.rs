//! What goes wrong on request.

use super::*;

#[tokio::test]
async fn a_timeout_after_the_effect_leaves_the_effect() {
    let (twin, _) = twin().await;
    let client = Client::casepeer(&twin);
    twin.casepeer.fault(Fault::timeout_before().on("POST", "/leads"));
    assert!(client.try_send(Method::POST, "/leads", &lead("r1"), &[]).await.is_err());
    assert_eq!(twin.casepeer.writes(), 0);
    twin.casepeer.fault(Fault::timeout_after().on("POST", "/leads"));
    assert!(client.try_send(Method::POST, "/leads", &lead("r1"), &[]).await.is_err());
    assert_eq!(twin.casepeer.writes(), 1);
    assert_eq!(client.send(Method::GET, "/leads/L-1", Value::Null).await.0, 200);
}

#[tokio::test]
async fn faults_are_scripted_over_http_too() {
    let (twin, receiver) = twin().await;
    let client = Client::highlevel(&twin);
    let faults = json!([
        {"method": "POST", "path": "/contacts/", "kind": "status", "status": 429, "retry_after": 7},
        {"method": "POST", "path": "/contacts/", "kind": "created_but_422"},
        {"path": "ContactCreate", "kind": "duplicate_webhook"},
        {"vendor": "casepeer", "kind": "status", "status": 500},
    ]);
    assert_eq!(client.send(Method::POST, "/twin/faults", faults).await.0, 201);
    let (status, _) = client.send(Method::POST, "/twin/faults", json!({"kind": "mischief"})).await;
    assert_eq!(status, 422);
    let body = json!({"locationId": twin.highlevel.location(), "firstName": "Ada"});
    let limited = client.try_send(Method::POST, "/contacts/", &body, &[]).await.unwrap();
    assert_eq!((limited.status().as_u16(), &limited.headers()["retry-after"]), (429, &"7".parse().unwrap()));
    assert_eq!(client.send(Method::POST, "/contacts/", body).await.0, 422);
    assert_eq!(twin.highlevel.contacts().len(), 1);
    assert_eq!(Client::casepeer(&twin).send(Method::GET, "/me", Value::Null).await.0, 500);
    assert_eq!(Client::casepeer(&twin).send(Method::GET, "/me", Value::Null).await.0, 200);
    twin.flush().await;
    assert_eq!(receiver.types(), ["ContactCreate", "ContactCreate"]);
}

#[tokio::test]
async fn webhooks_are_lost_held_overtaken_and_late_on_request() {
    let (twin, receiver) = twin().await;
    let highlevel = &twin.highlevel;
    highlevel.drop_next_webhooks(1);
    let id = highlevel.create_contact(ada());
    highlevel.fault(Fault::new(Misbehaviour::ReorderWebhook));
    highlevel.create_note(&id, "first");
    highlevel.add_tags(&id, &["vip"]);
    highlevel.fault(Fault::new(Misbehaviour::LateWebhook { seconds: None }));
    highlevel.delete_contact(&id);
    twin.flush().await;
    assert_eq!(receiver.types(), ["ContactTagUpdate", "NoteCreate"]);
    highlevel.release_late_webhooks();
    twin.flush().await;
    assert_eq!(receiver.types(), ["ContactDelete"]);

    highlevel.hold_webhooks(true);
    let id = highlevel.create_contact(ada());
    highlevel.create_note(&id, "x");
    highlevel.reverse_held();
    twin.flush().await;
    assert!(receiver.take().is_empty());
    highlevel.hold_webhooks(false);
    twin.flush().await;
    assert_eq!(receiver.types(), ["NoteCreate", "ContactCreate"]);
    let lost = highlevel.deliveries().into_iter().find(|delivery| delivery.is_dropped).unwrap();
    assert!(highlevel.redeliver(&lost.id));
    twin.flush().await;
    assert_eq!(receiver.types(), ["ContactCreate"]);
}

#[tokio::test]
async fn the_same_seed_makes_the_same_ids() {
    let make = async || {
        let twin = Twin::start(TwinConfig::new(Arc::new(SystemClock))).await.unwrap();
        (twin.highlevel.public_key(), twin.highlevel.create_contact(ada()))
    };
    let (first, second) = (make().await, make().await);
    assert_eq!(first, second);
    assert_eq!(first.1.len(), 20);
    tokio::time::timeout(Duration::from_secs(5), async {
        Twin::start(TwinConfig::new(Arc::new(SystemClock))).await
    })
    .await
    .unwrap()
    .unwrap()
    .stop()
    .await;
}

#[tokio::test]
async fn a_search_lags_behind_only_while_it_is_scripted() {
    let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
    let twin = Twin::start(TwinConfig::new(clock.clone())).await.unwrap();
    let id = twin.highlevel.create_contact(ada());
    let lag = Misbehaviour::SearchLag { seconds: 5 };
    twin.highlevel.fault(Fault::new(lag).times(u64::MAX));
    let client = Client::highlevel(&twin);
    let search = json!({"locationId": twin.highlevel.location(), "pageLimit": 10,
        "filters": [{"field": "phone", "operator": "eq", "value": "+15550100100"}]});
    let (_, hidden) = client.send(Method::POST, "/contacts/search", search.clone()).await;
    assert_eq!(hidden["total"], 0);
    assert_eq!(client.send(Method::GET, &format!("/contacts/{id}"), Value::Null).await.0, 200);
    clock.advance(jiff::SignedDuration::from_secs(5));
    let (_, shown) = client.send(Method::POST, "/contacts/search", search).await;
    assert_eq!((&shown["total"], &shown["contacts"][0]["id"]), (&json!(1), &json!(id)));
}

#[tokio::test]
async fn a_firm_may_have_several_receivers_and_retries() {
    let (twin, receiver) = twin().await;
    let (other, url) = Receiver::start().await;
    let client = Client::casepeer(&twin);
    let wish = json!({"url": format!("{url}/hook"), "events": ["lead.updated"]});
    let (status, made) = client.send(Method::POST, "/webhooks", wish).await;
    assert_eq!(status, 201);
    client.send(Method::POST, "/leads", lead("r1")).await;
    twin.casepeer.update_lead("L-1", json!({"summary": "hit from behind"}));
    twin.flush().await;
    assert_eq!(receiver.types(), ["lead.created", "lead.updated"]);
    let received = other.take();
    let [(_, headers, body)] = &received[..] else { panic!("one webhook") };
    let at = headers[casepeer_sign::TIMESTAMP_HEADER].to_str().unwrap().parse().unwrap();
    let expected = casepeer_sign::sign(made["secret"].as_str().unwrap().as_bytes(), at, body);
    assert_eq!(headers[casepeer_sign::SIGNATURE_HEADER].to_str().unwrap(), expected);
    let path = format!("/webhooks/{}", made["id"].as_str().unwrap());
    assert_eq!(client.send(Method::DELETE, &path, Value::Null).await.0, 204);

    // Nobody listens there: with retrying on, it is tried until the sender gives up.
    twin.set_bridge("http://127.0.0.1:9");
    twin.casepeer.retry_refused(true);
    twin.casepeer.set_status(&twin.casepeer.convert_lead("L-1"), "Treating");
    twin.flush().await;
    let last = twin.casepeer.deliveries().pop().unwrap();
    assert_eq!((last.attempts, last.last_status), (12, None));
}
