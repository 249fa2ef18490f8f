//! Firms with their connection to HighLevel, and where the app is installed.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Serialize;

use super::super::Shared;
use super::super::problem::Problem;
use super::{admins_only, sees, unavailable};
use crate::domain::{Actor, FirmId};
use crate::operations::highlevel::scopes::FEATURES;
use crate::store::{CredentialRow, Holder, Installation, Parking};

/// A firm.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct FirmRow {
    /// Its short name.
    #[schema(example = "acme")]
    id: String,
    /// Its HighLevel location.
    location: String,
    /// `oauth` if a person connects it in the browser, else `private_token`.
    #[schema(example = "oauth")]
    credential: &'static str,
    /// With `oauth`: what is known of the connection; absent while nobody has connected it.
    connection: Option<CredentialRow>,
    /// What is known of the CASEpeer account's connection, where a person connects that in the browser; absent while nobody
    /// has.
    account: Option<CredentialRow>,
    /// With `oauth`: what the connection's scopes do not allow.
    cannot: Vec<&'static str>,
    /// What keeps its events, if something does.
    parked: Option<Parking>,
}

/// A place where the app is or was installed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct InstallationRow {
    #[serde(flatten)]
    installation: Installation,
    /// The firm that has this location; absent if none has, and for an agency.
    firm: Option<String>,
}

/// The firms of the configuration.
#[utoipa::path(get, path = "/api/v1/firms", tag = "firms", responses(
    (status = 200, description = "Every firm.", body = Vec<FirmRow>),
    (status = 401, description = "Not from this machine and without the admin token.", body = Problem, content_type = "application/problem+json"),
))]
pub async fn list(
    State(shared): State<Arc<Shared>>,
    Extension(actor): Extension<Actor>,
) -> Result<Json<Vec<FirmRow>>, Problem> {
    let store = &shared.bridge.store;
    let parkings = store.parkings().await.map_err(unavailable)?;
    let credentials = store.credentials().await.map_err(unavailable)?;
    let rows = shared.bridge.firms.iter().filter(|firm| sees(&actor, &firm.id)).map(|firm| {
        let holder = Holder::Location(firm.location.clone());
        let connection = credentials.iter().find(|row| firm.is_connected_by_browser && row.holder == holder);
        let cannot = connection.filter(|row| !row.scopes.is_empty()).map(|row| {
            FEATURES
                .iter()
                .filter(|feature| feature.missing(&row.scopes).next().is_some())
                .map(|one| one.name)
        });
        FirmRow {
            id: firm.id.to_string(),
            location: firm.location.clone(),
            credential: if firm.is_connected_by_browser { "oauth" } else { "private_token" },
            cannot: cannot.into_iter().flatten().collect(),
            connection: connection.cloned(),
            account: credentials.iter().find(|row| firm.account.as_ref() == Some(&row.holder)).cloned(),
            parked: parkings.iter().find(|parking| parking.firm == firm.id).cloned(),
        }
    });
    Ok(Json(rows.collect()))
}

/// Where the Marketplace app is installed, with the firm that has the location, if one has.
#[utoipa::path(get, path = "/api/v1/installations", tag = "firms", responses(
    (status = 200, description = "Every known installation.", body = Vec<InstallationRow>),
    (status = 403, description = "Your role does not allow this.", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "Not from this machine and without the admin token.", body = Problem, content_type = "application/problem+json"),
))]
pub async fn installations(
    State(shared): State<Arc<Shared>>,
    Extension(actor): Extension<Actor>,
) -> Result<Json<Vec<InstallationRow>>, Problem> {
    admins_only(&actor)?;
    let installations = shared.bridge.store.installations().await.map_err(unavailable)?;
    let rows = installations.into_iter().filter_map(|installation| {
        let firm = match &installation.holder {
            Holder::Location(location) | Holder::Private(location) => shared.bridge.firm_of(location),
            Holder::Company(_) | Holder::Account(_) => None,
        };
        let firm = firm.map(|firm| firm.id.clone());
        // A place without a firm is for those who see all firms.
        sees(&actor, firm.as_ref().unwrap_or(&FirmId::unknown()))
            .then(|| InstallationRow { firm: firm.map(|firm| firm.to_string()), installation })
    });
    Ok(Json(rows.collect()))
}
