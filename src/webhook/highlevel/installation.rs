//! Where the Marketplace app is installed, as its `INSTALL` and `UNINSTALL` webhooks tell. Both go to the app's default
//! webhook address; one that names no location is about a whole agency.

use super::envelope::Wire;
use crate::webhook::{Unreadable, parse_object};

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstallationChange {
    /// The app was installed.
    Installed {
        /// In this location.
        location: Option<String>,
        /// By this agency.
        company: Option<String>,
    },
    /// The app was taken off.
    Removed {
        /// This location.
        location: Option<String>,
        /// All of this agency's.
        company: Option<String>,
    },
}

/// Whether an event of this type is about an installation, and so no firm's.
pub fn is_installation(kind: &str) -> bool {
    matches!(kind, "INSTALL" | "UNINSTALL")
}

/// Reads a payload of such a type.
pub fn read_installation(kind: &str, body: &[u8]) -> Result<InstallationChange, Unreadable> {
    let body = parse_object(body)?;
    let wire = Wire::of(&body);
    let (location, company) = (wire.outer("locationId"), wire.outer("companyId"));
    Ok(match kind {
        "UNINSTALL" => InstallationChange::Removed { location, company },
        _ => InstallationChange::Installed { location, company },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::highlevel::sample;

    #[test]
    fn the_published_samples_are_read() {
        let read = |name, kind| read_installation(kind, sample::find(name).unwrap().as_bytes()).unwrap();
        let id = || Some("otg8dTQqGLh3Q6iQI55w".to_owned());
        let installed = InstallationChange::Installed { location: id(), company: id() };
        assert_eq!(read("AppInstall", "INSTALL"), installed);
        let by_agency = InstallationChange::Installed { location: None, company: id() };
        assert_eq!(read("AppInstall.3", "INSTALL"), by_agency);
        assert_eq!(
            read("AppUninstall.2", "UNINSTALL"),
            InstallationChange::Removed { location: None, company: id() }
        );
    }
}
