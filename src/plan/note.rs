//! A note was written on either side.

use sha2::{Digest, Sha256};

use super::snapshot::{CopyView, Owner, Snapshot};
use super::users;
use crate::domain::{
    Base, Command, EffectKey, Link, NewNote, Note, Plan, RecordKind, System, Target, parse_external_ref,
    plain, shortened,
};
use crate::rules::SyncRules;

/// A note was written in HighLevel.
pub(super) fn to_casepeer(view: &CopyView<Note>, snapshot: &Snapshot, rules: &SyncRules) -> Plan {
    if let Some(plan) = settled_by_link_or_origin(view) {
        return plan;
    }
    if !rules.notes.to_casepeer {
        return Plan::nothing("the firm keeps HighLevel's notes out of CASEpeer");
    }
    let (mut plan, owner) = match &view.owner {
        Owner::Linked { there, .. } => (Plan::default(), Target::Record(there.clone())),
        Owner::Contact(contact) => {
            let mut plan = super::contact::introduce(contact, snapshot, rules);
            if plan.commands.is_empty() {
                return plan;
            }
            plan.commands.retain(|planned| !is_copy_of(&planned.command, &view.record));
            (plan, Target::CounterpartOf(contact.contact.record.clone()))
        }
        Owner::Matter(_) | Owner::Missing => return Plan::nothing("HighLevel does not say whose note it is"),
    };
    copy_to_casepeer(&mut plan, &view.record, owner, snapshot, rules);
    plan
}

/// A note was written in CASEpeer. It crosses only if the firm listed its category.
pub(super) fn to_highlevel(view: &CopyView<Note>, snapshot: &Snapshot, rules: &SyncRules) -> Plan {
    if let Some(plan) = settled_by_link_or_origin(view) {
        return plan;
    }
    let note = &view.record;
    let reference = note.external_ref.as_deref();
    if let Some(original) =
        reference.and_then(|it| parse_external_ref(it, &snapshot.location, RecordKind::Note))
    {
        let link = Link::new(original.clone(), note.record.clone(), System::HighLevel, Base::default());
        let mut plan = Plan::default();
        plan.add(Command::Link(link), format!("it is our own copy of {original}"));
        return plan;
    }
    let category = note.category.as_deref().unwrap_or_default();
    if !rules.notes.to_highlevel.iter().any(|listed| listed.eq_ignore_ascii_case(category)) {
        return Plan::nothing(
            "notes of this category stay in CASEpeer (sync.notes.to_highlevel does not list it)",
        );
    }
    let (mut plan, owner) = match &view.owner {
        Owner::Linked { there, .. } => (Plan::default(), Target::Record(there.clone())),
        Owner::Matter(matter) => {
            let plan = super::matter::introduce(matter, snapshot, rules);
            if plan.commands.is_empty() {
                return plan;
            }
            (plan, Target::CounterpartOf(matter.matter.record.clone()))
        }
        Owner::Contact(_) | Owner::Missing => return Plan::nothing("CASEpeer does not say whose note it is"),
    };
    let author = users::counterpart(System::CasePeer, note.author.as_deref(), snapshot, rules);
    let copy = NewNote {
        owner,
        copy_of: Some(note.record.clone()),
        effect: note.record.copy_effect(),
        name: note.record.id.clone(),
        body: body_for_highlevel(note, snapshot, rules),
        author,
        written_at: None,
        category: None,
        digest: None,
    };
    plan.add(Command::CreateNote(copy), "the firm shares notes of this category");
    plan
}

fn settled_by_link_or_origin(view: &CopyView<Note>) -> Option<Plan> {
    (view.link.is_some() || view.is_ours).then(|| Plan::nothing("both sides have it already"))
}

/// HighLevel dates a note when it is made and knows only its own users: who wrote it, and when, stands below the text.
fn body_for_highlevel(note: &Note, snapshot: &Snapshot, rules: &SyncRules) -> String {
    let text = shortened(plain(&note.body), System::CasePeer.title());
    let Some(author) = users::name(System::CasePeer, note.author.as_deref(), snapshot) else { return text };
    match note.added_at {
        Some(at) => format!("{text}\n\n{author}, {} (CASEpeer)", rules.time_zone.words(at)),
        None => format!("{text}\n\n{author} (CASEpeer)"),
    }
}

/// Plans the copy of a HighLevel note.
pub(super) fn copy_to_casepeer(
    plan: &mut Plan,
    note: &Note,
    owner: Target,
    snapshot: &Snapshot,
    rules: &SyncRules,
) {
    if !rules.notes.to_casepeer {
        return;
    }
    match for_casepeer(note, owner, snapshot, rules) {
        Some(copy) => plan.add(Command::CreateNote(copy), "CASEpeer has no copy of it"),
        None => plan.remark("the note has no text"),
    }
}

/// The copy of a HighLevel note; none if it says nothing.
fn for_casepeer(note: &Note, owner: Target, snapshot: &Snapshot, rules: &SyncRules) -> Option<NewNote> {
    let text = shortened(plain(&note.body), System::HighLevel.title());
    if text.is_empty() {
        return None;
    }
    let author = users::counterpart(System::HighLevel, note.author.as_deref(), snapshot, rules);
    // Somebody whom CASEpeer does not know cannot be its author there.
    let unknown = match author {
        Some(_) => None,
        None => users::name(System::HighLevel, note.author.as_deref(), snapshot),
    };
    Some(NewNote {
        owner,
        copy_of: Some(note.record.clone()),
        effect: note.record.copy_effect(),
        name: note.record.id.clone(),
        digest: Some(digest(&text)),
        body: unknown.map_or(text.clone(), |name| format!("{text}\n\n{name} (HighLevel)")),
        author,
        written_at: note.added_at,
        category: rules.notes.category.clone(),
    })
}

/// A note was written anew in HighLevel. CASEpeer's contract does not change notes, and a case file keeps what was
/// written: the new text is a note of its own.
pub(super) fn rewritten(view: &CopyView<Note>, snapshot: &Snapshot, rules: &SyncRules) -> Plan {
    let (Some(link), Owner::Linked { there, .. }) = (&view.link, &view.owner) else {
        return to_casepeer(view, snapshot, rules);
    };
    if link.origin == System::CasePeer {
        return Plan::nothing("it is a copy of CASEpeer's note, which stands as it was written");
    }
    if !rules.notes.to_casepeer {
        return Plan::nothing("the firm keeps HighLevel's notes out of CASEpeer");
    }
    let note = &view.record;
    let Some(copy) = for_casepeer(note, Target::Record(there.clone()), snapshot, rules) else {
        return Plan::nothing("the note has no text any more; CASEpeer keeps what it said");
    };
    if copy.digest == link.base.text {
        return Plan::nothing("CASEpeer has it so already");
    }
    let base = Base::of_text(copy.digest.clone());
    let again = NewNote {
        copy_of: None,
        effect: EffectKey(format!("edit-of:{}@{}", note.record, link.revision)),
        name: format!("{}-{}", note.record.id, link.revision),
        body: format!("Changed in HighLevel:\n\n{}", copy.body),
        written_at: None,
        digest: None,
        ..copy
    };
    let mut plan = Plan::default();
    plan.add(Command::CreateNote(again), "it was written anew in HighLevel");
    let (highlevel, casepeer) = (link.highlevel.clone(), link.casepeer.clone());
    plan.add(Command::Agree { highlevel, casepeer, base }, "what the note says now");
    plan
}

/// Names a text without telling it.
fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn is_copy_of(command: &Command, note: &Note) -> bool {
    matches!(command, Command::CreateNote(new) if new.copy_of.as_ref() == Some(&note.record))
}
