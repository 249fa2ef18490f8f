//! What connecting an account by OAuth 2 has in common, whoever the vendor is: the bridge's own addresses, the carrying of
//! the OAuth library's requests, and what a token endpoint's answers mean.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use jiff::SignedDuration;
use oauth2::basic::{BasicErrorResponse, BasicErrorResponseType};
use oauth2::{HttpRequest, HttpResponse, RedirectUrl, RequestTokenError};
use reqwest::header::{CONTENT_TYPE, HeaderValue};

use super::exchange::NoAnswer;
use super::network::tls_problem;
use super::{Failure, HttpClient};
use crate::config::Secret;
use crate::domain::{CallClass, System};

/// How long an answer is waited for. A renewal's lease outlasts it, and both end within the 30 s in which HighLevel
/// answers the same refresh token with the same tokens again (its API changelog).
pub(super) const TIMEOUT: Duration = Duration::from_secs(8);

/// Which of the bridge's own addresses a browser uses. HighLevel does not list an app whose addresses bear its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// `/oauth/highlevel/…`
    HighLevel,
    /// `/oauth/crm/…`
    WhiteLabel,
    /// `/oauth/casepeer/…`
    CasePeer,
}

impl Surface {
    /// What stands before `start` and `callback`.
    pub fn path(self) -> &'static str {
        match self {
            Self::HighLevel => "/oauth/highlevel",
            Self::WhiteLabel => "/oauth/crm",
            Self::CasePeer => "/oauth/casepeer",
        }
    }

    /// What is connected there.
    pub fn system(self) -> System {
        match self {
            Self::HighLevel | Self::WhiteLabel => System::HighLevel,
            Self::CasePeer => System::CasePeer,
        }
    }
}

/// Where the outside reaches the bridge: `server.public_url`.
#[derive(Debug, Clone)]
pub struct OwnAddress(String);

impl OwnAddress {
    /// This address, with or without a slash at its end.
    pub fn new(public_url: &str) -> Self {
        Self(public_url.trim_end_matches('/').to_owned())
    }

    /// A surface's address with this path.
    pub fn url(&self, surface: Surface, rest: &str) -> String {
        format!("{}{}{rest}", self.0, surface.path())
    }

    /// Whether the browser reaches the bridge by TLS.
    pub fn is_secure(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// Where a vendor sends the browser back to.
    pub(super) fn callback(&self, surface: Surface) -> Result<RedirectUrl, String> {
        RedirectUrl::new(self.url(surface, "/callback"))
            .map_err(|_| "server.public_url is not an address".into())
    }
}

/// Tokens as a vendor answered them.
#[derive(Debug, Clone)]
pub struct Issued {
    /// What calls carry.
    pub access: Secret,
    /// What the next ones are got with.
    pub refresh: Option<Secret>,
    /// The scopes, separated by spaces, if the answer names them.
    pub scopes: Option<String>,
    /// How long the access token is good for, if the answer says.
    pub life: Option<SignedDuration>,
}

/// Why there are no tokens.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TokenError {
    /// The vendor takes the code, the refresh token or the agency's token no more. The word is its own.
    #[error("the vendor refused it ({0})")]
    Refused(String),
    /// The vendor does not know the client by these credentials.
    #[error("the vendor does not accept the client id with the client secret")]
    Client,
    /// It cannot be said now.
    #[error("the token endpoint {0}")]
    Unavailable(Failure),
}

impl TokenError {
    /// The same in words that name the vendor and the keys of the configuration.
    pub fn told(&self, system: System) -> String {
        let (vendor, section) = match system {
            System::HighLevel => ("HighLevel", "highlevel"),
            System::CasePeer => ("CASEpeer", "casepeer.auth"),
        };
        match self {
            Self::Refused(word) => format!("{vendor} refused it ({word})"),
            Self::Client => {
                format!("{vendor} does not accept {section}.client_id with {section}.client_secret")
            }
            Self::Unavailable(failure) => format!("{vendor}'s token endpoint {failure}"),
        }
    }
}

/// Carries requests of the oauth2 crate over our client, and keeps the status of the last answer: what the endpoint says
/// counts only if it is the endpoint that says it.
#[derive(Clone)]
pub(super) struct Carrier {
    http: HttpClient,
    status: Arc<AtomicU16>,
    is_json: bool,
}

impl Carrier {
    /// For one question; its body as a form (RFC 6749), or as JSON for vendors that want that.
    pub(super) fn new(http: &HttpClient, is_json: bool) -> Self {
        Self { http: http.clone(), status: Arc::default(), is_json }
    }

    /// Carries a request.
    pub(super) async fn carry(self, mut request: HttpRequest) -> Result<HttpResponse, NoAnswer> {
        if self.is_json {
            as_json(&mut request);
        }
        let mut request: reqwest::Request = request.try_into()?;
        *request.timeout_mut() = Some(TIMEOUT);
        let answer = self.http.execute(request).await?;
        self.status.store(answer.status.as_u16(), Ordering::Relaxed);
        let mut response = HttpResponse::new(answer.body);
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }

    /// What an answer means.
    pub(super) fn read<Answer>(
        &self,
        asked: Result<Answer, RequestTokenError<NoAnswer, BasicErrorResponse>>,
    ) -> Result<Answer, TokenError> {
        let status = self.status.load(Ordering::Relaxed);
        asked.map_err(|error| match error {
            RequestTokenError::Request(error) => unreachable(&error),
            RequestTokenError::ServerResponse(answer) => {
                let word = match answer.error() {
                    BasicErrorResponseType::InvalidClient => "invalid_client".to_owned(),
                    other => other.as_ref().to_owned(),
                };
                refusal(status, Some(&word))
            }
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => match status {
                200..=299 => unreadable(),
                status => refusal(status, None),
            },
        })
    }
}

/// A form as a JSON object of texts.
fn as_json(request: &mut HttpRequest) {
    let mut pairs = reqwest::Url::parse("form:").expect("a fixed address");
    pairs.set_query(std::str::from_utf8(request.body()).ok());
    let fields: serde_json::Map<_, _> =
        pairs.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned().into())).collect();
    *request.body_mut() = serde_json::Value::Object(fields).to_string().into_bytes();
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
}

pub(super) fn failure(class: CallClass, detail: impl Into<String>) -> Failure {
    Failure { class, retry_after: None, detail: detail.into(), answer: None }
}

pub(super) fn unreadable() -> TokenError {
    TokenError::Unavailable(failure(CallClass::Unreachable, "gave an answer that is not one of OAuth 2"))
}

pub(super) fn unreachable(none: &NoAnswer) -> TokenError {
    let (class, detail) = match none {
        NoAnswer::Refused(refused) => (CallClass::Rejected, refused.to_string()),
        // The error's own text has the URL in it, and nothing that helps more.
        NoAnswer::Transport(error) if error.is_timeout() => {
            (CallClass::Unreachable, "did not answer in time".to_owned())
        }
        NoAnswer::Transport(error) => {
            let why = tls_problem(error).unwrap_or_else(|| "could not be reached".to_owned());
            (CallClass::Unreachable, why)
        }
        NoAnswer::TooLarge(_) => (CallClass::Unreachable, none.to_string()),
    };
    TokenError::Unavailable(failure(class, detail))
}

/// What a refusal means. Of its words only one that a program would choose is kept: the rest may repeat what was sent.
pub(super) fn refusal(status: u16, word: Option<&str>) -> TokenError {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    let word = word.filter(|word| word.len() <= 40 && word.bytes().all(plain));
    match (status, word) {
        (400 | 401, Some("invalid_client" | "unauthorized_client")) => TokenError::Client,
        (400 | 401 | 403 | 404 | 422, word) => {
            TokenError::Refused(word.map_or_else(|| format!("answered {status}"), str::to_owned))
        }
        (429, _) => TokenError::Unavailable(failure(CallClass::RateLimited, "answered 429")),
        (status, _) => TokenError::Unavailable(failure(CallClass::Unreachable, format!("answered {status}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_endpoints_own_no_is_a_refusal() {
        let told = |status, word| refusal(status, word).told(System::HighLevel);
        assert_eq!(told(400, Some("invalid_grant")), "HighLevel refused it (invalid_grant)");
        assert_eq!(told(401, Some("Unauthorized: pit-1234")), "HighLevel refused it (answered 401)");
        assert!(told(401, Some("invalid_client")).contains("highlevel.client_secret"));
        let told = refusal(401, Some("invalid_client")).told(System::CasePeer);
        assert!(told.contains("casepeer.auth.client_secret"), "{told}");
        for status in [429, 500, 502, 503, 301] {
            assert!(matches!(refusal(status, Some("invalid_grant")), TokenError::Unavailable(_)), "{status}");
        }
    }

    #[test]
    fn a_form_becomes_json() {
        let mut request = HttpRequest::new(b"grant_type=refresh_token&refresh_token=a%2Bb%20c".to_vec());
        as_json(&mut request);
        let body: serde_json::Value = serde_json::from_slice(request.body()).unwrap();
        assert_eq!(body, serde_json::json!({ "grant_type": "refresh_token", "refresh_token": "a+b c" }));
        assert_eq!(request.headers()["content-type"], "application/json");
    }
}
