//! What came of a call: the record it made, and what is linked now.

use crate::domain::{Base, Command, Details, Fields, Link, RecordKind, RecordRef, Shown, System};
use crate::operations::{Response, Unexpected, casepeer, highlevel};
use crate::store::LinkChange;
use crate::vendors::Exchange;

/// The record a call made, if it makes one; nothing at all if the call failed. A create that CASEpeer found the record
/// of there already, by the name we gave it, has succeeded: the record it names is the result.
pub(super) fn read(command: &Command, exchange: &Exchange) -> Result<Option<Option<RecordRef>>, Unexpected> {
    match &exchange.result {
        Ok(answer) => created(command, answer).map(Some),
        Err(failure) => Ok(failure.answer.as_ref().and_then(|answer| existing(command, answer)).map(Some)),
    }
}

fn created(command: &Command, answer: &Response) -> Result<Option<RecordRef>, Unexpected> {
    Ok(match command {
        Command::CreateLead(_) => {
            Some(RecordRef::casepeer(RecordKind::Lead, casepeer::read_created_lead(answer)?))
        }
        Command::CreateContact(_) => {
            Some(RecordRef::highlevel(RecordKind::Contact, highlevel::read_created_contact(answer)?))
        }
        Command::CreateTask(new) => Some(match new.owner.side() {
            System::HighLevel => highlevel::read_task(answer, "")?.record,
            System::CasePeer => casepeer::read_task(answer)?.record,
        }),
        Command::CreateNote(new) => Some(match new.owner.side() {
            System::HighLevel => highlevel::read_note(answer, "")?.record,
            System::CasePeer => RecordRef::casepeer(RecordKind::Note, casepeer::read_created_note(answer)?),
        }),
        Command::CreateOpportunity(_) => {
            Some(RecordRef::highlevel(RecordKind::Opportunity, highlevel::read_opportunity_id(answer)?))
        }
        _ => None,
    })
}

fn existing(command: &Command, answer: &Response) -> Option<RecordRef> {
    let in_casepeer = |kind| casepeer::existing_id(answer).map(|id| RecordRef::casepeer(kind, id));
    match command {
        Command::CreateLead(_) => in_casepeer(RecordKind::Lead),
        Command::CreateTask(_) => in_casepeer(RecordKind::Task),
        Command::CreateNote(_) => in_casepeer(RecordKind::Note),
        _ => None,
    }
}

/// What a create makes the counterpart of.
pub(super) fn original(command: &Command) -> Option<RecordRef> {
    match command {
        Command::CreateLead(new) => Some(new.contact.clone()),
        Command::CreateTask(new) => new.copy_of.clone(),
        Command::CreateNote(new) => new.copy_of.clone(),
        _ => None,
    }
}

/// What both sides agree on once a create is confirmed that a carrier took over: what was sent.
pub(super) fn base(command: &Command) -> Base {
    match command {
        Command::CreateLead(new) => Base::of_fields(new.fields.clone()),
        Command::CreateTask(new) => Base::of_task(new.is_completed),
        Command::CreateNote(new) => Base::of_text(new.digest.clone()),
        _ => Base::default(),
    }
}

/// What a person needs to see in order to look for it.
pub(super) fn details(command: &Command) -> Details {
    let highlevel = match command {
        Command::CreateLead(new) => vec![Shown::of(&new.contact, &new.fields)],
        _ => original(command).iter().map(|record| Shown::of(record, &Fields::default())).collect(),
    };
    Details { highlevel, ..Details::default() }
}

/// What is linked, or agreed on, once the command has been carried out.
pub(super) fn links(command: &Command, result: Option<&RecordRef>, fields: Fields) -> Vec<LinkChange> {
    let change = match (command, result) {
        (Command::CreateLead(new), Some(lead)) => link(&new.contact, lead, Base::of_fields(fields)),
        (Command::CreateContact(new), Some(contact)) => {
            let base = Base::of_fields(fields).with_client(new.client.as_ref());
            link(&new.matter, contact, base.with_initial_tasks(!new.has_initial_tasks))
        }
        (Command::CreateTask(new), Some(task)) => {
            let Some(original) = &new.copy_of else { return Vec::new() };
            link(original, task, Base::of_task(new.is_completed))
        }
        (Command::CreateNote(new), Some(note)) => {
            let Some(original) = &new.copy_of else { return Vec::new() };
            link(original, note, Base::of_text(new.digest.clone()))
        }
        (Command::CreateOpportunity(new), Some(opportunity)) => {
            link(&new.case, opportunity, Base::of_opportunity(new.to.clone()))
        }
        (Command::UpdateContact { contact, matter, fields, agreed, .. }, _)
        | (Command::UpdateMatter { contact, matter, fields, agreed, .. }, _) => {
            agree(contact, matter, Base::of_fields(agreed.as_ref().unwrap_or(fields).clone()))
        }
        (Command::JoinBusiness { contact, matter, name, .. }, _) => {
            agree(contact, matter, Base { business: Some(name.clone()), ..Base::default() })
        }
        (Command::CompleteTask { task, source, .. }, _) => agree(source, task, Base::of_task(true)),
        (Command::UpdateOpportunity { opportunity, case, to, .. }, _) => {
            agree(opportunity, case, Base::of_opportunity(to.clone()))
        }
        _ => return Vec::new(),
    };
    vec![change]
}

/// The thing came into being as `original`; `copy` was made of it.
fn link(original: &RecordRef, copy: &RecordRef, base: Base) -> LinkChange {
    let (highlevel, casepeer) = sides(original, copy);
    LinkChange::Link(Link::new(highlevel, casepeer, original.system, base))
}

fn agree(one: &RecordRef, other: &RecordRef, base: Base) -> LinkChange {
    let (highlevel, casepeer) = sides(one, other);
    LinkChange::Agree { highlevel, casepeer, base }
}

/// The two records, HighLevel's first.
pub(super) fn sides(one: &RecordRef, other: &RecordRef) -> (RecordRef, RecordRef) {
    match one.system {
        System::HighLevel => (one.clone(), other.clone()),
        System::CasePeer => (other.clone(), one.clone()),
    }
}
