//! Who does something on the command line, as the audit log keeps it.

use clap::Args;

use crate::domain::Deed;
use crate::store::AuditEntry;

/// What the reason of a line says that has no other.
const HERE: &str = "on the command line";

#[derive(Debug, Args)]
pub(super) struct By {
    /// Who does so; kept in the audit log.
    #[arg(long, env = "USER", default_value = "cli")]
    by: String,
}

impl By {
    /// The name that is kept.
    pub(super) fn name(&self) -> &str {
        if self.by.is_empty() { "cli" } else { &self.by }
    }

    /// A line of the audit log.
    pub(super) fn did(&self, deed: Deed) -> AuditEntry {
        AuditEntry::new(self.name(), deed).because(HERE)
    }

    /// A line of the audit log, with what the person gives as the reason.
    pub(super) fn did_because(&self, deed: Deed, why: &str) -> AuditEntry {
        AuditEntry::new(self.name(), deed).because(format!("{why} ({HERE})"))
    }
}
