//! What HighLevel tells of the app's installations. A webhook is a hint: before tokens are dropped, HighLevel is asked.

use super::renew::NotRenewed;
use crate::bridge::Bridge;
use crate::domain::{CallClass, Outcome};
use crate::operations::highlevel::scopes::AGENCY_READ;
use crate::store::{Holder, StoreError};
use crate::webhook::highlevel::InstallationChange;

/// How an installation's event ends when HighLevel or the store cannot be asked now.
pub(in crate::bridge) struct AskLater {
    pub(in crate::bridge) why: String,
    /// Whether it uses an attempt. What waits for a quota or for the store waits as long as it takes.
    pub(in crate::bridge) counts: bool,
}

impl From<StoreError> for AskLater {
    fn from(error: StoreError) -> Self {
        Self { why: error.to_string(), counts: false }
    }
}

impl Bridge {
    /// Carries out what an `INSTALL` or `UNINSTALL` says.
    pub(in crate::bridge) async fn change_installation(
        &self,
        change: &InstallationChange,
    ) -> Result<Outcome, AskLater> {
        let why = match change {
            InstallationChange::Installed { location, company } => {
                self.installed(location.as_deref(), company.as_deref()).await?
            }
            InstallationChange::Removed { location, company } => {
                self.removed(location.as_deref(), company.as_deref()).await?
            }
        };
        Ok(Outcome::NothingToDo { why })
    }

    async fn installed(&self, location: Option<&str>, company: Option<&str>) -> Result<String, StoreError> {
        match (location, company) {
            (Some(location), company) => {
                let holder = Holder::Location(location.to_owned());
                self.store.note_installed(&holder, company, None).await?;
                Ok(match self.firm_of(location) {
                    Some(firm) => format!("installed in the location of the firm `{}`", firm.id),
                    None => format!(
                        "installed in a location that no firm has: to use it, add a firm with location_id = \
                         \"{location}\" to the configuration"
                    ),
                })
            }
            (None, Some(company)) => {
                self.store.note_installed(&Holder::Company(company.to_owned()), None, None).await?;
                self.list_agency(company).await;
                Ok("installed by an agency".into())
            }
            (None, None) => Ok("it names neither a location nor an agency".into()),
        }
    }

    async fn removed(&self, location: Option<&str>, company: Option<&str>) -> Result<String, AskLater> {
        let concerned = |holder: &Holder, of: Option<&str>| match (location, company) {
            (Some(location), _) => *holder == Holder::Location(location.to_owned()),
            (None, Some(company)) => *holder == Holder::Company(company.to_owned()) || of == Some(company),
            (None, None) => false,
        };
        let (mut dropped, mut kept) = (0, 0);
        for row in self.store.credentials().await? {
            if concerned(&row.holder, row.company.as_deref()) {
                match self.drop_if_refused(&row.holder, row.revision).await? {
                    true => dropped += 1,
                    false => kept += 1,
                }
            }
        }
        if kept > 0 {
            return Ok(format!(
                "HighLevel still gives tokens for {kept} of {} connections, as after a new installation: those are kept",
                kept + dropped
            ));
        }
        for one in self.store.installations().await? {
            if concerned(&one.holder, one.company.as_deref()) {
                self.store.retire(&one.holder).await?;
            }
        }
        Ok(match dropped {
            0 => "taken off; it was not connected here".into(),
            _ => format!(
                "taken off, as HighLevel confirms: {dropped} connections were dropped; `casebridge firms connect` makes \
                 a new one"
            ),
        })
    }

    /// Asks HighLevel for a new token; if that is refused, the old ones are worth nothing.
    async fn drop_if_refused(&self, holder: &Holder, revision: u64) -> Result<bool, AskLater> {
        let connections = &self.connections;
        match connections.renew_now(holder).await {
            Ok(_) => Ok(false),
            Err(NotRenewed::NotConnected) => Ok(true),
            Err(NotRenewed::Refused(why)) => {
                self.store.drop_credential(holder, revision).await?;
                connections.forget(holder).await;
                tracing::warn!(%holder, "the app was taken off, and HighLevel confirms it ({why})");
                Ok(true)
            }
            Err(other) => {
                let is_limited = matches!(&other, NotRenewed::Unavailable(failure)
                    if failure.class == CallClass::RateLimited);
                let counts = !is_limited && !matches!(other, NotRenewed::Store(_));
                Err(AskLater { why: format!("it cannot be confirmed now: {other}"), counts })
            }
        }
    }

    /// Lists the locations of the agency that a location's token was made from.
    pub(super) async fn list_agency_of(&self, location: &str) {
        let holder = Holder::Location(location.to_owned());
        if let Ok(Some(credential)) = self.store.credential(&holder).await
            && let Some(company) = &credential.row.company
        {
            self.list_agency(company).await;
        }
    }

    /// Lists where an agency has the app installed, if it is connected and allows that. It is only for people to see:
    /// what fails is logged.
    async fn list_agency(&self, company: &str) {
        let connections = &self.connections;
        let Some(app) = &connections.app else { return };
        let Ok(granted) = connections.token(&Holder::Company(company.to_owned())).await else { return };
        if !granted.allows(AGENCY_READ) {
            return;
        }
        match app.installed_locations(&granted.token, company).await {
            Ok(locations) => {
                for (location, name) in locations {
                    let holder = Holder::Location(location);
                    if let Err(error) =
                        self.store.note_installed(&holder, Some(company), name.as_deref()).await
                    {
                        tracing::warn!("an installed location was not noted: {error}");
                    }
                }
            }
            Err(failure) => tracing::warn!("an agency's locations cannot be listed: {failure}"),
        }
    }
}
