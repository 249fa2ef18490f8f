//! Questions that only show when a command is carried out.

use super::super::session::{Session, Stop};
use crate::domain::{
    Command, Details, EffectKey, Field, NewContact, Question, RecordKind, RecordRef, ReviewAction,
    ReviewKind, Shown, System,
};
use crate::operations::highlevel;
use crate::plan::matching::{Identity, match_subject, show_contact};

/// HighLevel allows no second contact with this e-mail or phone, and the one it has is not certainly the same person.
pub(super) async fn whether_same(session: &Session<'_>, new: &NewContact, id: &str) -> Result<Stop, Stop> {
    let contact = RecordRef::highlevel(RecordKind::Contact, id);
    let answer = session.read_highlevel(&highlevel::get_contact(id)).await?;
    let read = answer.map(|answer| highlevel::read_contact(&answer, &highlevel::CustomFields::default()));
    let existing = read.transpose()?;
    let fields = existing.as_ref().map(|existing| existing.fields.clone()).unwrap_or_default();
    let comparison = Identity::of(&new.fields).compare(&Identity::of(&fields));
    let shown = existing.as_ref().map_or_else(|| Shown::of(&contact, &fields), show_contact);
    let shared = [Field::Email, Field::Phone]
        .into_iter()
        .filter(|field| new.fields.get(*field).is_some() && new.fields.get(*field) == fields.get(*field));
    let refused: Vec<String> = shared.map(|field| field.title().to_owned()).collect();
    let what = if refused.is_empty() { "contact details".to_owned() } else { refused.join(" and ") };
    let why = format!(
        "HighLevel has {contact} with the same {what} and allows no second, but it may be another person than {} ({})",
        new.matter,
        comparison.reasons.join(", ")
    );
    let candidate = Shown { score: Some(comparison.score), reasons: comparison.reasons, ..shown };
    let matter = Shown::of(&new.matter, &new.fields);
    let details =
        Details { highlevel: vec![candidate], casepeer: vec![matter], refused, ..Details::default() };
    let (kind, subject) = (ReviewKind::AmbiguousMatch, match_subject(&new.matter));
    Ok(Stop::Duplicate(Box::new(Question { kind, subject, why, details })))
}

/// Which of several records an unanswered create made: what a person said, or the question. Nothing, if the person
/// said that none of them is ours.
pub(super) async fn which(
    session: &Session<'_>,
    command: &Command,
    key: &EffectKey,
    records: &[RecordRef],
) -> Result<Option<RecordRef>, Stop> {
    let subject = key.to_string();
    let decisions = session.store.decisions(&session.firm.id, std::slice::from_ref(&subject)).await?;
    let decision = decisions.iter().find(|decision| decision.kind == ReviewKind::AmbiguousCreate);
    match decision.map(|decision| (decision.resolution.action, &decision.resolution.record)) {
        Some((ReviewAction::Link, Some(record))) if records.contains(record) => {
            return Ok(Some(record.clone()));
        }
        Some((ReviewAction::Create, _)) => return Ok(None),
        Some((ReviewAction::Ignore, _)) => return Err(Stop::LeftAlone),
        _ => {}
    }
    let mut details = Details::default();
    for record in records {
        let shown = show(session, record).await?;
        let side = match record.system {
            System::HighLevel => &mut details.highlevel,
            System::CasePeer => &mut details.casepeer,
        };
        side.push(Shown { score: Some(500), ..shown });
    }
    let names: Vec<String> = records.iter().map(ToString::to_string).collect();
    let why =
        format!("{}: it was not answered, and its result may be {}", command.summary(), names.join(" or "));
    Err(Stop::Ambiguous(Box::new(Question { kind: ReviewKind::AmbiguousCreate, subject, why, details })))
}

async fn show(session: &Session<'_>, record: &RecordRef) -> Result<Shown, Stop> {
    let plain = Shown::of(record, &crate::domain::Fields::default());
    if record.kind != RecordKind::Contact {
        return Ok(plain);
    }
    let Some(answer) = session.read_highlevel(&highlevel::get_contact(&record.id)).await? else {
        return Ok(plain);
    };
    Ok(show_contact(&highlevel::read_contact(&answer, &highlevel::CustomFields::default())?))
}
