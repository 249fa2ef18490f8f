//! What the token endpoint's answers mean.

use std::sync::atomic::{AtomicU16, Ordering};

use jiff::SignedDuration;
use oauth2::basic::{BasicErrorResponse, BasicErrorResponseType, BasicTokenType};
use oauth2::{ExtraTokenFields, RequestTokenError, StandardTokenResponse, TokenResponse};
use serde::{Deserialize, Serialize};

use super::oauth::{Grant, GrantedTo, TokenError};
use crate::config::Secret;
use crate::domain::CallClass;
use crate::vendors::Failure;
use crate::vendors::exchange::NoAnswer;

/// How long a token is used whose answer does not say; HighLevel's last a day.
const UNSTATED_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// HighLevel's fields beside those of RFC 6749.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Extra {
    user_type: Option<String>,
    location_id: Option<String>,
    company_id: Option<String>,
    app_id: Option<String>,
}

impl ExtraTokenFields for Extra {}

pub(super) type Answer = StandardTokenResponse<Extra, BasicTokenType>;
pub(super) fn read(
    asked: Result<Answer, RequestTokenError<NoAnswer, BasicErrorResponse>>,
    status: &AtomicU16,
) -> Result<Grant, TokenError> {
    asked.map(grant).map_err(|error| match error {
        RequestTokenError::Request(error) => unreachable(&error),
        // What the endpoint says counts only if it is the endpoint that says it: a proxy's 503 is no refusal.
        RequestTokenError::ServerResponse(answer) => {
            let word = match answer.error() {
                BasicErrorResponseType::InvalidClient => "invalid_client".to_owned(),
                other => other.as_ref().to_owned(),
            };
            refusal(status.load(Ordering::Relaxed), Some(&word))
        }
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => match status.load(Ordering::Relaxed) {
            200..=299 => unreadable(),
            status => refusal(status, None),
        },
    })
}

pub(super) fn grant(answer: Answer) -> Grant {
    let extra = answer.extra_fields();
    let scopes = answer.scopes().map(|scopes| {
        scopes.iter().map(|scope| scope.as_str()).filter(|one| !one.is_empty()).collect::<Vec<_>>().join(" ")
    });
    // Nothing is granted without a scope: an answer with none does not say which.
    let scopes = scopes.filter(|scopes| !scopes.is_empty());
    let life = answer.expires_in().and_then(|life| SignedDuration::try_from(life).ok());
    let is_company = match (&extra.user_type, &extra.location_id) {
        (Some(user_type), _) => user_type.eq_ignore_ascii_case("company"),
        (None, location) => location.is_none(),
    };
    Grant {
        access: Secret::new(answer.access_token().secret()),
        refresh: answer.refresh_token().map(|refresh| Secret::new(refresh.secret())),
        scopes,
        life: life.unwrap_or(UNSTATED_LIFE),
        to: if is_company { GrantedTo::Company } else { GrantedTo::Location },
        location: extra.location_id.clone(),
        company: extra.company_id.clone(),
        app: extra.app_id.clone(),
    }
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
        NoAnswer::Transport(_) => (CallClass::Unreachable, "could not be reached".to_owned()),
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
        let told = |status, word| refusal(status, word).to_string();
        assert_eq!(told(400, Some("invalid_grant")), "HighLevel refused it (invalid_grant)");
        assert_eq!(told(401, Some("Unauthorized: pit-1234")), "HighLevel refused it (answered 401)");
        assert!(told(401, Some("invalid_client")).contains("highlevel.client_secret"));
        for status in [429, 500, 502, 503, 301] {
            assert!(matches!(refusal(status, Some("invalid_grant")), TokenError::Unavailable(_)), "{status}");
        }
    }

    #[test]
    fn tokens_are_the_locations_or_the_agencys_and_cannot_be_printed() {
        let body = serde_json::json!({
            "access_token": "planted-access", "token_type": "Bearer", "expires_in": 86399,
            "refresh_token": "planted-refresh", "scope": "contacts.readonly  contacts.write", "userType": "Location",
            "locationId": "l", "companyId": "c", "userId": "u", "approvedLocations": ["l"],
        });
        let read = grant(serde_json::from_value::<Answer>(body).unwrap());
        assert_eq!((read.to, read.location.as_deref()), (GrantedTo::Location, Some("l")));
        assert_eq!(read.scopes.as_deref(), Some("contacts.readonly contacts.write"));
        assert_eq!(read.life.as_secs(), 86_399);
        assert!(!format!("{read:?}").contains("planted"), "{read:?}");
        let body = serde_json::json!({"access_token": "a", "token_type": "bearer", "userType": "Company", "companyId": "c"});
        let read = grant(serde_json::from_value::<Answer>(body).unwrap());
        assert_eq!((read.to, read.scopes, read.life), (GrantedTo::Company, None, UNSTATED_LIFE));
    }
}
