//! CASEpeer as a client sees it.

use super::*;

#[tokio::test]
async fn the_same_key_and_body_get_the_first_answer() {
    let (twin, receiver) = twin().await;
    let client = Client::casepeer(&twin);
    let key = [("idempotency-key", "k1")];
    let (status, first) = client.send_with(Method::POST, "/leads", lead("r1"), &key).await;
    assert_eq!(status, 201);
    let (status, second) = client.send_with(Method::POST, "/leads", lead("r1"), &key).await;
    assert_eq!((status, &second), (201, &first));
    let (status, other) = client.send_with(Method::POST, "/leads", lead("r2"), &key).await;
    assert_eq!((status, &other["error"]["code"]), (422, &json!("idempotency_mismatch")));
    let (status, duplicate) = client.send(Method::POST, "/leads", lead("r1")).await;
    assert_eq!((status, &duplicate["existing_id"]), (409, &first["id"]));
    assert_eq!(twin.casepeer.writes(), 1);
    assert_eq!(twin.casepeer.ledger()[0].idempotency_key.as_deref(), Some("k1"));
    twin.flush().await;
    assert_eq!(receiver.types(), ["lead.created"]);
}

#[tokio::test]
async fn a_stale_version_is_refused_and_an_empty_change_is_silent() {
    let (twin, receiver) = twin().await;
    let client = Client::casepeer(&twin);
    client.send(Method::POST, "/leads", lead("r1")).await;
    let patch = json!({"client": {"email": "ada@example.com"}});
    let (status, changed) =
        client.send_with(Method::PATCH, "/leads/L-1", patch.clone(), &[("if-match", "\"1\"")]).await;
    assert_eq!((status, &changed["client"]["email"]), (200, &json!("ada@example.com")));
    let (status, _) =
        client.send_with(Method::PATCH, "/leads/L-1", patch.clone(), &[("if-match", "\"1\"")]).await;
    assert_eq!(status, 412);
    let answer = client.try_send(Method::PATCH, "/leads/L-1", &patch, &[]).await.unwrap();
    assert_eq!(answer.headers()["etag"], format!("\"{}\"", changed["version"].as_str().unwrap()));
    assert!(answer.headers().contains_key("x-request-id"));
    twin.flush().await;
    assert_eq!(receiver.types(), ["lead.created", "lead.updated"]);
}

#[tokio::test]
async fn casepeer_is_strict_about_bodies() {
    let (twin, _) = twin().await;
    let client = Client::casepeer(&twin);
    for (body, fields) in [
        (json!({}), json!([{"path": "client", "code": "required"}])),
        (
            json!({"client": {"first_name": "A", "last_name": "B", "phone": "1", "ssn": "2"}}),
            json!([{"path": "client.ssn", "code": "unknown_property"}]),
        ),
        (
            json!({"client": {"first_name": "A", "phone": "1"}}),
            json!([{"path": "client.last_name", "code": "required"}]),
        ),
        (
            json!({"client": {"first_name": "A", "last_name": "B"}}),
            json!([{"path": "client.phone", "code": "one_of_required"},
                {"path": "client.email", "code": "one_of_required"}]),
        ),
    ] {
        let (status, answer) = client.send(Method::POST, "/leads", body).await;
        assert_eq!((status, &answer["error"]["fields"]), (422, &fields));
        assert!(answer["error"]["request_id"].is_string());
    }
}

#[tokio::test]
async fn a_signed_case_tells_its_status_with_a_fresh_signature_each_time() {
    let (twin, receiver) = twin().await;
    let lead = twin.casepeer.create_lead(NewLead {
        first_name: "Ada".into(),
        last_name: "Lovelace".into(),
        phone: "+15550100100".into(),
        ..NewLead::default()
    });
    let case = twin.casepeer.convert_lead(&lead);
    twin.casepeer.set_status(&case, "Treating");
    twin.casepeer.redeliver_last();
    twin.flush().await;
    let received = receiver.take();
    let (path, headers, body) = received.last().unwrap();
    assert_eq!(path, "/webhooks/casepeer/twin-inbound");
    let at = headers[casepeer_sign::TIMESTAMP_HEADER].to_str().unwrap().parse().unwrap();
    let expected = casepeer_sign::sign(b"twin-webhook-secret", at, body);
    assert_eq!(headers[casepeer_sign::SIGNATURE_HEADER].to_str().unwrap(), expected);
    let body = body_of(body);
    assert_eq!(body["previous"], json!({"status": "Intake"}));
    assert_eq!(body["data"]["case"]["lead_id"], lead.as_str());
    let types: Vec<_> = received.iter().map(|(_, _, body)| body_of(body)["type"].clone()).collect();
    assert_eq!(types, ["lead.created", "case.created", "case.status_changed", "case.status_changed"]);
    assert_eq!(twin.casepeer.writes(), 0);
}

#[tokio::test]
async fn pages_follow_their_cursor() {
    let (twin, _) = twin().await;
    for number in 0..5 {
        let first_name = format!("P{number}");
        twin.casepeer.create_lead(NewLead { first_name, phone: format!("{number}"), ..NewLead::default() });
    }
    let client = Client::casepeer(&twin);
    let mut path = "/leads?limit=2".to_owned();
    let mut ids = Vec::new();
    loop {
        let (_, page) = client.send(Method::GET, &path, Value::Null).await;
        ids.extend(
            page["data"].as_array().unwrap().iter().map(|lead| lead["id"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = page["page"]["next_cursor"].as_str() else { break };
        path = format!("/leads?limit=2&cursor={cursor}");
    }
    assert_eq!(ids, ["L-1", "L-2", "L-3", "L-4", "L-5"]);
    let (_, found) = client.send(Method::GET, "/leads?phone=3", Value::Null).await;
    assert_eq!(found["data"][0]["id"], "L-4");
}

#[tokio::test]
async fn client_credentials_open_what_their_scope_names() {
    let (twin, _) = twin().await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "twin-client"),
        ("client_secret", "twin-secret"),
        ("scope", "leads:read"),
    ];
    let answer: Value =
        http.post(twin.casepeer.token_url()).form(&form).send().await.unwrap().json().await.unwrap();
    let token = answer["access_token"].as_str().unwrap();
    let get = async |path: &str| {
        http.get(twin.casepeer.url() + path).bearer_auth(token).send().await.unwrap().status().as_u16()
    };
    assert_eq!(get("/leads").await, 200);
    assert_eq!(get("/cases").await, 403);
    twin.casepeer.expire_tokens();
    assert_eq!(get("/leads").await, 401);
}

#[tokio::test]
async fn the_catch_hook_takes_whatever_comes() {
    let (twin, _) = twin().await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = http.post(twin.casepeer.zap_url()).json(&json!({"bridge_ref": "b1"})).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    assert_eq!(twin.casepeer.hand_offs(), [json!({"bridge_ref": "b1"})]);
}
