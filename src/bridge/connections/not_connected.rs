//! Why a firm was not connected, and what its person can do.

use crate::domain::{FirmId, System};
use crate::operations::highlevel::scopes::{AGENCY_READ, AGENCY_WRITE};
use crate::store::StoreError;
use crate::vendors::TokenError;

/// Why a firm was not connected, in words for whoever sits at the browser.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotConnected {
    /// There is no link, or none of ours.
    #[error("This address only works with a link made for it.")]
    NoLink,
    /// The link is too old.
    #[error("This link is too old: it is good for one hour.")]
    LinkExpired,
    /// The link was opened before.
    #[error("This link has been used: each is good once.")]
    LinkUsed,
    /// The person, or the vendor, said no.
    #[error("{} was not given the permission.", .0.title())]
    Declined(System),
    /// It comes from another browser than the one that left.
    #[error("This browser did not begin this connection.")]
    OtherBrowser,
    /// It brings the state of another attempt.
    #[error("This answer of {} belongs to another attempt.", .0.title())]
    OtherState(System),
    /// It took longer than 15 minutes.
    #[error("It took longer than 15 minutes.")]
    TooLate,
    /// It was here before.
    #[error("This connection has been made, or has failed, already.")]
    ReturnUsed,
    /// The vendor sent no code.
    #[error("{}'s answer has no code.", .0.title())]
    NoCode(System),
    /// The firm is gone, or not to be connected this way.
    #[error("The firm `{0}` is not set up to be connected in the browser.")]
    NoFirm(FirmId, System),
    /// Another location was chosen.
    #[error("The location you chose ({chosen}) is not the one of the firm `{firm}` ({expected}).")]
    ForeignLocation {
        /// The firm.
        firm: FirmId,
        /// Which was chosen.
        chosen: String,
        /// Which is the firm's.
        expected: String,
    },
    /// The agency does not have the firm's location, or not for this app.
    #[error(
        "The agency you chose has not installed the app in the location of the firm `{firm}` ({expected}): {why}."
    )]
    AgencyWithout {
        /// The firm.
        firm: FirmId,
        /// Its location.
        expected: String,
        /// What HighLevel says.
        why: String,
    },
    /// The agency's authorisation is no use without this scope.
    #[error(
        "HighLevel did not grant the scope `{AGENCY_WRITE}`, without which an agency's locations cannot be used."
    )]
    AgencyScope,
    /// It was given for another app.
    #[error("HighLevel answered for another app than the one that is configured.")]
    OtherApp,
    /// The vendor takes the code no more, or does not know the client.
    #[error("{1}.")]
    Vendor(System, String),
    /// Not now.
    #[error("It cannot be done just now: {0}.")]
    NotNow(String),
}

impl NotConnected {
    /// What the person can do.
    pub fn advice(&self) -> String {
        let again = "Ask for a new link: the operator makes one with `casebridge firms connect`.";
        match self {
            Self::ForeignLocation { .. } => {
                format!("Nothing was kept of it. {again} Then choose the firm's own location in HighLevel.")
            }
            Self::AgencyWithout { .. } => format!(
                "Nothing was kept of it. Install the app in that location first, or choose the location itself. {again}"
            ),
            Self::AgencyScope => format!(
                "Add `{AGENCY_READ}` and `{AGENCY_WRITE}` to the app's scopes and to highlevel.scopes, or choose the \
                 location itself. {again}"
            ),
            Self::OtherBrowser => {
                format!(
                    "Open the link and come back in one and the same browser, with cookies allowed. {again}"
                )
            }
            Self::NoFirm(_, System::HighLevel) => {
                "Set `oauth = true` under [firms.highlevel] in the configuration first.".into()
            }
            Self::NoFirm(_, System::CasePeer) => {
                "Set an `auth` of the kind `oauth2_authorization_code` under [firms.casepeer] in the configuration first."
                    .into()
            }
            Self::Vendor(System::CasePeer, _) => {
                format!("Compare casepeer.auth with what the vendor gave you. {again}")
            }
            Self::OtherApp | Self::Vendor(..) => {
                format!("Compare highlevel.client_id and highlevel.client_secret with the app's. {again}")
            }
            _ => again.into(),
        }
    }
}

impl From<StoreError> for NotConnected {
    fn from(error: StoreError) -> Self {
        tracing::error!("a firm cannot be connected: {error}");
        Self::NotNow("the store is not available".into())
    }
}

impl NotConnected {
    /// What a token endpoint's refusal means for whoever is connecting.
    pub(super) fn by(system: System, error: &TokenError) -> Self {
        match error {
            TokenError::Unavailable(_) => Self::NotNow(error.told(system)),
            TokenError::Refused(_) | TokenError::Client => Self::Vendor(system, error.told(system)),
        }
    }
}
