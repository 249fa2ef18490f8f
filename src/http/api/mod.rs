//! `/api/v1` of the admin listener.

pub(super) mod events;
pub(super) mod firms;
pub(super) mod losses;
pub(super) mod people;
pub(super) mod quotas;
pub(super) mod review;
pub(super) mod secrets;

use axum::http::StatusCode;

use super::problem::Problem;
use crate::store::StoreError;

/// The answer while the store cannot give one.
fn unavailable(error: StoreError) -> Problem {
    if let StoreError::Gone(why) = error {
        return Problem::conflict(why);
    }
    tracing::error!("the store could not answer: {error}");
    Problem::busy_as(StatusCode::SERVICE_UNAVAILABLE)
}
