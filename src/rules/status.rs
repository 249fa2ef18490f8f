//! What a CASEpeer status means. Statuses are the firm's own words, so none is known to the code.

use serde::{Deserialize, Serialize};

use crate::domain::OpportunityStatus;

/// `[firms.sync.statuses."Treating"]`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StatusRule {
    /// The step of a case's life that this status shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub milestone: Option<Milestone>,
    /// The HighLevel pipeline the case's opportunity is in, by name or id. Without one there is no opportunity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    /// The stage it is put in, by name or id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// What the opportunity's status becomes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opportunity: Option<OpportunityStatus>,
    /// Tags that the contact has as long as the case has this status.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// A step of a case's life that marketing wants to know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Milestone {
    /// At intake.
    LeadOpen,
    /// The firm was retained.
    Signed,
    /// The firm declined.
    Rejected,
    /// Being worked on, before litigation.
    Active,
    /// May be dropped.
    AtRisk,
    /// In litigation.
    Litigation,
    /// Settled.
    Settled,
    /// Paid out.
    Closed,
    /// Passed on to another firm.
    ReferredOut,
    /// The client left.
    Withdrawn,
}

impl Milestone {
    /// Every one, in the order of a case's life.
    pub const ALL: [Self; 10] = [
        Self::LeadOpen,
        Self::Signed,
        Self::Rejected,
        Self::Active,
        Self::AtRisk,
        Self::Litigation,
        Self::Settled,
        Self::Closed,
        Self::ReferredOut,
        Self::Withdrawn,
    ];

    /// The word used in tags and effect keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LeadOpen => "lead_open",
            Self::Signed => "signed",
            Self::Rejected => "rejected",
            Self::Active => "active",
            Self::AtRisk => "at_risk",
            Self::Litigation => "litigation",
            Self::Settled => "settled",
            Self::Closed => "closed",
            Self::ReferredOut => "referred_out",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Whether the client has signed: from then on CASEpeer owns who they are.
    pub fn is_after_signing(self) -> bool {
        matches!(
            self,
            Self::Signed | Self::Active | Self::AtRisk | Self::Litigation | Self::Settled | Self::Closed
        )
    }
}
