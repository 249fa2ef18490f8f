//! `/api/v1` of the admin listener.

pub(super) mod access;
pub(super) mod events;
pub(super) mod firms;
pub(super) mod losses;
pub(super) mod people;
pub(super) mod quotas;
pub(super) mod review;
pub(super) mod secrets;

use axum::http::StatusCode;

use super::problem::Problem;
use crate::bridge::NotDone;
use crate::domain::{Actor, FirmId, Role};
use crate::store::StoreError;

/// The answer while the store cannot give one.
pub(super) fn unavailable(error: StoreError) -> Problem {
    if let StoreError::Gone(why) = error {
        return Problem::conflict(why);
    }
    tracing::error!("the store could not answer: {error}");
    Problem::busy_as(StatusCode::SERVICE_UNAVAILABLE)
}

/// The refusal of what was not done.
fn refusal(why: NotDone) -> Problem {
    match why {
        NotDone::NotThere => Problem::not_found(),
        NotDone::NotAllowed(role) => Problem::forbidden(format!("This takes the role {role}.")),
        NotDone::Conflict(why) => Problem::conflict(why),
        NotDone::Invalid(why) => Problem::invalid(why),
        NotDone::Store(error) => unavailable(error),
    }
}

/// Only an administrator may go on.
fn admins_only(actor: &Actor) -> Result<(), Problem> {
    if actor.role < Role::Admin {
        return Err(refusal(NotDone::NotAllowed(Role::Admin)));
    }
    Ok(())
}

/// Only an administrator of all firms may go on: this tells of the whole installation.
fn governors_only(actor: &Actor) -> Result<(), Problem> {
    if !actor.governs() {
        return Err(Problem::forbidden("This takes an administrator of all firms."));
    }
    Ok(())
}

/// Whether who asks may see what belongs to this firm.
fn sees(actor: &Actor, firm: &FirmId) -> bool {
    actor.reach.covers(firm)
}
