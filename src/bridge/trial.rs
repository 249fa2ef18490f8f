//! Trying a firm's connections: one harmless question to each side, and what to do if it is not answered.

use std::sync::PoisonError;

use jiff::Timestamp;

use super::{Bridge, Firm, NotDone};
use crate::domain::{Actor, CallClass, Deed, FirmId, Role};
use crate::operations::{casepeer, highlevel};
use crate::store::AuditEntry;
use crate::vendors::Exchange;
use crate::vendors::highlevel::HighLevelClient;

/// Why a side did not answer as it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What it said.
    pub why: String,
    /// What to do.
    pub fix: String,
}

/// What came of trying a firm's connections.
#[derive(Debug, Clone)]
pub struct Trial {
    /// When.
    pub at: Timestamp,
    /// What HighLevel said.
    pub highlevel: Result<String, Fault>,
    /// What CASEpeer said.
    pub casepeer: Result<String, Fault>,
}

/// Asks HighLevel for the firm's location.
pub async fn try_highlevel(firm: &Firm) -> Result<String, Fault> {
    ask_highlevel(&firm.highlevel, firm).await
}

/// The same with another client than the firm's own.
pub(super) async fn ask_highlevel(client: &HighLevelClient, firm: &Firm) -> Result<String, Fault> {
    let exchange = client.send(&highlevel::get_location(&firm.location), None).await;
    let fix = match exchange.class() {
        // The connection is good; only this question is not allowed.
        CallClass::Unpermitted => {
            return Ok("is connected; it is not asked, for want of the scope locations.readonly".to_owned());
        }
        CallClass::Unauthorised if firm.is_connected_by_browser => {
            "connect it with `casebridge firms connect`"
        }
        CallClass::Unauthorised => {
            "make a private integration in HighLevel (Settings > Private Integrations) with the scope locations.readonly \
             and those of the README, in this location, and paste its token on the firm's page, or set firms.highlevel.token"
        }
        CallClass::Rejected => {
            "see firms.highlevel.location_id: it is the last part of the sub-account's address"
        }
        _ => "see highlevel.base_url and this machine's way to the internet; then try again",
    };
    told(&exchange, fix)
}

/// Asks the firm's CASEpeer account whether it is there.
pub async fn try_casepeer(firm: &Firm) -> Result<String, Fault> {
    let health = match casepeer::health(firm.casepeer.profile()) {
        Ok(health) => health,
        // Nothing to ask, as when everything goes by hooks.
        Err(why) => return Ok(format!("not asked: {why}")),
    };
    let exchange = firm.casepeer.send(&health, None, None).await;
    let fix = match exchange.class() {
        CallClass::Unauthorised => "see firms.casepeer.auth: the token, or the client id and secret",
        CallClass::Rejected => {
            "see firms.casepeer.base_url: the profile's paths, such as /me, are appended to it"
        }
        _ => "see firms.casepeer.base_url and this machine's way there; then try again",
    };
    told(&exchange, fix)
}

fn told(exchange: &Exchange, fix: &str) -> Result<String, Fault> {
    match &exchange.result {
        Ok(_) => Ok(format!("answers in {} ms", exchange.duration.as_millis())),
        Err(failure) => Err(Fault { why: failure.detail.clone(), fix: fix.into() }),
    }
}

impl Bridge {
    /// Tries both connections of a firm; this process remembers what came of it.
    pub async fn try_as(&self, actor: &Actor, id: &FirmId) -> Result<(), NotDone> {
        self.known_firm(actor, Role::Operator, id)?;
        let firm = self.firms.find(id).ok_or(NotDone::NotThere)?;
        self.store.note_deed(AuditEntry::new(&actor.name, Deed::Tested).at(id)).await?;
        let (highlevel, casepeer) = tokio::join!(try_highlevel(&firm), try_casepeer(&firm));
        let trial = Trial { at: self.clock.now(), highlevel, casepeer };
        self.trials.write().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), trial);
        Ok(())
    }

    /// What came of the last try.
    pub fn trial(&self, firm: &FirmId) -> Option<Trial> {
        self.trials.read().unwrap_or_else(PoisonError::into_inner).get(firm).cloned()
    }
}
