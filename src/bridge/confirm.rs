//! A carrier confirms what was handed to it.

use super::{Bridge, Firm};
use crate::domain::{Cause, Command, EffectKey, Outcome, RecordKind, RecordRef, parse_external_ref};
use crate::store::{Confirmed, StoreError};
use crate::webhook::Confirmation;

use jiff::SignedDuration;

/// How long to leave a confirmation that was quicker than the writing down of its hand-over.
const EARLY_PAUSE: SignedDuration = SignedDuration::from_secs(5);
/// How many times such a confirmation is looked at again: the hand-over's own lease has ended by then.
const LOOKS: u32 = 9;

impl Bridge {
    /// Completes the hand-over that this names; how its event ends.
    pub(super) async fn confirm(
        &self,
        firm: &Firm,
        confirmation: &Confirmation,
        failed_attempts: u32,
    ) -> Result<Outcome, StoreError> {
        let give_up = |cause, why: String| Ok(Outcome::Undelivered { cause, why });
        let Some(key) = effect_of(firm, confirmation) else {
            return give_up(Cause::NotOurs, "its reference is none that this firm's hand-overs carry".into());
        };
        let record = confirmation.record.clone();
        match self.store.confirm(&firm.id, &key, record.clone()).await? {
            Confirmed::Yes => {
                self.ring();
                Ok(Outcome::Done)
            }
            Confirmed::Before(before) if record.is_none() || before == record => {
                Ok(Outcome::NothingToDo { why: "it was confirmed before".into() })
            }
            Confirmed::Before(Some(before)) => give_up(
                Cause::Ambiguous,
                format!(
                    "{key} was confirmed before as {before}, and now as another record: see whether CASEpeer has both"
                ),
            ),
            Confirmed::Before(None) => give_up(
                Cause::Ambiguous,
                format!("{key} was completed before without an id: link the two by hand"),
            ),
            Confirmed::TooEarly if failed_attempts < LOOKS => Ok(Outcome::RetryIn {
                pause: EARLY_PAUSE.saturating_mul(1 << failed_attempts),
                why: "it came before its hand-over was written down".into(),
                counts: true,
            }),
            Confirmed::TooEarly => give_up(Cause::Missing, format!("{key} was begun, but never handed over")),
            Confirmed::OtherKind => {
                give_up(Cause::Rejected, format!("{key} cannot make a record of the kind it names"))
            }
            Confirmed::Unknown => give_up(Cause::Missing, format!("nothing was handed over as {key}")),
        }
    }
}

/// The effect that a reference names: our name of the HighLevel record, as the new record's `external_ref` has it, or
/// the idempotency key.
fn effect_of(firm: &Firm, confirmation: &Confirmation) -> Option<EffectKey> {
    let reference = confirmation.reference.as_str();
    if let Some(key) = reference.strip_prefix(firm.id.as_str()).and_then(|rest| rest.strip_prefix('/')) {
        return Some(EffectKey(key.to_owned()));
    }
    let kind = confirmation.kind?;
    let original = match kind {
        RecordKind::Lead | RecordKind::Case => RecordKind::Contact,
        other => other,
    };
    let original: RecordRef = parse_external_ref(reference, &firm.location, original)?;
    Some(match kind {
        RecordKind::Lead | RecordKind::Case => Command::lead_effect(&original),
        _ => original.copy_effect(),
    })
}
