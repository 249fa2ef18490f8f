//! Calling any action of the catalog as an effect: written down before it is sent and after it is answered, sent once.
//!
//! What it makes is not ours to know, so a create that was not answered cannot be looked for: where the vendor takes no
//! idempotency key, a person is asked.

use super::super::session::{Session, Stop};
use super::{LONGEST_PAUSE, held, send, what_is_known};
use crate::domain::{Details, EffectKey, Question, ReviewAction, ReviewKind, System};
use crate::operations::{Carrier, Effect, Request, Response};
use crate::store::{Ambiguity, Begun, Intent, Said};

/// What became of a call.
pub(in crate::bridge) enum Called {
    /// It was made, and answered so.
    Now(Response),
    /// It was made before.
    Before,
}

/// Makes a call that changes something, unless it was made before.
pub(in crate::bridge) async fn call(
    session: &Session<'_>,
    system: System,
    request: &Request,
    key: &EffectKey,
) -> Result<Called, Stop> {
    session.spend(system).await?;
    let begun_at = session.now();
    let intent = Intent {
        operation: request.operation,
        body: request.bytes().unwrap_or_default(),
        is_create: request.effect == Effect::Create,
        idempotency_key: format!("{}/{key}", session.firm.id),
        match_keys: Vec::new(),
        said: Said::default(),
    };
    let (body, idempotency_key, ambiguity) =
        match session.store.begin_effect(session.lease, key, intent).await? {
            Begun::Send { body, idempotency_key, ambiguity, .. } => (body, idempotency_key, ambiguity),
            Begun::AlreadyDone(_) => return Ok(Called::Before),
            Begun::Rival => return Err(Stop::Rival),
            Begun::LeaseLost => return Err(Stop::LeaseLost),
        };
    if let Some(known) = ambiguity
        && !takes_key(session, system, request)
    {
        if !may_repeat(session, system, request, key, known).await? {
            held(session.store.complete_effect(session.lease, key, None, Vec::new(), None).await?)?;
            return Ok(Called::Before);
        }
        held(session.store.send_again(session.lease, key).await?)?;
    }
    // A process that was frozen in between may have lost its lease to one that has done this meanwhile.
    if session.now().duration_since(begun_at) > LONGEST_PAUSE {
        return Err(Stop::LeaseLost);
    }
    let body_to_send = request.body.is_some().then_some(body);
    let exchange = send(session, system, request, body_to_send, &idempotency_key).await;
    let call = session.record(system, &exchange, Some(key)).await;
    match exchange.result {
        Ok(answer) => {
            held(session.store.complete_effect(session.lease, key, None, Vec::new(), Some(call)).await?)?;
            Ok(Called::Now(answer))
        }
        Err(failure) => {
            let known = what_is_known(&failure, request);
            held(session.store.fail_effect(session.lease, key, known, call).await?)?;
            Err(Stop::Vendor { system, operation: exchange.operation, failure: Box::new(failure) })
        }
    }
}

/// Whether a repeat under the same key answers the first result.
fn takes_key(session: &Session<'_>, system: System, request: &Request) -> bool {
    system == System::CasePeer
        && request.carrier == Carrier::Api
        && session.firm.casepeer.profile().idempotency_header(request.operation).is_some()
}

/// Whether a create that may have been carried out is to be sent again: what a person said, or the question.
async fn may_repeat(
    session: &Session<'_>,
    system: System,
    request: &Request,
    key: &EffectKey,
    known: Ambiguity,
) -> Result<bool, Stop> {
    let (kind, subject) = (ReviewKind::AmbiguousCreate, key.to_string());
    let decisions = session.store.decisions(&session.firm.id, std::slice::from_ref(&subject)).await?;
    // What was said of an earlier try does not hold for this one.
    let decided = decisions.into_iter().find(|decision| decision.kind == kind && decision.at >= known.since);
    if let Some(decision) = decided {
        return Ok(matches!(decision.resolution.action, ReviewAction::Create | ReviewAction::Retry));
    }
    let why = format!(
        "{} at {} was not answered: see in {} whether it was carried out; answer `ignore` if it was, `create` to send it \
         again",
        request.operation,
        known.since,
        system.title()
    );
    Err(Stop::Ask(Box::new(Question { kind, subject, why, details: Details::default() })))
}
