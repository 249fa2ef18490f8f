//! What holds for a field unless the firm says otherwise.
//!
//! | fields | direction | write | owner before / after signing |
//! |---|---|---|---|
//! | names, e-mail, phone, address, language, case type | both | always | HighLevel / CASEpeer |
//! | date of birth | both | never (opt-in) | HighLevel / CASEpeer |
//! | date of loss, place of the incident, summary, source type | to CASEpeer | if empty | HighLevel / CASEpeer |
//! | source | both | if empty | HighLevel / CASEpeer |
//! | do not contact | to CASEpeer | always | HighLevel |
//! | lead and case id, address of the case, status, signing date | to HighLevel | always | CASEpeer |
//! | reject reason | to HighLevel | never (opt-in: free text) | CASEpeer |
//! | the firm's own | to CASEpeer | always | HighLevel / CASEpeer |

use std::collections::BTreeMap;

use super::{Direction, FieldRule, Owner, Owners, WriteRule};
use crate::domain::Field;

/// The rule of a field that the bridge knows.
pub(super) fn rule(field: Field) -> FieldRule {
    use Direction::{Both, ToCasepeer, ToHighlevel};
    use WriteRule::{Always, IfEmpty, Never};
    let (direction, write, owner) = match field {
        Field::FirstName
        | Field::LastName
        | Field::Email
        | Field::Phone
        | Field::Street
        | Field::City
        | Field::State
        | Field::PostalCode
        | Field::Language
        | Field::CaseType => (Both, Always, Owners::by_stage()),
        Field::DateOfBirth => (Both, Never, Owners::by_stage()),
        Field::DateOfLoss
        | Field::IncidentStreet
        | Field::IncidentCity
        | Field::IncidentState
        | Field::Summary
        | Field::SourceType => (ToCasepeer, IfEmpty, Owners::by_stage()),
        Field::Source => (Both, IfEmpty, Owners::by_stage()),
        Field::DoNotContact => (ToCasepeer, Always, Owners::always(Owner::HighLevel)),
        Field::LeadId | Field::CaseId | Field::CaseUrl | Field::Status | Field::SignedAt => {
            (ToHighlevel, Always, Owners::always(Owner::CasePeer))
        }
        Field::RejectReason => (ToHighlevel, Never, Owners::always(Owner::CasePeer)),
    };
    let highlevel_key = highlevel_key(field).map(str::to_owned);
    let casepeer_key = (field == Field::DoNotContact).then(|| field.as_str().to_owned());
    FieldRule {
        direction,
        write,
        owner,
        highlevel_key,
        casepeer_key,
        values: BTreeMap::new(),
        tags: BTreeMap::new(),
    }
}

/// The rule of a field that the firm added.
pub(super) fn own() -> FieldRule {
    FieldRule {
        direction: Direction::ToCasepeer,
        write: WriteRule::Always,
        owner: Owners::by_stage(),
        highlevel_key: None,
        casepeer_key: None,
        values: BTreeMap::new(),
        tags: BTreeMap::new(),
    }
}

/// The one direction of a field that one side only tells.
pub(super) fn only_direction(field: Field) -> Option<Direction> {
    match field {
        Field::SourceType | Field::DoNotContact => Some(Direction::ToCasepeer),
        Field::LeadId
        | Field::CaseId
        | Field::CaseUrl
        | Field::Status
        | Field::SignedAt
        | Field::RejectReason => Some(Direction::ToHighlevel),
        _ => None,
    }
}

/// The custom field that holds it in HighLevel, where contacts have no property for it.
fn highlevel_key(field: Field) -> Option<&'static str> {
    Some(match field {
        Field::Language => "preferred_language",
        Field::CaseType => "case_type",
        Field::DateOfLoss => "date_of_loss",
        Field::IncidentStreet => "incident_address",
        Field::IncidentCity => "incident_city",
        Field::IncidentState => "incident_state",
        Field::Summary => "incident_summary",
        Field::LeadId => "casepeer_lead_id",
        Field::CaseId => "casepeer_case_id",
        Field::CaseUrl => "casepeer_url",
        Field::Status => "casepeer_status",
        Field::SignedAt => "signed_at",
        Field::RejectReason => "reject_reason",
        _ => return None,
    })
}
