//! HighLevel as a client sees it.

use super::*;

#[tokio::test]
async fn highlevel_is_strict_about_bodies() {
    let (twin, _) = twin().await;
    let client = Client::highlevel(&twin);
    let location = twin.highlevel.location();
    for (body, message) in [
        (json!({"locationId": location, "ssn": "1"}), "property ssn should not exist"),
        (json!({"locationId": location, "email": 1}), "email must be a string"),
        (json!({"locationId": location, "email": "nobody"}), "email must be an email"),
        (json!({"firstName": "Ada"}), "locationId should not be empty"),
        (json!({"locationId": location, "tags": "a"}), "each value in tags must be a string"),
    ] {
        let (status, answer) = client.send(Method::POST, "/contacts/", body).await;
        assert_eq!(status, 422);
        assert_eq!(answer["message"][0], message);
        assert!(answer["traceId"].is_string());
    }
    assert_eq!(twin.highlevel.writes(), 0);
    twin.stop().await;
}

#[tokio::test]
async fn highlevel_wants_a_token_and_a_known_version() {
    let (twin, _) = twin().await;
    let id = twin.highlevel.create_contact(ada());
    let path = format!("/contacts/{id}");
    let base = twin.highlevel.url();
    for (headers, expected) in [
        (vec![("version", "2023-02-21")], 200),
        (vec![("version", "2020-01-01")], 401),
        (vec![], 401),
        (vec![("version", "2021-07-28"), ("authorization", "Bearer other")], 401),
    ] {
        let mut client = Client { base: base.clone(), headers };
        let foreign = client.headers.iter().position(|(name, _)| *name == "authorization");
        let status = match foreign.map(|at| client.headers.remove(at)) {
            // The client's own token comes first; a second header of the name is not looked at.
            Some((_, token)) => {
                let http = reqwest::Client::builder().no_proxy().build().unwrap();
                let request = http.get(format!("{base}{path}")).header("authorization", token);
                request.header("version", "2021-07-28").send().await.unwrap().status().as_u16()
            }
            None => client.send(Method::GET, &path, Value::Null).await.0,
        };
        assert_eq!(status, expected);
    }
}

#[tokio::test]
async fn a_duplicate_is_refused_with_the_id_of_the_first() {
    let (twin, _) = twin().await;
    let id = twin.highlevel.create_contact(ada());
    let client = Client::highlevel(&twin);
    let body = json!({"locationId": twin.highlevel.location(), "firstName": "A", "phone": "+15550100100"});
    let (status, answer) = client.send(Method::POST, "/contacts/", body).await;
    assert_eq!(status, 400);
    assert_eq!(
        answer["meta"],
        json!({"contactId": id, "matchingField": "phone", "contactName": "Ada Lovelace"})
    );
    let path = format!(
        "/contacts/search/duplicate?locationId={}&email=ADA%40example.com",
        twin.highlevel.location()
    );
    let (_, found) = client.send(Method::GET, &path, Value::Null).await;
    assert_eq!(found["contact"]["id"], id.as_str());
}

#[tokio::test]
async fn a_write_through_the_api_echoes_as_a_signed_webhook() {
    let (twin, receiver) = twin().await;
    twin.highlevel.echo_before_response(true);
    let client = Client::highlevel(&twin);
    let body =
        json!({"locationId": twin.highlevel.location(), "firstName": "Ada", "email": "ada@example.com"});
    let (status, created) = client.send(Method::POST, "/contacts/", body).await;
    assert_eq!(status, 201);

    // No flush: the echo came before the answer.
    let received = receiver.take();
    let [(path, headers, body)] = &received[..] else { panic!("one webhook") };
    assert_eq!(path, "/webhooks/highlevel");
    let key = STANDARD.decode(twin.highlevel.public_key()).unwrap();
    let signature = STANDARD.decode(&headers[highlevel_sign::SIGNATURE_HEADER]).unwrap();
    UnparsedPublicKey::new(&ED25519, &key[12..]).verify(body, &signature).unwrap();
    let body = body_of(body);
    assert_eq!(body["type"], "ContactCreate");
    assert_eq!(body["id"], created["contact"]["id"]);
    assert!(body["webhookId"].is_string() && body["timestamp"].is_string());
    assert_eq!(twin.highlevel.writes(), 1);
    twin.stop().await;
}

#[tokio::test]
async fn tasks_and_notes_leave_the_contacts_date_alone() {
    let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
    let twin = Twin::start(TwinConfig::new(clock.clone())).await.unwrap();
    let id = twin.highlevel.create_contact(ada());
    clock.advance(jiff::SignedDuration::from_secs(60));
    let client = Client::highlevel(&twin);
    let task = json!({"title": "Call", "dueDate": "2026-01-02T00:00:00Z", "completed": false});
    let (status, task) = client.send(Method::POST, &format!("/contacts/{id}/tasks"), task).await;
    assert_eq!(status, 201);
    let path = format!("/contacts/{id}/tasks/{}/completed", task["task"]["id"].as_str().unwrap());
    assert_eq!(client.send(Method::PUT, &path, json!({"completed": true})).await.0, 200);
    assert_eq!(
        client.send(Method::POST, &format!("/contacts/{id}/notes"), json!({"body": "x"})).await.0,
        201
    );
    let contact = twin.highlevel.contact(&id).unwrap();
    assert_eq!(contact["dateUpdated"], "2026-01-01T00:00:00.000Z");
    let types: Vec<_> = twin.highlevel.deliveries().into_iter().map(|delivery| delivery.kind).collect();
    assert_eq!(types, ["ContactCreate", "TaskCreate", "TaskComplete", "NoteCreate"]);
}

#[tokio::test]
async fn highlevel_limits_a_burst() {
    let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
    let twin = Twin::start(TwinConfig::new(clock.clone())).await.unwrap();
    twin.highlevel.set_limits(2, 200_000);
    let client = Client::highlevel(&twin);
    let path = format!("/locations/{}", twin.highlevel.location());
    let answer = client.try_send(Method::GET, &path, &Value::Null, &[]).await.unwrap();
    assert_eq!(answer.headers()["x-ratelimit-remaining"], "1");
    assert_eq!(client.send(Method::GET, &path, Value::Null).await.0, 200);
    assert_eq!(client.send(Method::GET, &path, Value::Null).await.0, 429);
    clock.advance(jiff::SignedDuration::from_secs(10));
    assert_eq!(client.send(Method::GET, &path, Value::Null).await.0, 200);
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_thirty_seconds() {
    let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
    let twin = Twin::start(TwinConfig::new(clock.clone())).await.unwrap();
    let http =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let choose = format!(
        "{}/oauth/chooselocation?response_type=code&client_id=twinapp-1&redirect_uri=http://bridge/cb&state=s",
        twin.highlevel.url()
    );
    let redirect = http.get(choose).send().await.unwrap().headers()["location"].to_str().unwrap().to_owned();
    let code = redirect.split("code=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    assert!(redirect.ends_with("&state=s"));
    let token = async |grant: &str, name: &str, value: &str| {
        let form = [
            ("client_id", "twinapp-1"),
            ("client_secret", "twin-secret"),
            ("grant_type", grant),
            (name, value),
        ];
        let answer =
            http.post(format!("{}/oauth/token", twin.highlevel.url())).form(&form).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, first) = token("authorization_code", "code", &code).await;
    assert_eq!(status, 200);
    let refresh = first["refresh_token"].as_str().unwrap();
    let (_, second) = token("refresh_token", "refresh_token", refresh).await;
    let (_, again) = token("refresh_token", "refresh_token", refresh).await;
    assert_eq!(second["refresh_token"], again["refresh_token"]);
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    clock.advance(jiff::SignedDuration::from_secs(31));
    assert_eq!(token("refresh_token", "refresh_token", refresh).await.0, 400);
}
