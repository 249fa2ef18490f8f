//! HighLevel, for one location.

use super::exchange::Credential;
use super::{Exchange, HttpClient};
use crate::config::Secret;
use crate::operations::Request;

/// An authorised client of one location.
#[derive(Clone)]
pub struct HighLevelClient {
    http: HttpClient,
    base_url: String,
    token: Secret,
}

impl HighLevelClient {
    /// A client with a private integration token, which does not change
    /// (help.gohighlevel.com, "Private Integrations").
    pub fn new(http: HttpClient, base_url: String, token: Secret) -> Self {
        Self { http, base_url, token }
    }

    /// Sends a request; `body` replaces the request's own with the exact bytes that were written down before.
    pub async fn send(&self, request: &Request, body: Option<Vec<u8>>) -> Exchange {
        let body = body.or_else(|| request.bytes());
        self.http.send(&self.base_url, Credential::Bearer(self.token.reveal()), request, body, &[]).await
    }
}
