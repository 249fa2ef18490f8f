//! The Marketplace app's authorisation: OAuth 2 by code (RFC 6749 section 4.1) with refresh tokens that are good for one
//! use, and HighLevel's own ways beside it.

use jiff::SignedDuration;
use oauth2::basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    EndpointSet, RefreshToken, Scope, StandardRevocableToken, TokenUrl,
};
use serde_json::Value;

use super::answer::{Answer, grant};
use crate::config::{HighLevelConfig, Secret};
use crate::domain::CallClass;
use crate::operations::highlevel::oauth::{
    InstalledLocation, RECONNECT_PATH, TOKEN_PATH, installed_locations, location_form, location_token,
    read_installed_locations, read_reconnect_code,
};
use crate::vendors::exchange::Credential;
use crate::vendors::oauth::{Carrier, TIMEOUT, failure, refusal, unreachable, unreadable};
use crate::vendors::{Failure, HttpClient, OwnAddress, Surface, TokenError};

/// The most pages of an agency's locations that are read.
const MOST_PAGES: usize = 100;

/// Whom tokens were given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantedTo {
    /// One location.
    Location,
    /// An agency, for its locations.
    Company,
}

/// Tokens as HighLevel answered them.
#[derive(Debug, Clone)]
pub struct Grant {
    /// What calls carry.
    pub access: Secret,
    /// What the next ones are got with, once.
    pub refresh: Option<Secret>,
    /// The scopes, separated by spaces, if the answer names them.
    pub scopes: Option<String>,
    /// How long the access token is good for.
    pub life: SignedDuration,
    /// Whose they are.
    pub to: GrantedTo,
    /// The location.
    pub location: Option<String>,
    /// The agency.
    pub company: Option<String>,
    /// The app, where the answer names it.
    pub app: Option<String>,
}

type App<HasAuthUrl, HasTokenUrl> = Client<
    BasicErrorResponse,
    Answer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    HasAuthUrl,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    HasTokenUrl,
>;

/// The Marketplace app, as HighLevel's token endpoint knows it.
pub struct OAuthClient {
    http: HttpClient,
    base_url: String,
    app: App<EndpointSet, EndpointSet>,
    app_id: String,
    client_id: String,
    client_secret: Secret,
    scopes: Vec<String>,
    own: OwnAddress,
}

impl OAuthClient {
    /// The app of this configuration; none without client id, client secret and public address.
    pub fn new(
        http: HttpClient,
        config: &HighLevelConfig,
        own: Option<&OwnAddress>,
    ) -> Result<Option<Self>, String> {
        let (Some(client_id), Some(client_secret), Some(own)) =
            (&config.client_id, &config.client_secret, own)
        else {
            return Ok(None);
        };
        let base_url = config.base_url.trim_end_matches('/').to_owned();
        let wrong = |key: &str| format!("highlevel.{key} is not an address");
        let token_url = TokenUrl::new(format!("{base_url}{TOKEN_PATH}")).map_err(|_| wrong("base_url"))?;
        let authorize_url = AuthUrl::new(config.authorize_url.clone()).map_err(|_| wrong("authorize_url"))?;
        let app = App::<EndpointNotSet, EndpointNotSet>::new(ClientId::new(client_id.clone()))
            .set_client_secret(ClientSecret::new(client_secret.reveal().to_owned()))
            // HighLevel reads both from the form (oauth.json).
            .set_auth_type(AuthType::RequestBody)
            .set_auth_uri(authorize_url)
            .set_token_uri(token_url);
        Ok(Some(Self {
            http,
            base_url,
            app,
            app_id: config.app_id().unwrap_or_default().to_owned(),
            client_id: client_id.clone(),
            client_secret: client_secret.clone(),
            scopes: config.scopes.clone(),
            own: own.clone(),
        }))
    }

    /// The app's id.
    pub fn app_id(&self) -> &str {
        &self.app_id
    }

    /// Where a person chooses what to connect.
    pub fn authorize_url(&self, surface: Surface, state: &str) -> Result<String, String> {
        let state = CsrfToken::new(state.to_owned());
        let app = self.app.clone().set_redirect_uri(self.own.callback(surface)?);
        let scopes = self.scopes.iter().map(|scope| Scope::new(scope.clone()));
        let (url, _) = app.authorize_url(move || state).add_scopes(scopes).url();
        Ok(url.into())
    }

    /// Tokens for the code a browser brought to this surface, or for one of [`OAuthClient::reconnect`], which none did.
    pub async fn exchange(&self, surface: Option<Surface>, code: &Secret) -> Result<Grant, TokenError> {
        let wrong = |why: String| TokenError::Unavailable(failure(CallClass::Rejected, why));
        let mut app = self.app.clone();
        if let Some(surface) = surface {
            app = app.set_redirect_uri(self.own.callback(surface).map_err(wrong)?);
        }
        let carrier = Carrier::new(&self.http, false);
        let request = app.exchange_code(AuthorizationCode::new(code.reveal().to_owned()));
        carrier.read(request.request_async(&|request| carrier.clone().carry(request)).await).map(grant)
    }

    /// New tokens for a refresh token, which is used up by that.
    pub async fn refresh(&self, refresh: &Secret, to: GrantedTo) -> Result<Grant, TokenError> {
        let user_type = if to == GrantedTo::Company { "Company" } else { "Location" };
        let carrier = Carrier::new(&self.http, false);
        let token = RefreshToken::new(refresh.reveal().to_owned());
        let request = self.app.exchange_refresh_token(&token).add_extra_param("user_type", user_type);
        carrier.read(request.request_async(&|request| carrier.clone().carry(request)).await).map(grant)
    }

    /// A fresh code for an installed app whose tokens were lost.
    pub async fn reconnect(&self, to: GrantedTo, id: &str) -> Result<Secret, TokenError> {
        let key = if to == GrantedTo::Company { "companyId" } else { "locationId" };
        let body = serde_json::json!({
            "clientKey": self.client_id, "clientSecret": self.client_secret.reveal(), key: id,
        });
        let request = self.post(RECONNECT_PATH).json(&body);
        let answer = self.ask(request).await?;
        let code = read_reconnect_code(&answer);
        code.map(Secret::new)
            .map_err(|wrong| TokenError::Unavailable(failure(CallClass::Rejected, wrong.to_string())))
    }

    /// A location's token, made from its agency's.
    pub async fn location_token(
        &self,
        agency: &Secret,
        company: &str,
        location: &str,
    ) -> Result<Grant, TokenError> {
        let request = location_token();
        let mut sending = self.post(&request.path).bearer_auth(agency.reveal());
        for (name, value) in &request.headers {
            sending = sending.header(name.as_ref(), value);
        }
        let answer = self.ask(sending.form(&location_form(company, location))).await?;
        let read: Result<Answer, _> = serde_json::from_value(answer);
        let mut grant = read.map(grant).map_err(|_| unreadable())?;
        // The answer of the version in use carries neither.
        grant.to = GrantedTo::Location;
        grant.location.get_or_insert_with(|| location.to_owned());
        grant.company.get_or_insert_with(|| company.to_owned());
        Ok(grant)
    }

    /// Where an agency has the app installed.
    pub async fn installed_locations(
        &self,
        agency: &Secret,
        company: &str,
    ) -> Result<Vec<InstalledLocation>, Failure> {
        let mut all = Vec::new();
        for page in 0..MOST_PAGES {
            let request = installed_locations(company, &self.app_id, page);
            let credential = Credential::Bearer(agency.reveal());
            let answer = self.http.send(&self.base_url, credential, &request, None, &[]).await.result?;
            let (locations, has_more) = read_installed_locations(&answer);
            all.extend(locations);
            if !has_more {
                break;
            }
        }
        Ok(all)
    }

    fn post(&self, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.base_url);
        self.http.post(url).header("Accept", "application/json").timeout(TIMEOUT)
    }

    /// Sends a request that the oauth2 crate has no words for.
    async fn ask(&self, request: reqwest::RequestBuilder) -> Result<Value, TokenError> {
        let sent = async { self.http.execute(request.build()?).await };
        let answer = sent.await.map_err(|none| unreachable(&none))?;
        let (status, body) = (answer.status.as_u16(), answer.body);
        let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        match status {
            200..=299 => Ok(body),
            _ => Err(refusal(status, body.get("error").and_then(Value::as_str))),
        }
    }
}
