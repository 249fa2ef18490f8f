//! The way through the browser: a link that is good once → HighLevel → back with a code.

use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use super::Connections;
use super::renew::{NotRenewed, tokens};
use crate::bridge::{Bridge, Firm};
use crate::config::Secret;
use crate::crypto::random_key;
use crate::domain::{FirmId, ParkCause, System};
use crate::operations::highlevel::scopes::{AGENCY_READ, AGENCY_WRITE, FEATURES, is_granted};
use crate::store::{Digest, Holder, Opened, Returned, StoreError};
use crate::vendors::highlevel::{Grant, GrantedTo, Surface, TokenError};

/// How long a link may be opened.
pub const LINK_LIFE: SignedDuration = SignedDuration::from_hours(1);
/// How long a person may take at HighLevel.
const PATIENCE: SignedDuration = SignedDuration::from_mins(15);
/// The longest value of a query that is looked at, in bytes: HighLevel's codes have some dozens.
const LONGEST: usize = 4096;

/// A browser that is on its way to HighLevel.
pub struct Begun {
    /// Where it goes.
    pub url: String,
    /// What it is known by when it comes back.
    pub cookie: Secret,
    /// How long it may take.
    pub patience: SignedDuration,
}

/// A firm that is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    /// Which.
    pub firm: FirmId,
    /// Its location.
    pub location: String,
    /// Whether the agency was connected, and the location by that.
    pub by_agency: bool,
    /// What the bridge cannot do, for want of a scope, each with the scopes.
    pub cannot: Vec<(&'static str, Vec<&'static str>)>,
    /// How many events go on that were kept until now.
    pub resumed: u64,
}

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
    /// The person, or HighLevel, said no.
    #[error("HighLevel was not given the permission.")]
    Declined,
    /// It comes from another browser than the one that left.
    #[error("This browser did not begin this connection.")]
    OtherBrowser,
    /// It brings the state of another attempt.
    #[error("This answer of HighLevel belongs to another attempt.")]
    OtherState,
    /// It took longer than 15 minutes.
    #[error("It took longer than 15 minutes.")]
    TooLate,
    /// It was here before.
    #[error("This connection has been made, or has failed, already.")]
    ReturnUsed,
    /// HighLevel sent no code.
    #[error("HighLevel's answer has no code.")]
    NoCode,
    /// The firm is gone, or not to be connected this way.
    #[error("The firm `{0}` is not set up to be connected in the browser.")]
    NoFirm(FirmId),
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
    /// HighLevel takes the code no more, or does not know the app.
    #[error("{0}.")]
    Vendor(String),
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
            Self::NoFirm(_) => {
                "Set `oauth = true` under [firms.highlevel] in the configuration first.".into()
            }
            Self::OtherApp | Self::Vendor(_) => {
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

impl From<TokenError> for NotConnected {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Unavailable(_) => Self::NotNow(error.to_string()),
            TokenError::Refused(_) | TokenError::Client => Self::Vendor(error.to_string()),
        }
    }
}

/// 256 random bits as text for an address or a cookie.
fn random_word() -> Secret {
    Secret::new(Zeroizing::new(hex::encode(random_key())).as_str())
}

impl Connections {
    fn digest(&self, purpose: &'static str, value: &str) -> Digest {
        self.keyring.fingerprint(purpose, value.as_bytes())
    }

    /// A link by which a firm can be connected, once, and when it ends.
    pub async fn make_link(
        &self,
        surface: Surface,
        firm: &FirmId,
    ) -> Result<(String, Timestamp), StoreError> {
        let link = random_word();
        let digest = self.digest("connect link", link.reveal());
        let until = self.store.make_link(digest, firm, LINK_LIFE).await?;
        Ok((self.app.own_url(surface, &format!("/start?link={}", link.reveal())), until))
    }

    /// Opens a link and sends the browser on.
    pub async fn begin(&self, surface: Surface, link: &str) -> Result<Begun, NotConnected> {
        if link.is_empty() || link.len() > LONGEST {
            return Err(NotConnected::NoLink);
        }
        let (state, cookie) = (random_word(), random_word());
        let [link, state_digest, browser] =
            [("connect link", link), ("connect state", state.reveal()), ("connect browser", cookie.reveal())]
                .map(|(purpose, value)| self.digest(purpose, value));
        match self.store.open_link(link, state_digest, browser, PATIENCE).await? {
            Opened::For(firm) => tracing::info!(%firm, "a firm is being connected in the browser"),
            Opened::Unknown => return Err(NotConnected::NoLink),
            Opened::Expired => return Err(NotConnected::LinkExpired),
            Opened::Used => return Err(NotConnected::LinkUsed),
        }
        let url = self.app.authorize_url(surface, state.reveal()).map_err(NotConnected::NotNow)?;
        Ok(Begun { url, cookie, patience: PATIENCE })
    }

    /// Whom a browser that comes back is connecting.
    async fn returned(&self, cookie: Option<&str>, state: Option<&str>) -> Result<FirmId, NotConnected> {
        let cookie = cookie.filter(|cookie| cookie.len() <= LONGEST).ok_or(NotConnected::OtherBrowser)?;
        let browser = self.digest("connect browser", cookie);
        let state = state.map(|state| self.digest("connect state", state));
        match self.store.take_return(browser, state).await? {
            Returned::For(firm) => Ok(firm),
            Returned::OtherBrowser => Err(NotConnected::OtherBrowser),
            Returned::OtherState => Err(NotConnected::OtherState),
            Returned::Expired => Err(NotConnected::TooLate),
            Returned::Used => Err(NotConnected::ReturnUsed),
        }
    }

    /// Keeps what HighLevel gave, if it is for this firm. The location's scopes, and whether they came by its agency.
    async fn accept(&self, firm: &Firm, grant: Grant) -> Result<(Vec<String>, bool), NotConnected> {
        if grant.app.as_deref().is_some_and(|app| app != self.app.app_id()) {
            return Err(NotConnected::OtherApp);
        }
        let location = Holder::Location(firm.location.clone());
        let granted = match grant.to {
            GrantedTo::Location => {
                let chosen = grant.location.clone().unwrap_or_default();
                if chosen != firm.location {
                    let (firm, expected) = (firm.id.clone(), firm.location.clone());
                    return Err(NotConnected::ForeignLocation { firm, chosen, expected });
                }
                let (scopes, company) = (scope_list(grant.scopes.as_deref()), grant.company.clone());
                self.store.save_tokens(&location, &tokens(grant), None).await?;
                self.store.note_installed(&location, company.as_deref(), None).await?;
                (scopes, false)
            }
            GrantedTo::Company => (self.accept_agency(firm, &location, grant).await?, true),
        };
        self.forget(&location).await;
        Ok(granted)
    }

    /// Keeps an agency's tokens once they have given one for the firm's location.
    async fn accept_agency(
        &self,
        firm: &Firm,
        location: &Holder,
        grant: Grant,
    ) -> Result<Vec<String>, NotConnected> {
        let without = |why: String| NotConnected::AgencyWithout {
            firm: firm.id.clone(),
            expected: firm.location.clone(),
            why,
        };
        let company = grant.company.clone().ok_or_else(|| without("it names no agency".into()))?;
        let agency_scopes = scope_list(grant.scopes.as_deref());
        if !agency_scopes.is_empty() && !is_granted(&agency_scopes, AGENCY_WRITE) {
            return Err(NotConnected::AgencyScope);
        }
        let made = self.app.location_token(&grant.access, &company, &firm.location).await;
        let made = made.map_err(|error| match error {
            TokenError::Refused(word) => without(format!("HighLevel refused it, {word}")),
            other => other.into(),
        })?;
        let made = self.belongs(made, location).map_err(|why| match why {
            NotRenewed::Refused(why) => without(why),
            other => NotConnected::NotNow(other.to_string()),
        })?;
        let scopes =
            made.scopes.as_deref().map_or_else(|| agency_scopes.clone(), |all| scope_list(Some(all)));
        let agency = Holder::Company(company.clone());
        self.store.save_tokens(&agency, &tokens(grant), None).await?;
        self.store.save_tokens(location, &tokens(made), None).await?;
        self.store.note_installed(&agency, None, None).await?;
        self.store.note_installed(location, Some(&company), None).await?;
        self.forget(&agency).await;
        Ok(scopes)
    }
}

fn scope_list(scopes: Option<&str>) -> Vec<String> {
    scopes.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

impl Bridge {
    /// Takes a browser back from HighLevel and connects its firm.
    pub async fn connect(
        &self,
        surface: Surface,
        cookie: Option<&str>,
        state: Option<&str>,
        code: Option<&str>,
        is_declined: bool,
    ) -> Result<Connected, NotConnected> {
        let connections = self.connections.as_ref().ok_or(NotConnected::NoLink)?;
        let id = connections.returned(cookie, state).await?;
        if is_declined {
            return Err(NotConnected::Declined);
        }
        let code =
            code.filter(|code| !code.is_empty() && code.len() <= LONGEST).ok_or(NotConnected::NoCode)?;
        let firm = self.firms.find(&id).filter(|firm| firm.is_connected_by_browser);
        let firm = firm.ok_or_else(|| NotConnected::NoFirm(id.clone()))?;
        let grant = connections.app.exchange(Some(surface), &Secret::new(code)).await?;
        let (scopes, by_agency) = connections.accept(&firm, grant).await?;
        tracing::info!(firm = %firm.id, by_agency, "a firm was connected to HighLevel");
        if by_agency {
            self.list_agency_of(&firm.location).await;
        }
        let cannot = FEATURES.iter().filter(|_| !scopes.is_empty()).filter_map(|feature| {
            let missing: Vec<_> = feature.missing(&scopes).collect();
            (!missing.is_empty()).then_some((feature.name, missing))
        });
        let (firm, location) = (firm.id.clone(), firm.location.clone());
        let resumed = self.resume_after_connecting(&firm).await?;
        Ok(Connected { firm, location, by_agency, cannot: cannot.collect(), resumed })
    }

    /// Lets a firm go on at once that was parked for want of this connection.
    async fn resume_after_connecting(&self, firm: &FirmId) -> Result<u64, StoreError> {
        let is_it = self.store.parkings().await?.iter().any(|parking| {
            parking.firm == *firm
                && parking.cause == ParkCause::Credentials
                && parking.system == Some(System::HighLevel)
        });
        let resumed = if is_it { self.store.resume(firm).await?.unwrap_or_default() } else { 0 };
        self.ring();
        Ok(resumed)
    }
}
