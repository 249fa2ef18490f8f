//! Which of the other side's records a stranger is: some, none, or a question.

use super::{Likeness, Verdict, likeness};
use crate::domain::{
    Contact, Decision, Details, Field, Matter, Question, RecordRef, ReviewAction, ReviewKind, Shown, System,
};
use crate::plan::snapshot::{ContactView, MatterView, Snapshot};

/// What a stranger is found to be.
pub(in crate::plan) enum Known<'a, Record> {
    /// These, which are one person.
    As(Vec<(&'a Record, Likeness)>),
    /// Nobody: the contact details that the other side refuses are left out where it is created.
    Nobody { withheld: Vec<Field> },
    /// A person must say.
    Asked(Box<Question>),
    /// A person said to leave it.
    LeftAlone,
}

/// What names the question who a record is.
pub fn match_subject(record: &RecordRef) -> String {
    record.to_string()
}

/// The matters that a contact's person has in CASEpeer.
pub(in crate::plan) fn matters_of<'a>(view: &'a ContactView, snapshot: &Snapshot) -> Known<'a, Matter> {
    let contact = &view.contact;
    let has_become_a_case = |matter: &Matter| {
        matter.case.as_ref().is_some_and(|case| view.candidates.iter().any(|other| other.record == *case))
    };
    let candidates: Vec<(&Matter, Likeness)> = view
        .candidates
        .iter()
        .filter(|matter| !has_become_a_case(matter))
        .map(|matter| (matter, likeness(contact, matter, &snapshot.location)))
        .collect();
    let shown = |question: &mut Details, all: &[(&Matter, Likeness)]| {
        question.highlevel.push(show_contact(contact));
        question.casepeer.extend(all.iter().map(|(matter, likeness)| scored(show_matter(matter), likeness)));
    };
    decide(&contact.record, candidates, view.left_off, &view.decisions, shown, |same| {
        // Two cases of one client are one person's; two clients who contradict each other are not.
        same.iter().enumerate().all(|(at, (one, _))| {
            let later = &same[at + 1..];
            later.iter().all(|(other, _)| {
                one.client.is_some() && one.client == other.client
                    || !one.identity().compare(&other.identity()).contradicts
            })
        })
    })
}

/// The contact that a matter's client has in HighLevel.
pub(in crate::plan) fn contact_of<'a>(view: &'a MatterView, snapshot: &Snapshot) -> Known<'a, Contact> {
    let matter = &view.matter;
    let candidates: Vec<(&Contact, Likeness)> = view
        .candidates
        .iter()
        .map(|contact| (contact, likeness(contact, matter, &snapshot.location)))
        .collect();
    let shown = |question: &mut Details, all: &[(&Contact, Likeness)]| {
        question.casepeer.push(show_matter(matter));
        question
            .highlevel
            .extend(all.iter().map(|(contact, likeness)| scored(show_contact(contact), likeness)));
    };
    decide(&matter.record, candidates, view.left_off, &view.decisions, shown, |same| same.len() == 1)
}

fn decide<'a, Record: Recorded>(
    stranger: &RecordRef,
    mut candidates: Vec<(&'a Record, Likeness)>,
    left_off: usize,
    decisions: &[Decision],
    show: impl Fn(&mut Details, &[(&'a Record, Likeness)]),
    are_one: impl Fn(&[(&'a Record, Likeness)]) -> bool,
) -> Known<'a, Record> {
    let subject = match_subject(stranger);
    // Who said that none of these is meant, said so of those that were shown.
    candidates.retain(|(record, _)| !was_ruled_out(record.reference(), decisions));
    candidates.sort_by_key(|(_, likeness)| std::cmp::Reverse(likeness.comparison.score));
    let named: Vec<_> =
        candidates.iter().filter(|(_, likeness)| likeness.origin == System::HighLevel).cloned().collect();
    if !named.is_empty() {
        return Known::As(named);
    }
    let decision = decisions.first();
    if let Some(meant) = decision.and_then(|decision| decision.resolution.record.as_ref())
        && let Some((record, likeness)) = candidates.iter().find(|(record, _)| record.reference() == meant)
    {
        let mut likeness = likeness.clone();
        likeness.comparison.reasons.push("a person said so".into());
        return Known::As(vec![(record, likeness)]);
    }
    let is = |verdict| move |(_, likeness): &(&Record, Likeness)| likeness.comparison.verdict == verdict;
    let same: Vec<_> = candidates.iter().filter(|one| is(Verdict::Same)(one)).cloned().collect();
    candidates.retain(|one| !is(Verdict::Different)(one));
    // One that nobody saw is a new question.
    if decision.is_some_and(|decision| {
        decision.resolution.action == ReviewAction::Ignore
            && candidates.iter().all(|(record, _)| was_shown(record.reference(), decision))
    }) {
        return Known::LeftAlone;
    }
    if !same.is_empty() && are_one(&same) {
        return Known::As(same);
    }
    let is_decided = decision.is_some_and(|decision| decision.resolution.action == ReviewAction::Create);
    if candidates.is_empty() && (left_off == 0 || is_decided) {
        let withheld = refused(creates(decisions).flat_map(|decision| &decision.details.refused));
        return Known::Nobody { withheld };
    }
    let mut details = Details::default();
    show(&mut details, &candidates);
    Known::Asked(Box::new(Question {
        kind: ReviewKind::AmbiguousMatch,
        why: why(stranger, &candidates, left_off),
        subject,
        details,
    }))
}

fn why<Record: Recorded>(
    stranger: &RecordRef,
    candidates: &[(&Record, Likeness)],
    left_off: usize,
) -> String {
    let others: Vec<String> = candidates
        .iter()
        .map(|(record, likeness)| {
            format!("{} ({} of 1000: {})", record.reference(), likeness.comparison.score, likeness.words())
        })
        .collect();
    let more =
        if left_off > 0 { format!(", and {left_off} more share its e-mail or phone") } else { String::new() };
    match others.is_empty() {
        true => {
            format!("{stranger} shares its e-mail or phone with {left_off} records, more than are compared")
        }
        false => format!("{stranger} may be {}{more}", others.join(" or ")),
    }
}

/// Whether a person saw this record and said that it is not the one meant.
pub fn was_ruled_out(record: &RecordRef, decisions: &[Decision]) -> bool {
    creates(decisions).any(|decision| was_shown(record, decision))
}

fn creates(decisions: &[Decision]) -> impl Iterator<Item = &Decision> {
    decisions.iter().filter(|decision| decision.resolution.action == ReviewAction::Create)
}

fn was_shown(record: &RecordRef, decision: &Decision) -> bool {
    let details = &decision.details;
    details.highlevel.iter().chain(&details.casepeer).any(|shown| shown.record == *record)
}

/// The contact details that the other side refused to have twice, by all answers so far.
fn refused<'a>(names: impl Iterator<Item = &'a String>) -> Vec<Field> {
    let names: Vec<&str> = names.map(String::as_str).collect();
    [Field::Email, Field::Phone].into_iter().filter(|field| names.contains(&field.title())).collect()
}

/// A record that stands for a person.
pub(in crate::plan) trait Recorded {
    fn reference(&self) -> &RecordRef;
}

impl Recorded for Contact {
    fn reference(&self) -> &RecordRef {
        &self.record
    }
}

impl Recorded for Matter {
    fn reference(&self) -> &RecordRef {
        &self.record
    }
}

/// A contact as a person sees it in a question.
pub fn show_contact(contact: &Contact) -> Shown {
    Shown::of(&contact.record, &contact.fields)
}

/// A matter as a person sees it in a question.
pub fn show_matter(matter: &Matter) -> Shown {
    Shown::of(&matter.record, &matter.fields).with("status", matter.status.as_deref())
}

fn scored(shown: Shown, likeness: &Likeness) -> Shown {
    let comparison = &likeness.comparison;
    Shown { score: Some(comparison.score), reasons: comparison.reasons.clone(), ..shown }
}
