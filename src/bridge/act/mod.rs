//! Carrying commands out: each is one API call, written down before it is sent and after it is answered.

mod again;
mod ask;
pub(super) mod consent;
mod hand_over;
mod hops;
mod look;
pub(super) mod operation;
mod request;
mod result;
mod verify;

use jiff::SignedDuration;

use self::hand_over::{Carrier, Then};
use self::look::Found;
use super::session::{Session, Stop};
use crate::domain::{
    Base, CallClass, Command, EffectKey, Field, FieldName, Fields, Link, Plan, RecordKind, RecordRef, System,
};
use crate::operations::casepeer::CannotSend;
use crate::operations::{Effect, Request, highlevel};
use crate::store::{Ambiguity, Begun, CallRecord, EffectFailure, Intent, LinkChange, Said, Settled};
use crate::vendors::{Exchange, Failure};

/// The longest pause between writing an intent down and sending it: far shorter than a lease, and longer than any look
/// at the vendor takes.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(4);

/// What became of a plan.
#[derive(Debug, Default)]
pub(super) struct Acted {
    /// How many commands were sent, not having been done before.
    pub(super) sent: usize,
    /// What was left out because the account has no way to do it.
    pub(super) left_out: Vec<String>,
    /// What HighLevel took and did not keep.
    pub(super) dropped: Vec<FieldName>,
}

/// Carries the commands out in order, for an event of this system.
pub(super) async fn act(session: &Session<'_>, plan: &Plan, source: System) -> Result<Acted, Stop> {
    let mut acted = Acted::default();
    for (index, planned) in plan.commands.iter().enumerate() {
        let has_rest = plan.commands[index + 1..].iter().any(|next| next.command.effect_key().is_some());
        match carry_out(session, &planned.command, has_rest, source, &mut acted.dropped).await {
            Ok(is_sent) => acted.sent += usize::from(is_sent),
            Err(Stop::CannotSend(why @ CannotSend::Disabled { .. })) => {
                acted.left_out.push(format!("left out: {} ({why})", planned.command.summary()));
                // What follows belongs to the lead.
                if matches!(planned.command, Command::CreateLead(_)) {
                    break;
                }
            }
            Err(stop) => return Err(stop),
        }
    }
    Ok(acted)
}

/// Carries one command out; whether it was sent. `has_rest` says whether the plan has more to do after it.
async fn carry_out(
    session: &Session<'_>,
    command: &Command,
    has_rest: bool,
    source: System,
    dropped: &mut Vec<FieldName>,
) -> Result<bool, Stop> {
    let Some(key) = command.effect_key() else {
        held(session.store.save_links(session.lease, remembered(command)).await?)?;
        return Ok(false);
    };
    hops::check(session, command).await?;
    let (system, request) = request::build(session, command).await?;
    session.spend(system).await?;
    let begun_at = session.now();
    let (body, idempotency_key, ambiguity, said) = match session
        .store
        .begin_effect(session.lease, &key, intent(session, command, &request, &key))
        .await?
    {
        Begun::Send { body, idempotency_key, ambiguity, fields } => {
            (body, idempotency_key, ambiguity, fields)
        }
        Begun::AlreadyDone(_) => return Ok(false),
        Begun::Rival => return Err(Stop::Rival),
        Begun::LeaseLost => return Err(Stop::LeaseLost),
    };
    let carrier = Carrier::of(session, &request, has_rest || session.more_follows);
    if let (Some(carrier), Some(_)) = (carrier, ambiguity)
        && let Then::Done = carrier.look_back(session, command, &key).await?
    {
        return Ok(false);
    }
    let earlier = match (ambiguity, system) {
        _ if carrier.is_some() => None,
        (Some(ambiguity), System::HighLevel) => look_again(session, command, &key, &body, ambiguity).await?,
        (ambiguity, System::CasePeer) => again::before(session, command, &request, &key, ambiguity).await?,
        (None, System::HighLevel) => None,
    };
    if let Some(found) = earlier {
        // What is found without an attempt of ours was not made of what we would have said.
        let said = ambiguity.map(|_| said).unwrap_or_default();
        complete(session, command, &key, Some(found), said, None).await?;
        return Ok(true);
    }
    if ambiguity.is_some() && !again::answers_the_same(session, system, &request) {
        held(session.store.send_again(session.lease, &key).await?)?;
    }
    // A process that was frozen in between may have lost its lease to one that has done this meanwhile.
    if session.now().duration_since(begun_at) > LONGEST_PAUSE {
        return Err(Stop::LeaseLost);
    }
    let exchange = send(session, system, &request, Some(body.clone()), &idempotency_key).await;
    let call = session.record(system, &exchange, Some(&key)).await;
    if let Some(carrier) = carrier.filter(|_| Carrier::may_have_taken(&exchange)) {
        return Err(carrier.write_down(session, command, &key, Some(call)).await?);
    }
    let failure = match result::read(command, &exchange) {
        Ok(Some(result)) => {
            // What was sent is what the other side has, unless it says that it had the record before.
            let fields = if exchange.result.is_ok() { said } else { Fields::default() };
            let lost = verify::dropped(session, command, result.as_ref()).await;
            // As if it had been refused: a replay writes them again. What an event of HighLevel wrote counts as done, or
            // HighLevel's echo of each try would be the next one's cause.
            if source == System::CasePeer && verify::are_all(command, &lost) {
                held(session.store.fail_effect(session.lease, &key, EffectFailure::Refused, call).await?)?;
                dropped.extend(lost);
                return Ok(true);
            }
            complete_but(session, command, &key, result, fields, Some(call), &lost).await?;
            dropped.extend(lost);
            return Ok(true);
        }
        Ok(None) => exchange.result.err(),
        Err(unexpected) => {
            // It was carried out, but the answer does not say what came of it.
            held(session.store.fail_effect(session.lease, &key, EffectFailure::Unknown, call).await?)?;
            return Err(unexpected.into());
        }
    };
    let failure = failure.expect("a call without a result has failed");
    let known = what_is_known(&failure, &request);
    held(session.store.fail_effect(session.lease, &key, known, call).await?)?;
    // Deleted over there, and not told of: a task that is gone needs no completion.
    if failure.is_not_found()
        && let Command::CompleteTask { task, source, .. } = command
    {
        let (highlevel, casepeer) = result::sides(source, task);
        let base = Base { is_deleted: true, ..Base::default() };
        let gone = vec![LinkChange::Agree { highlevel, casepeer, base }];
        held(session.store.save_links(session.lease, gone).await?)?;
        return Ok(false);
    }
    // HighLevel may answer 422 to a create that it carried out (highlevel-api-docs issue 64).
    let may_exist = failure.answer.as_ref().is_some_and(|answer| answer.status == 422);
    if may_exist && request.effect == Effect::Create && system == System::HighLevel {
        let ambiguity = Ambiguity { begun_at, since: begun_at, looks: 0 };
        if let Found::One(record) = look::look(session, command, &body, ambiguity).await? {
            // The refusal withdrew the intent: it is written down again as what it was.
            let again = intent(session, command, &request, &key);
            if session.store.begin_effect(session.lease, &key, again).await? == Begun::LeaseLost {
                return Err(Stop::LeaseLost);
            }
            complete(session, command, &key, Some(record), said, None).await?;
            return Ok(true);
        }
    }
    if let (Command::CreateContact(new), Some(answer)) = (command, &failure.answer)
        && let Some(id) = highlevel::duplicate_of(answer)
    {
        return Err(ask::whether_same(session, new, &id).await?);
    }
    Err(Stop::Vendor { system, operation: exchange.operation, failure: Box::new(failure) })
}

fn intent(session: &Session<'_>, command: &Command, request: &Request, key: &EffectKey) -> Intent {
    let person = match command {
        Command::CreateLead(new) => Some(&new.fields),
        Command::CreateContact(new) => Some(&new.fields),
        _ => None,
    };
    Intent {
        operation: request.operation,
        body: request.bytes().unwrap_or_default(),
        is_create: request.effect == Effect::Create,
        idempotency_key: format!("{}/{key}", session.firm.id),
        match_keys: person.map(|fields| match_keys(session, fields)).unwrap_or_default(),
        said: said(command),
    }
}

/// What a command says of a person.
fn said(command: &Command) -> Said {
    let (fields, between) = match command {
        Command::CreateLead(new) => (&new.fields, None),
        Command::CreateContact(new) => (&new.fields, None),
        Command::UpdateContact { contact, matter, fields, .. } => (fields, Some((contact, matter))),
        Command::UpdateMatter { matter, contact, fields, .. } => (fields, Some((matter, contact))),
        _ => return Said::default(),
    };
    let between = between.map(|(to, from)| (to.clone(), from.clone()));
    Said { fields: fields.clone(), between }
}

/// What a person is recognised by, without the values themselves.
fn match_keys(session: &Session<'_>, fields: &Fields) -> Vec<[u8; 32]> {
    let key = |purpose, field| Some(session.keyring.fingerprint(purpose, fields.get(field)?.as_bytes()));
    [key("email", Field::Email), key("phone", Field::Phone)].into_iter().flatten().collect()
}

/// Looks whether an earlier attempt was carried out after all. Nothing, once it is certain enough that it was not.
async fn look_again(
    session: &Session<'_>,
    command: &Command,
    key: &EffectKey,
    sent: &[u8],
    ambiguity: Ambiguity,
) -> Result<Option<RecordRef>, Stop> {
    match look::look(session, command, sent, ambiguity).await? {
        Found::One(record) => Ok(Some(record)),
        Found::Several(records) => ask::which(session, command, key, &records).await,
        Found::Nothing => {
            session.store.note_look(session.lease, key).await?;
            let certain_at = ambiguity.since.saturating_add(look::ABSENCE_COUNTS_AFTER);
            let certain_at = certain_at.unwrap_or(jiff::Timestamp::MAX);
            if ambiguity.looks + 1 >= look::LOOKS && session.now() >= certain_at {
                return Ok(None);
            }
            Err(Stop::Unsure { until: certain_at })
        }
    }
}

fn what_is_known(failure: &Failure, request: &Request) -> EffectFailure {
    match failure.class {
        CallClass::Rejected | CallClass::Conflict => EffectFailure::Refused,
        CallClass::Ambiguous if request.effect == Effect::Create => EffectFailure::Unknown,
        _ => EffectFailure::NotDone,
    }
}

async fn complete(
    session: &Session<'_>,
    command: &Command,
    key: &EffectKey,
    result: Option<RecordRef>,
    fields: Fields,
    call: Option<CallRecord>,
) -> Result<(), Stop> {
    complete_but(session, command, key, result, fields, call, &[]).await
}

/// [`complete`], but for fields that were not kept: nothing is agreed on about these.
async fn complete_but(
    session: &Session<'_>,
    command: &Command,
    key: &EffectKey,
    result: Option<RecordRef>,
    fields: Fields,
    call: Option<CallRecord>,
    lost: &[FieldName],
) -> Result<(), Stop> {
    let mut links = result::links(command, result.as_ref(), fields);
    if let Command::SetLostReason { case, to, .. } = command {
        let known = session.store.links_of(&session.firm.id, std::slice::from_ref(case)).await?;
        let deals = known.into_iter().filter(|link| link.highlevel.kind == RecordKind::Opportunity);
        links.extend(deals.map(|deal| LinkChange::Agree {
            highlevel: deal.highlevel,
            casepeer: deal.casepeer,
            base: Base::of_opportunity(to.clone()),
        }));
    }
    for change in &mut links {
        let (LinkChange::Link(Link { base, .. }) | LinkChange::Agree { base, .. }) = change;
        base.fields.retain(|name, _| !lost.contains(name));
    }
    held(session.store.complete_effect(session.lease, key, result, links, call).await?)
}

async fn send(
    session: &Session<'_>,
    system: System,
    request: &Request,
    body: Option<Vec<u8>>,
    key: &str,
) -> Exchange {
    match system {
        System::HighLevel => session.firm.highlevel.send(request, body).await,
        System::CasePeer => {
            let key = (request.effect == Effect::Create).then_some(key);
            session.firm.casepeer.send(request, body, key).await
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
