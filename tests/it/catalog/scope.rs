//! A scope that was not granted stops an action before anything is sent.

use std::sync::Arc;

use async_trait::async_trait;
use casebridge::clock::SharedClock;
use casebridge::config::Secret;
use casebridge::domain::CallClass;
use casebridge::operations::catalog::{self, System};
use casebridge::vendors::highlevel::HighLevelClient;
use casebridge::vendors::{Failure, Granted, Guard, HttpClient, TokenSource};

use super::requests::recorder;
use super::{actions, examples, firm};

/// A connection that was granted these scopes.
struct With(Vec<String>);

#[async_trait]
impl TokenSource for With {
    async fn token(&self) -> Result<Granted, Failure> {
        Ok(Granted { token: Secret::new("t"), scopes: Some(self.0.clone().into()) })
    }

    async fn instead_of(&self, _refused: &[Secret]) -> Result<Option<Granted>, Failure> {
        Ok(None)
    }

    fn how_to_grant(&self, scope: &str) -> String {
        format!("grant {scope}")
    }

    fn how_to_renew(&self) -> String {
        String::new()
    }
}

#[tokio::test]
async fn an_action_without_its_scope_is_not_sent() {
    let (server, installation) = recorder().await;
    let firm = firm(&installation);
    let url = server.uri();
    let clock: SharedClock = installation.clock.clone();
    let http = HttpClient::new(clock, Guard::new([url.as_str()]));
    let client = |scopes: &[&str]| {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        HighLevelClient::new(http.clone(), url.clone(), Arc::new(With(scopes)))
    };
    let without = client(&[]);
    let mut scopes = Vec::new();
    for entry in actions(System::HighLevel) {
        let Some(scope) = &entry.scope else { continue };
        let request = entry.request(&examples(entry), &firm.location).unwrap();
        let exchange = without.send(&request, None).await;
        let failure = exchange.result.unwrap_err();
        assert_eq!(failure.class, CallClass::Unpermitted, "{}", entry.id);
        assert_eq!(failure.detail, format!("was not sent: grant {scope}"));
        scopes.push(scope);
    }
    assert!(scopes.len() > 80 && server.received_requests().await.unwrap().is_empty());
    let entry = catalog::find("workflows.get-workflow").unwrap();
    let request = entry.request(&examples(entry), &firm.location).unwrap();
    let with = client(&["workflows.readonly"]);
    assert!(with.send(&request, None).await.result.is_ok());
}
