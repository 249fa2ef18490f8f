//! Carrying commands out: each is one API call, written down before it is sent and after it is answered.

mod request;
mod result;

use super::session::{Session, Stop, record};
use crate::domain::{CallClass, Command, Plan, System};
use crate::operations::{Effect, Request};
use crate::store::{Begun, Intent, LinkChange, Settled};
use crate::vendors::Exchange;

/// Carries the commands out in order; the number that were sent, not having been done before.
pub(super) async fn act(session: &Session<'_>, plan: &Plan) -> Result<usize, Stop> {
    let mut sent = 0;
    for planned in &plan.commands {
        sent += usize::from(carry_out(session, &planned.command).await?);
    }
    Ok(sent)
}

async fn carry_out(session: &Session<'_>, command: &Command) -> Result<bool, Stop> {
    let Some(key) = command.effect_key() else {
        held(session.store.save_links(session.lease, remembered(command)).await?)?;
        return Ok(false);
    };
    let (system, request) = request::build(session, command).await?;
    let body = request.body.as_ref().map(|json| json.to_string().into_bytes()).unwrap_or_default();
    let intent = Intent {
        operation: request.operation,
        body,
        is_create: request.effect == Effect::Create,
        idempotency_key: format!("{}/{key}", session.firm.id),
    };
    let (body, idempotency_key) = match session.store.begin_effect(session.lease, &key, intent).await? {
        Begun::Send { body, idempotency_key } => (body, idempotency_key),
        Begun::AlreadyDone(_) => return Ok(false),
        Begun::LeaseLost => return Err(Stop::LeaseLost),
    };
    let exchange = send(session, system, &request, body, &idempotency_key).await;
    let call = record(&exchange, Some(&key));
    match result::read(command, &exchange) {
        Ok(Some(result)) => {
            let links = result::links(command, result.as_ref());
            held(session.store.complete_effect(session.lease, &key, result, links, call).await?)?;
            Ok(true)
        }
        Ok(None) => {
            let Err(failure) = exchange.result else { unreachable!("a call without a result has failed") };
            let refused = matches!(failure.class, CallClass::Rejected | CallClass::Conflict);
            held(session.store.fail_effect(session.lease, &key, refused, call).await?)?;
            Err(Stop::Vendor { operation: exchange.operation, failure: Box::new(failure) })
        }
        Err(unexpected) => {
            held(session.store.fail_effect(session.lease, &key, false, call).await?)?;
            Err(unexpected.into())
        }
    }
}

async fn send(
    session: &Session<'_>,
    system: System,
    request: &Request,
    body: Vec<u8>,
    key: &str,
) -> Exchange {
    match system {
        System::HighLevel => session.firm.highlevel.send(request, Some(body)).await,
        System::CasePeer => {
            let key = (request.effect == Effect::Create).then_some(key);
            session.firm.casepeer.send(request, Some(body), key).await
        }
    }
}

fn remembered(command: &Command) -> Vec<LinkChange> {
    match command {
        Command::Link(link) => vec![LinkChange::Link(link.clone())],
        Command::Agree { highlevel, casepeer, base } => {
            let (highlevel, casepeer, base) = (highlevel.clone(), casepeer.clone(), base.clone());
            vec![LinkChange::Agree { highlevel, casepeer, base }]
        }
        _ => Vec::new(),
    }
}

fn held(settled: Settled) -> Result<(), Stop> {
    match settled {
        Settled::Yes => Ok(()),
        Settled::LeaseLost => Err(Stop::LeaseLost),
    }
}
