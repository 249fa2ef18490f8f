//! An account's OAuth 2, as its profile and the firm's configuration describe the vendor's: client credentials (RFC 6749
//! section 4.4), or a code that a person gave in the browser (section 4.1, with PKCE, RFC 7636) and refresh tokens.

use jiff::SignedDuration;
use oauth2::basic::{BasicClient, BasicTokenResponse};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    PkceCodeChallenge, PkceCodeVerifier, RefreshToken, Scope, TokenResponse, TokenUrl,
};

use crate::config::{OAuthSettings, Secret};
use crate::domain::CallClass;
use crate::operations::casepeer::{ClientAuth, Provider, TokenBody};
use crate::vendors::oauth::{Carrier, failure};
use crate::vendors::{HttpClient, Issued, OwnAddress, Surface, TokenError};

/// How long before its end a token is renewed, unless profile or configuration say otherwise.
const AHEAD: SignedDuration = SignedDuration::from_secs(60);

type Client<HasTokenUrl> =
    BasicClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, HasTokenUrl>;

/// A client at the token endpoint of one account.
pub struct AccountClient {
    http: HttpClient,
    client: Client<EndpointSet>,
    provider: Provider,
    own: Option<OwnAddress>,
    host: String,
}

impl AccountClient {
    /// The client of these settings, where the profile says this of its vendor. `own` is where the browser is sent back
    /// to.
    pub fn new(
        http: HttpClient,
        settings: &OAuthSettings,
        profile: &Provider,
        own: Option<&OwnAddress>,
    ) -> Result<Self, String> {
        let provider = settings.over(profile);
        let wrong = |key: &str| format!("casepeer.auth.{key} is not an address");
        let token_url = provider.token_url.clone().unwrap_or_default();
        let token_url = TokenUrl::new(token_url).map_err(|_| wrong("token_url"))?;
        let host = token_url.url().host_str().ok_or_else(|| wrong("token_url"))?.to_owned();
        let mut client = BasicClient::new(ClientId::new(settings.client_id.clone()))
            .set_auth_type(match provider.client_auth {
                ClientAuth::Body => AuthType::RequestBody,
                ClientAuth::Basic => AuthType::BasicAuth,
            })
            .set_token_uri(token_url);
        if let Some(secret) = &settings.client_secret {
            client = client.set_client_secret(ClientSecret::new(secret.reveal().to_owned()));
        }
        Ok(Self { http, client, provider, own: own.cloned(), host })
    }

    /// The host that gives out its tokens.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// How long before its end a token is renewed.
    pub fn ahead(&self) -> SignedDuration {
        self.provider.refresh_ahead.map_or(AHEAD, |ahead| ahead.duration())
    }

    /// How long after a refresh token was got it is used, so that it does not end for want of use.
    pub fn keep_alive(&self) -> Option<SignedDuration> {
        self.provider.keepalive_refresh.map(|unused| unused.duration() / 2)
    }

    /// Whether every refresh gives a new refresh token and ends the old one.
    pub fn rotates(&self) -> bool {
        self.provider.refresh_rotates
    }

    /// Where a person allows access.
    pub fn authorize_url(&self, state: &str, verifier: &Secret) -> Result<String, String> {
        let url = self.provider.authorize_url.clone().unwrap_or_default();
        let url =
            AuthUrl::new(url).map_err(|_| "casepeer.auth.authorize_url is not an address".to_owned())?;
        let client = self.client.clone().set_auth_uri(url).set_redirect_uri(self.callback()?);
        let state = CsrfToken::new(state.to_owned());
        let scopes = self.provider.scopes.iter().map(|scope| Scope::new(scope.clone()));
        let mut request = client.authorize_url(move || state).add_scopes(scopes);
        for (name, value) in &self.provider.extra_params {
            request = request.add_extra_param(name.as_str(), value.as_str());
        }
        if self.provider.pkce.is_some() {
            let verifier = PkceCodeVerifier::new(verifier.reveal().to_owned());
            request = request.set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        }
        Ok(request.url().0.into())
    }

    fn callback(&self) -> Result<oauth2::RedirectUrl, String> {
        let own = self.own.as_ref().ok_or("server.public_url is not set")?;
        own.callback(Surface::CasePeer)
    }

    /// Tokens for the code a browser brought.
    pub async fn exchange(&self, code: &Secret, verifier: &Secret) -> Result<Issued, TokenError> {
        let wrong = |why: String| TokenError::Unavailable(failure(CallClass::Rejected, why));
        let client = self.client.clone().set_redirect_uri(self.callback().map_err(wrong)?);
        let mut request = client.exchange_code(AuthorizationCode::new(code.reveal().to_owned()));
        if self.provider.pkce.is_some() {
            request = request.set_pkce_verifier(PkceCodeVerifier::new(verifier.reveal().to_owned()));
        }
        let carrier = self.carrier();
        carrier.read(request.request_async(&|request| carrier.clone().carry(request)).await).map(issued)
    }

    /// New tokens for a refresh token.
    pub async fn refresh(&self, refresh: &Secret) -> Result<Issued, TokenError> {
        let token = RefreshToken::new(refresh.reveal().to_owned());
        let (request, carrier) = (self.client.exchange_refresh_token(&token), self.carrier());
        carrier.read(request.request_async(&|request| carrier.clone().carry(request)).await).map(issued)
    }

    /// A token for the client itself.
    pub(super) async fn client_credentials(&self) -> Result<Issued, TokenError> {
        let scopes = self.provider.scopes.iter().map(|scope| Scope::new(scope.clone()));
        let request = self.client.exchange_client_credentials().add_scopes(scopes);
        let carrier = self.carrier();
        carrier.read(request.request_async(&|request| carrier.clone().carry(request)).await).map(issued)
    }

    fn carrier(&self) -> Carrier {
        Carrier::new(&self.http, self.provider.token_body == TokenBody::Json)
    }
}

fn issued(answer: BasicTokenResponse) -> Issued {
    let scopes = answer.scopes().map(|scopes| {
        scopes.iter().map(|scope| scope.as_str()).filter(|one| !one.is_empty()).collect::<Vec<_>>().join(" ")
    });
    Issued {
        access: Secret::new(answer.access_token().secret().as_str()),
        refresh: answer.refresh_token().map(|refresh| Secret::new(refresh.secret().as_str())),
        scopes: scopes.filter(|scopes| !scopes.is_empty()),
        life: answer.expires_in().and_then(|life| SignedDuration::try_from(life).ok()),
    }
}
