//! The credential of a CASEpeer account.

use jiff::{SignedDuration, Timestamp};
use oauth2::basic::BasicClient;
use oauth2::{
    AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, RequestTokenError, Scope, TokenResponse,
    TokenUrl,
};
use tokio::sync::Mutex;

use crate::config::{CasePeerAuth, KeyPlace, Secret};
use crate::domain::CallClass;
use crate::vendors::exchange::{Credential, NoAnswer};
use crate::vendors::{Failure, HttpClient};

/// How long before its end a token is renewed.
const AHEAD: SignedDuration = SignedDuration::from_secs(60);
/// How long a token is used whose answer does not say.
const UNSTATED_LIFE: SignedDuration = SignedDuration::from_mins(5);

/// Gives out the token of the moment.
pub(super) struct Auth {
    http: HttpClient,
    kind: CasePeerAuth,
    /// Held while a token is fetched, so that one fetch serves all who wait.
    current: Mutex<Option<Current>>,
}

struct Current {
    token: Secret,
    renew_at: Timestamp,
}

impl Auth {
    pub(super) fn new(http: HttpClient, kind: CasePeerAuth) -> Self {
        Self { http, kind, current: Mutex::new(None) }
    }

    /// The token of the moment, for the kinds of credential that have one.
    pub(super) async fn token(&self) -> Result<Option<Secret>, Failure> {
        let (token_url, client_id, client_secret, scopes) = match &self.kind {
            CasePeerAuth::BearerStatic { token } => return Ok(Some(token.clone())),
            CasePeerAuth::None {} | CasePeerAuth::ApiKey { .. } | CasePeerAuth::Basic { .. } => {
                return Ok(None);
            }
            CasePeerAuth::ClientCredentials { token_url, client_id, client_secret, scopes } => {
                (token_url, client_id, client_secret, scopes)
            }
        };
        let mut current = self.current.lock().await;
        let now = self.http.clock().now();
        if let Some(known) = current.as_ref().filter(|known| now < known.renew_at) {
            return Ok(Some(known.token.clone()));
        }
        let fetched = self.fetch(token_url, client_id, client_secret, scopes).await?;
        let token = fetched.token.clone();
        *current = Some(fetched);
        Ok(Some(token))
    }

    /// What a request proves itself with.
    pub(super) fn credential<'a>(&'a self, token: Option<&'a Secret>) -> Credential<'a> {
        match (&self.kind, token) {
            (CasePeerAuth::ApiKey { r#in: KeyPlace::Header, name, key, .. }, _) => {
                Credential::Header { name, value: key.reveal() }
            }
            (CasePeerAuth::ApiKey { r#in: KeyPlace::Query, name, key, .. }, _) => {
                Credential::Query { name, value: key.reveal() }
            }
            (CasePeerAuth::Basic { user, password }, _) => {
                Credential::Basic { user, password: password.reveal() }
            }
            (_, Some(token)) => Credential::Bearer(token.reveal()),
            (_, None) => Credential::None,
        }
    }

    /// Drops a token that was refused, unless it was renewed meanwhile. Whether another try makes sense.
    pub(super) async fn forget(&self, refused: &Secret) -> bool {
        if !matches!(self.kind, CasePeerAuth::ClientCredentials { .. }) {
            return false;
        }
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|known| known.token.reveal() == refused.reveal()) {
            *current = None;
        }
        true
    }

    async fn fetch(
        &self,
        token_url: &str,
        client_id: &str,
        client_secret: &Secret,
        scopes: &[String],
    ) -> Result<Current, Failure> {
        let failure =
            |class, detail: &str| Failure { class, retry_after: None, detail: detail.into(), answer: None };
        let url = TokenUrl::new(token_url.to_owned())
            .map_err(|_| failure(CallClass::Rejected, "casepeer.auth.token_url is not an address"))?;
        let client = BasicClient::new(ClientId::new(client_id.to_owned()))
            .set_client_secret(ClientSecret::new(client_secret.reveal().to_owned()))
            .set_auth_type(AuthType::RequestBody)
            .set_token_uri(url);
        let asked = client
            .exchange_client_credentials()
            .add_scopes(scopes.iter().map(|scope| Scope::new(scope.clone())))
            .request_async(&|request| carry(self.http.clone(), request))
            .await;
        let answer = asked.map_err(|error| match error {
            RequestTokenError::ServerResponse(_) => {
                failure(CallClass::Unauthorised, "the token endpoint refused the client id or secret")
            }
            RequestTokenError::Request(NoAnswer::Refused(refused)) => {
                failure(CallClass::Rejected, &format!("the token endpoint: {refused}"))
            }
            RequestTokenError::Request(_) => {
                failure(CallClass::Unreachable, "the token endpoint could not be reached")
            }
            _ => failure(CallClass::Unreachable, "the token endpoint's answer is not one of OAuth 2"),
        })?;
        let life =
            answer.expires_in().and_then(|life| SignedDuration::try_from(life).ok()).unwrap_or(UNSTATED_LIFE);
        let renew_at = self.http.clock().now().saturating_add(life - AHEAD).unwrap_or(Timestamp::MAX);
        Ok(Current { token: Secret::new(answer.access_token().secret().clone()), renew_at })
    }
}

/// Carries a request of the oauth2 crate over our client.
async fn carry(http: HttpClient, request: HttpRequest) -> Result<HttpResponse, NoAnswer> {
    let answer = http.execute(request.try_into()?).await?;
    let mut response = HttpResponse::new(answer.body);
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    Ok(response)
}
