//! A contact and a matter that are the same person's: what of each goes to the other.

mod belongings;
mod put_back;
mod review;
mod shared;

pub(super) use self::shared::merge_pairs;
use super::merge::{Merged, Sides, merge};
use super::snapshot::{MatterView, Pair, Snapshot, Standing, View};
use crate::domain::{
    Base, Command, Contact, Difference, Field, FieldName, Fields, MAY_BE_REACHED, Matter, Plan, RecordRef,
    Scope, System,
};
use crate::rules::{Stage, SyncRules};

/// By what conflicts of the fields of these records are asked about.
pub fn conflict_subjects(view: &View) -> Vec<String> {
    match view {
        View::Contact(view) => {
            view.pairs.iter().map(|pair| review::subject(&view.contact, &pair.matter)).collect()
        }
        View::Matter(view) => of_matter(view).into_iter().collect(),
        View::Client(views) => views.iter().filter_map(of_matter).collect(),
        _ => Vec::new(),
    }
}

fn of_matter(view: &MatterView) -> Option<String> {
    Some(review::subject(view.contact.as_ref()?, &view.matter))
}

/// What one merge writes to either side.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    pub(super) to_highlevel: Fields,
    pub(super) to_casepeer: Fields,
}

/// Merges a contact and a matter, whichever of them changed.
pub(super) fn merge_pair(
    plan: &mut Plan,
    contact: &Contact,
    pair: &Pair,
    snapshot: &Snapshot,
    rules: &SyncRules,
) -> Told {
    let Pair { link, matter, .. } = pair;
    let mut here = with_consent(contact, &link.base.fields);
    let mut base = link.base.had_last(&here, &matter.fields);
    if matter.is_told {
        // Of what the webhook does not mention nothing is known.
        here.retain(|name, _| matter.fields.value(name).is_some());
        base.retain(|name, _| matter.fields.value(name).is_some());
    }
    let sides =
        Sides { base: &base, highlevel: &here, casepeer: &matter.fields, newer: newer(contact, matter) };
    let may_write = |name: &FieldName, to| has_place(name, to, pair.standing, snapshot, rules);
    let mut merged =
        merge(sides, &rules.fields, stage(matter, rules), pair.standing == Standing::Only, may_write);
    let back = put_back::find(&link.base.fields, &here, contact, matter, snapshot);
    back.leave_out_of(&mut merged);
    let undecided = review::apply_decisions(&mut merged, sides, contact, matter, snapshot, may_write);
    say_what_stays(plan, &merged);
    if merged.is_quiet() && undecided.is_empty() && merged.apart().is_empty() && back.is_empty() {
        plan.remark(format!("{} and {} are in step", contact.record, matter.record));
    }
    let asked: Vec<Difference> =
        review::differences(&undecided, sides, contact, matter).chain(back.asked()).collect();
    if !asked.is_empty() {
        plan.questions.push(review::question(asked, sides, contact, matter));
    }
    back.carry_out(plan, contact, pair);
    let told = Told { to_highlevel: merged.to_highlevel.clone(), to_casepeer: merged.to_casepeer.clone() };
    carry_over(plan, contact, pair, merged);
    if pair.standing != Standing::Older {
        belongings::tags(plan, contact, pair, rules);
        belongings::business(plan, contact, pair, snapshot, rules);
    }
    told
}

fn carry_over(plan: &mut Plan, contact: &Contact, pair: &Pair, merged: Merged) {
    let Pair { link, matter, .. } = pair;
    // Only where there are several does it matter whose each is.
    let is_new = |client: &&RecordRef| {
        pair.standing != Standing::Only && link.base.client.as_deref() != Some(client.id.as_str())
    };
    let client = matter.client.as_ref().filter(is_new);
    if !merged.agreed.is_empty() || client.is_some() {
        let base = Base::of_fields(merged.agreed).with_client(client);
        let (highlevel, casepeer) = (contact.record.clone(), matter.record.clone());
        plan.add(Command::Agree { highlevel, casepeer, base }, "both sides have the same values");
    }
    if !merged.to_casepeer.is_empty() {
        let update = Command::UpdateMatter {
            matter: matter.record.clone(),
            contact: contact.record.clone(),
            fields: merged.to_casepeer,
            agreed: None,
            revision: link.revision,
            version: matter.version.clone(),
        };
        plan.add(update, "changed in HighLevel since both sides agreed");
    }
    if !merged.to_highlevel.is_empty() {
        let update = Command::UpdateContact {
            contact: contact.record.clone(),
            matter: matter.record.clone(),
            fields: merged.to_highlevel,
            agreed: None,
            revision: link.revision,
        };
        plan.add(update, "changed in CASEpeer since both sides agreed");
    }
}

/// The contact's values. A person who may be reached again has no mark that says so, yet the case file must learn it.
fn with_consent(contact: &Contact, base: &Fields) -> Fields {
    let mut fields = contact.fields.clone();
    if fields.get(Field::DoNotContact).is_none() && base.get(Field::DoNotContact).is_some() {
        fields.put(Field::DoNotContact, MAY_BE_REACHED.to_owned());
    }
    fields
}

/// What a lead that is made for this contact starts with.
pub(super) fn fields_for_casepeer(contact: &Contact, rules: &SyncRules) -> Fields {
    let mut fields = contact.fields.clone();
    fields.retain(|name, _| rules.fields.goes_to_casepeer(name));
    fields
}

/// What a contact that is made for this matter starts with.
pub(super) fn fields_for_highlevel(matter: &Matter, snapshot: &Snapshot, rules: &SyncRules) -> Fields {
    let mut fields = matter.fields.clone();
    fields.retain(|name, _| {
        rules.fields.goes_to_highlevel(name)
            && has_place(name, System::HighLevel, Standing::Only, snapshot, rules)
    });
    fields
}

/// Whether a system has a place for a field: a custom field that the location defines, and a matter whose own it is.
fn has_place(
    name: &FieldName,
    on: System,
    standing: Standing,
    snapshot: &Snapshot,
    rules: &SyncRules,
) -> bool {
    let is_the_matters = name.scope() == Scope::Matter;
    match on {
        System::CasePeer => !is_the_matters || standing == Standing::Only,
        System::HighLevel => {
            let is_defined =
                rules.fields.highlevel_key(name).is_none_or(|key| snapshot.custom_fields.contains(key));
            is_defined && (!is_the_matters || standing != Standing::Older)
        }
    }
}

/// The side that was changed last; nothing where a date is missing or both are the same.
fn newer(contact: &Contact, matter: &Matter) -> Option<System> {
    let (here, there) = (contact.updated_at?, matter.updated_at?);
    match here.cmp(&there) {
        std::cmp::Ordering::Greater => Some(System::HighLevel),
        std::cmp::Ordering::Less => Some(System::CasePeer),
        std::cmp::Ordering::Equal => None,
    }
}

/// How far the case is.
fn stage(matter: &Matter, rules: &SyncRules) -> Stage {
    let milestone = matter.status.as_deref().and_then(|status| rules.status(status)?.milestone);
    let has_signed = matter.retained_at.is_some() || milestone.is_some_and(|step| step.is_after_signing());
    if has_signed { Stage::Signed } else { Stage::Open }
}

fn say_what_stays(plan: &mut Plan, merged: &Merged) {
    for (name, side) in &merged.conflicts {
        plan.remark(format!("{} differs on both sides; {}'s value stands", name.title(), side.title()));
    }
    for (why, names) in merged.apart() {
        plan.remark(format!("{}: {why}", names.join(", ")));
    }
}
