//! CASEpeer, for one account, as its profile says.

mod auth;

use self::auth::Auth;
use super::{Exchange, Failure, HttpClient};
use crate::config::CasePeerAuth;
use crate::domain::Announced;
use crate::operations::Request;
use crate::operations::casepeer::Profile;

/// An authorised client of one account.
pub struct CasePeerClient {
    http: HttpClient,
    base_url: String,
    auth: Auth,
    profile: Profile,
}

impl CasePeerClient {
    /// A client with this credential.
    pub fn new(http: HttpClient, base_url: String, auth: CasePeerAuth, profile: Profile) -> Self {
        Self { auth: Auth::new(http.clone(), auth), http, base_url, profile }
    }

    /// How the account is reached.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Sends a request; `body` replaces the request's own with the exact bytes that were written down before. A
    /// token that is refused is renewed once, where it can be.
    pub async fn send(
        &self,
        request: &Request,
        body: Option<Vec<u8>>,
        idempotency_key: Option<&str>,
    ) -> Exchange {
        let body = body.or_else(|| request.body.as_ref().map(|json| json.to_string().into_bytes()));
        let headers: Vec<_> = idempotency_key.map(|key| ("Idempotency-Key", key)).into_iter().collect();
        let started_at = self.http.clock().now();
        let failed = |failure: Failure| Exchange {
            operation: request.operation,
            target: format!("{} {}", request.method.as_str(), request.path),
            started_at,
            duration: std::time::Duration::ZERO,
            announced: Announced::default(),
            result: Err(failure),
        };
        let token = match self.auth.token().await {
            Ok(token) => token,
            Err(failure) => return failed(failure),
        };
        let exchange = self.http.send(&self.base_url, token.reveal(), request, body.clone(), &headers).await;
        if exchange.status() != Some(401) || !self.auth.forget(&token).await {
            return exchange;
        }
        match self.auth.token().await {
            Ok(token) => self.http.send(&self.base_url, token.reveal(), request, body, &headers).await,
            Err(failure) => failed(failure),
        }
    }
}
