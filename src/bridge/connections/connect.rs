//! What becomes of the code that a browser brings back.

use super::renew::{NotRenewed, kept, tokens};
use super::{Connections, NotConnected, journey::LONGEST};
use crate::bridge::{Bridge, Firm};
use crate::config::Secret;
use crate::domain::{FirmId, ParkCause, System};
use crate::operations::highlevel::scopes::{AGENCY_WRITE, FEATURES, is_granted};
use crate::store::{Holder, StoreError};
use crate::vendors::highlevel::{Grant, GrantedTo};
use crate::vendors::{Surface, TokenError};

/// A firm that is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    /// Which.
    pub firm: FirmId,
    /// To what.
    pub system: System,
    /// Whether the agency was connected, and the location by that.
    pub by_agency: bool,
    /// What the bridge cannot do, for want of a scope, each with the scopes.
    pub cannot: Vec<(&'static str, Vec<&'static str>)>,
    /// How many events go on that were kept until now.
    pub resumed: u64,
}

/// What a browser comes back with.
#[derive(Default)]
pub struct Return<'a> {
    /// What it is known by.
    pub cookie: Option<&'a str>,
    /// What it left with.
    pub state: Option<&'a str>,
    /// What tokens are got with.
    pub code: Option<&'a str>,
    /// Whether the vendor says that there is no code.
    pub is_declined: bool,
}

impl Connections {
    /// Keeps what HighLevel gave, if it is for this firm. The location's scopes, and whether they came by its agency.
    async fn accept(&self, firm: &Firm, grant: Grant) -> Result<(Vec<String>, bool), NotConnected> {
        if grant.app.as_deref().is_some_and(|app| !self.is_app(app)) {
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
        let app = self.app.as_ref().ok_or(NotConnected::NoLink)?;
        let made = app.location_token(&grant.access, &company, &firm.location).await;
        let made = made.map_err(|error| match error {
            TokenError::Refused(word) => without(format!("HighLevel refused it, {word}")),
            other => NotConnected::by(System::HighLevel, &other),
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
    /// Takes a browser back from a vendor and connects its firm.
    pub async fn connect(&self, surface: Surface, back: Return<'_>) -> Result<Connected, NotConnected> {
        let (connections, system) = (&self.connections, surface.system());
        let (id, journey) = connections.returned(system, back.cookie, back.state).await?;
        if back.is_declined {
            return Err(NotConnected::Declined(system));
        }
        let code = back.code.filter(|code| !code.is_empty() && code.len() <= LONGEST);
        let code = Secret::new(code.ok_or(NotConnected::NoCode(system))?);
        let firm = self.firms.find(&id).ok_or_else(|| NotConnected::NoFirm(id.clone(), system))?;
        match system {
            System::HighLevel => self.connect_location(surface, &firm, &code).await,
            System::CasePeer => {
                let (holder, client) =
                    connections.account_of(&id).ok_or_else(|| NotConnected::NoFirm(id.clone(), system))?;
                let issued = client.exchange(&code, &connections.verifier(&journey)).await;
                let issued = issued.map_err(|error| NotConnected::by(system, &error))?;
                self.store.save_tokens(&holder, &kept(issued), None).await?;
                connections.forget(&holder).await;
                tracing::info!(firm = %id, "a firm was connected to CASEpeer");
                let resumed = self.resume_after_connecting(&id, system).await?;
                Ok(Connected { firm: id, system, by_agency: false, cannot: Vec::new(), resumed })
            }
        }
    }

    async fn connect_location(
        &self,
        surface: Surface,
        firm: &Firm,
        code: &Secret,
    ) -> Result<Connected, NotConnected> {
        let (connections, system) = (&self.connections, System::HighLevel);
        let app = connections.app.as_ref().filter(|_| firm.is_connected_by_browser);
        let app = app.ok_or_else(|| NotConnected::NoFirm(firm.id.clone(), system))?;
        let grant = app.exchange(Some(surface), code).await;
        let grant = grant.map_err(|error| NotConnected::by(system, &error))?;
        let (scopes, by_agency) = connections.accept(firm, grant).await?;
        tracing::info!(firm = %firm.id, by_agency, "a firm was connected to HighLevel");
        if by_agency {
            self.list_agency_of(&firm.location).await;
        }
        let cannot = FEATURES.iter().filter(|_| !scopes.is_empty()).filter_map(|feature| {
            let missing: Vec<_> = feature.missing(&scopes).collect();
            (!missing.is_empty()).then_some((feature.name, missing))
        });
        let resumed = self.resume_after_connecting(&firm.id, system).await?;
        Ok(Connected { firm: firm.id.clone(), system, by_agency, cannot: cannot.collect(), resumed })
    }

    /// Lets a firm go on at once that was parked for want of this connection.
    pub(super) async fn resume_after_connecting(
        &self,
        firm: &FirmId,
        system: System,
    ) -> Result<u64, StoreError> {
        let is_it = self.store.parkings().await?.iter().any(|parking| {
            parking.firm == *firm && parking.cause == ParkCause::Credentials && parking.system == Some(system)
        });
        let resumed = if is_it { self.store.resume(firm).await?.unwrap_or_default() } else { 0 };
        self.ring();
        Ok(resumed)
    }
}
