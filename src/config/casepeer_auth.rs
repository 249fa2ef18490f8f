//! `[firms.casepeer] auth`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Secret;
use super::source::check_url;
use crate::domain::Period;
use crate::operations::casepeer::{ClientAuth, Pkce, Provider, TokenBody};

/// `[firms.casepeer] auth`.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum CasePeerAuth {
    /// Nothing is proven, as when everything goes by hooks.
    None {},
    /// A key in a header or in the address.
    ApiKey {
        /// Where.
        r#in: KeyPlace,
        /// The header's or the parameter's name.
        name: String,
        /// What stands before the key, such as `Token `, is part of it.
        key: Secret,
    },
    /// HTTP Basic (RFC 7617).
    Basic {
        /// Who.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A bearer token that does not change.
    BearerStatic {
        /// The token.
        token: Secret,
    },
    /// OAuth 2 client credentials (RFC 6749 section 4.4).
    #[serde(rename = "oauth2_client_credentials")]
    ClientCredentials(OAuthSettings),
    /// OAuth 2 by code (RFC 6749 section 4.1), given by a person in the browser.
    #[serde(rename = "oauth2_authorization_code")]
    AuthorizationCode(OAuthSettings),
}

/// A client of OAuth 2, and what its vendor's token endpoint wants. What is not said here is as the profile says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuthSettings {
    /// The client.
    pub client_id: String,
    /// Its secret; a client that proves itself by PKCE alone has none.
    pub client_secret: Option<Secret>,
    /// Where a person allows access.
    pub authorize_url: Option<String>,
    /// Where tokens are given out.
    pub token_url: Option<String>,
    /// What is asked for.
    pub scopes: Option<Vec<String>>,
    /// Further parameters of the address where a person allows access.
    pub extra_params: Option<BTreeMap<String, String>>,
    /// Proof key for code exchange (RFC 7636).
    pub pkce: Option<Pkce>,
    /// The form of a token request's body.
    pub token_body: Option<TokenBody>,
    /// How the client proves itself.
    pub client_auth: Option<ClientAuth>,
    /// Whether every refresh gives a new refresh token and ends the old one.
    pub refresh_rotates: Option<bool>,
    /// How long before its end a token is renewed.
    pub refresh_ahead: Option<Period>,
    /// How long a refresh token may lie unused; it is renewed at half of that.
    pub keepalive_refresh: Option<Period>,
}

impl OAuthSettings {
    /// What is in force where the profile says this.
    pub fn over(&self, profile: &Provider) -> Provider {
        let profile = profile.clone();
        Provider {
            kind: profile.kind,
            authorize_url: self.authorize_url.clone().or(profile.authorize_url),
            token_url: self.token_url.clone().or(profile.token_url),
            scopes: self.scopes.clone().unwrap_or(profile.scopes),
            extra_params: self.extra_params.clone().unwrap_or(profile.extra_params),
            pkce: self.pkce.or(profile.pkce),
            token_body: self.token_body.unwrap_or(profile.token_body),
            client_auth: self.client_auth.unwrap_or(profile.client_auth),
            refresh_rotates: self.refresh_rotates.unwrap_or(profile.refresh_rotates),
            refresh_ahead: self.refresh_ahead.or(profile.refresh_ahead),
            keepalive_refresh: self.keepalive_refresh.or(profile.keepalive_refresh),
        }
    }
}

/// Where a key goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyPlace {
    /// In a header.
    Header,
    /// In the address.
    Query,
}

impl CasePeerAuth {
    /// The client, with OAuth 2.
    pub fn oauth(&self) -> Option<&OAuthSettings> {
        match self {
            Self::ClientCredentials(own) | Self::AuthorizationCode(own) => Some(own),
            Self::None {} | Self::ApiKey { .. } | Self::Basic { .. } | Self::BearerStatic { .. } => None,
        }
    }

    /// Whether a person connects the account in the browser.
    pub fn is_by_browser(&self) -> bool {
        matches!(self, Self::AuthorizationCode(_))
    }

    /// Checks it beside what the profile says; the key and what is right.
    pub(super) fn check(&self, profile: &Provider) -> Result<(), (&'static str, String)> {
        if let Self::ApiKey { r#in: KeyPlace::Header, name, .. } = self
            && axum::http::HeaderName::try_from(name.as_str()).is_err()
        {
            return Err(("auth.name", format!("`{name}` is not a header's name")));
        }
        let Some(own) = self.oauth() else { return Ok(()) };
        let provider = own.over(profile);
        let needed = |key: &'static str, url: &Option<String>| {
            let url =
                url.as_deref().ok_or((key, "missing: neither the firm nor its profile says it".to_owned()));
            url.and_then(|url| check_url(url).map_err(|why| (key, why)))
        };
        needed("auth.token_url", &provider.token_url)?;
        if self.is_by_browser() {
            needed("auth.authorize_url", &provider.authorize_url)?;
        }
        let proves_itself = own.client_secret.is_some() || (self.is_by_browser() && provider.pkce.is_some());
        if !proves_itself {
            let why = "missing; only a client with `pkce = \"S256\"` may be without one";
            return Err(("auth.client_secret", why.into()));
        }
        if own.client_secret.is_none() && provider.client_auth == ClientAuth::Basic {
            return Err(("auth.client_auth", "`basic` needs a client_secret".into()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth(text: &str) -> CasePeerAuth {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn what_the_firm_says_stands_over_the_profile_key_by_key() {
        let profile: Provider = toml::from_str(
            "authorize_url = \"https://a.example.com/\"\ntoken_url = \"https://t.example.com/\"\nscopes = [\"read\"]\n\
             token_body = \"json\"\nrefresh_ahead = \"1h\"\nkeepalive_refresh = \"14d\"",
        )
        .unwrap();
        let firm = auth(
            "kind = \"oauth2_authorization_code\"\nclient_id = \"c\"\npkce = \"S256\"\n\
             token_url = \"https://other.example.com/\"\nrefresh_rotates = false",
        );
        firm.check(&profile).unwrap();
        let merged = firm.oauth().unwrap().over(&profile);
        assert_eq!(merged.token_url.as_deref(), Some("https://other.example.com/"));
        assert_eq!(merged.authorize_url.as_deref(), Some("https://a.example.com/"));
        assert_eq!((merged.pkce, merged.token_body), (Some(Pkce::S256), TokenBody::Json));
        assert!(!merged.refresh_rotates && merged.keepalive_refresh.is_some());
    }

    #[test]
    fn what_is_missing_is_named() {
        let none = Provider::default();
        let wrong = |text: &str| auth(text).check(&none).unwrap_err();
        let code = "kind = \"oauth2_authorization_code\"\nclient_id = \"c\"\n";
        assert_eq!(wrong(code).0, "auth.token_url");
        let url = "token_url = \"https://t.example.com/\"\n";
        assert_eq!(wrong(&format!("{code}{url}")).0, "auth.authorize_url");
        let both = format!("{code}{url}authorize_url = \"https://a.example.com/\"\n");
        assert_eq!(wrong(&both).0, "auth.client_secret");
        let basic = format!("{both}pkce = \"S256\"\nclient_auth = \"basic\"");
        assert_eq!(wrong(&basic).0, "auth.client_auth");
        let credentials =
            format!("kind = \"oauth2_client_credentials\"\nclient_id = \"c\"\n{url}pkce = \"S256\"");
        assert_eq!(wrong(&credentials).0, "auth.client_secret", "PKCE needs a browser");
        let unknown = toml::from_str::<CasePeerAuth>(&format!("{code}tokenurl = \"x\"")).unwrap_err();
        assert!(unknown.to_string().contains("tokenurl"), "{unknown}");
    }
}
