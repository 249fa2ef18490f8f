//! HighLevel, for one location.

mod answer;
mod oauth;
mod private;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

pub use self::oauth::{Grant, GrantedTo, OAuthClient};
pub use self::private::PrivateTokens;
use super::exchange::Credential;
use super::{Exchange, Failure, Granted, HttpClient, TokenSource};
use crate::config::Secret;
use crate::domain::Announced;
use crate::domain::CallClass;
use crate::operations::Request;
use crate::telemetry::span_id;

/// The most tokens that are tried for one call.
const MOST_TOKENS: usize = 8;

/// What HighLevel answers with 401 where the token is good and only a scope is missing.
const SCOPE_REFUSAL: &str = "not authorized for this scope";

/// An authorised client of one location.
#[derive(Clone)]
pub struct HighLevelClient {
    http: HttpClient,
    base_url: String,
    tokens: Arc<dyn TokenSource>,
}

impl HighLevelClient {
    /// A client that takes its tokens from there.
    pub fn new(http: HttpClient, base_url: String, tokens: Arc<dyn TokenSource>) -> Self {
        Self { http, base_url, tokens }
    }

    /// The same client with this token and no other, as to try it.
    #[must_use]
    pub fn with_token(&self, token: &Secret) -> Self {
        let tokens = PrivateTokens::new(vec![token.clone()], Arc::clone(self.http.clock()));
        Self { tokens: Arc::new(tokens), ..self.clone() }
    }

    /// The token a call would carry now, and its scopes.
    pub async fn granted(&self) -> Result<Granted, Failure> {
        self.tokens.token().await
    }

    /// Sends a request; `body` replaces the request's own with the exact bytes that were written down before. A token
    /// that is refused is replaced by another, as long as there is one: what HighLevel answers with 401 it has not done.
    pub async fn send(&self, request: &Request, body: Option<Vec<u8>>) -> Exchange {
        let body = body.or_else(|| request.bytes());
        let started_at = self.http.clock().now();
        let mut granted = match self.tokens.token().await {
            Ok(granted) => granted,
            Err(failure) => return unsent(request, started_at, failure),
        };
        let (mut refused, mut calls) = (Vec::new(), 0);
        loop {
            if let Some(scope) = missing_scope(request, &granted) {
                return unsent(request, started_at, self.not_granted(scope));
            }
            let token = Credential::Bearer(granted.token.reveal());
            let exchange = self.http.send(&self.base_url, token, request, body.clone(), &[]).await;
            let exchange = exchange.after(calls);
            calls = exchange.calls;
            if exchange.status() != Some(401) {
                return exchange;
            }
            if is_about_scope(&exchange) {
                return self.lacks_scope(request, exchange);
            }
            refused.push(granted.token);
            match self.tokens.instead_of(&refused).await {
                Ok(Some(other)) if refused.len() < MOST_TOKENS => granted = other,
                Ok(_) => return self.refused(exchange),
                Err(failure) => return unsent(request, started_at, failure).after(calls),
            }
        }
    }

    fn not_granted(&self, scope: &str) -> Failure {
        let detail = format!("was not sent: {}", self.tokens.how_to_grant(scope));
        Failure { class: CallClass::Unpermitted, retry_after: None, detail, answer: None }
    }

    fn lacks_scope(&self, request: &Request, mut exchange: Exchange) -> Exchange {
        if let Err(failure) = &mut exchange.result {
            failure.class = CallClass::Unpermitted;
            let how = request.scope.map(|scope| self.tokens.how_to_grant(scope)).unwrap_or_default();
            failure.detail = format!("{}; {how}", failure.detail);
        }
        exchange
    }

    fn refused(&self, mut exchange: Exchange) -> Exchange {
        if let Err(failure) = &mut exchange.result {
            failure.detail = format!("{}; {}", failure.detail, self.tokens.how_to_renew());
        }
        exchange
    }
}

fn missing_scope(request: &Request, granted: &Granted) -> Option<&'static str> {
    request.scope.filter(|scope| !granted.allows(scope))
}

fn is_about_scope(exchange: &Exchange) -> bool {
    let answer = exchange.result.as_ref().err().and_then(|failure| failure.answer.as_ref());
    let message = answer.and_then(|answer| answer.body.get("message")?.as_str());
    message.is_some_and(|message| message.contains(SCOPE_REFUSAL))
}

/// The record of a call that was never made.
fn unsent(request: &Request, started_at: Timestamp, failure: Failure) -> Exchange {
    Exchange {
        operation: request.operation,
        target: format!("{} {}", request.method.as_str(), request.path),
        started_at,
        duration: Duration::ZERO,
        calls: 0,
        announced: Announced::default(),
        span: span_id(),
        result: Err(failure),
    }
}
