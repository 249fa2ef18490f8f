//! What the token endpoint's answers mean.

use jiff::SignedDuration;
use oauth2::basic::BasicTokenType;
use oauth2::{ExtraTokenFields, StandardTokenResponse, TokenResponse};
use serde::{Deserialize, Serialize};

use super::oauth::{Grant, GrantedTo};
use crate::config::Secret;

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

#[cfg(test)]
mod tests {
    use super::*;

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
