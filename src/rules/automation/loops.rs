//! Whether what a rule does may trigger it again.

use std::collections::BTreeSet;

use super::Rule;

/// What an action makes happen in its own system, as triggers.
const CAUSES: &[(&str, &[&str])] = &[
    ("contacts.create-contact", &["webhook.ContactCreate", "webhook.ContactTagUpdate"]),
    (
        "contacts.upsert-contact",
        &["webhook.ContactCreate", "webhook.ContactUpdate", "webhook.ContactTagUpdate"],
    ),
    (
        "contacts.update-contact",
        &["webhook.ContactUpdate", "webhook.ContactTagUpdate", "webhook.ContactDndUpdate"],
    ),
    ("contacts.delete-contact", &["webhook.ContactDelete"]),
    ("contacts.add-tags", &["webhook.ContactTagUpdate", "webhook.ContactUpdate"]),
    ("contacts.remove-tags", &["webhook.ContactTagUpdate", "webhook.ContactUpdate"]),
    ("contacts.create-association", &["webhook.ContactTagUpdate", "webhook.ContactUpdate"]),
    ("contacts.add-remove-contact-from-business", &["webhook.ContactUpdate"]),
    ("contacts.add-followers-contact", &["webhook.ContactUpdate"]),
    ("contacts.remove-followers-contact", &["webhook.ContactUpdate"]),
    ("contacts.add-contact-to-campaign", &["webhook.CampaignStatusUpdate"]),
    ("contacts.remove-contact-from-campaign", &["webhook.CampaignStatusUpdate"]),
    ("contacts.remove-contact-from-every-campaign", &["webhook.CampaignStatusUpdate"]),
    ("contacts.create-task", &["webhook.TaskCreate"]),
    ("contacts.update-task", &["webhook.TaskComplete"]),
    ("contacts.update-task-completed", &["webhook.TaskComplete"]),
    ("contacts.delete-task", &["webhook.TaskDelete"]),
    ("contacts.create-note", &["webhook.NoteCreate"]),
    ("contacts.update-note", &["webhook.NoteUpdate"]),
    ("contacts.delete-note", &["webhook.NoteDelete"]),
    ("calendars.create-appointment", &["webhook.AppointmentCreate"]),
    ("calendars.edit-appointment", &["webhook.AppointmentUpdate"]),
    ("calendars.delete-event", &["webhook.AppointmentDelete"]),
    ("conversations.send-a-new-message", &["webhook.OutboundMessage"]),
    ("conversations.add-an-inbound-message", &["webhook.InboundMessage"]),
    ("conversations.add-an-outbound-message", &["webhook.OutboundMessage"]),
    ("opportunities.create-opportunity", &["webhook.OpportunityCreate"]),
    (
        "opportunities.Upsert-opportunity",
        &[
            "webhook.OpportunityCreate",
            "webhook.OpportunityUpdate",
            "webhook.OpportunityStageUpdate",
            "webhook.OpportunityStatusUpdate",
        ],
    ),
    (
        "opportunities.update-opportunity",
        &[
            "webhook.OpportunityUpdate",
            "webhook.OpportunityStageUpdate",
            "webhook.OpportunityStatusUpdate",
            "webhook.OpportunityMonetaryValueUpdate",
            "webhook.OpportunityAssignedToUpdate",
        ],
    ),
    (
        "opportunities.update-opportunity-status",
        &["webhook.OpportunityStatusUpdate", "webhook.OpportunityUpdate"],
    ),
    ("opportunities.delete-opportunity", &["webhook.OpportunityDelete"]),
    ("lead.create", &["lead.created"]),
    ("lead.update", &["lead.updated", "lead.converted", "lead.rejected"]),
    ("case.update", &["case.status_changed"]),
    ("contact.update", &["contact.updated"]),
    ("task.create", &["task.created"]),
    ("task.update", &["task.completed"]),
    ("task.complete", &["task.completed"]),
    ("note.create_on_lead", &["note.created"]),
    ("note.create_on_case", &["note.created"]),
];

/// What the built-in sync makes happen in the other system.
const SYNC: &[(&str, &[&str])] = &[
    ("webhook.ContactCreate", &["lead.created"]),
    ("webhook.ContactUpdate", &["lead.updated"]),
    ("webhook.TaskCreate", &["task.created"]),
    ("webhook.TaskComplete", &["task.completed"]),
    ("webhook.NoteCreate", &["note.created"]),
    ("webhook.AppointmentCreate", &["note.created", "task.created"]),
    ("lead.created", &["webhook.ContactCreate"]),
    ("lead.updated", &["webhook.ContactUpdate"]),
    ("case.created", &["webhook.ContactCreate", "casebridge.milestone_reached"]),
    (
        "case.status_changed",
        &["webhook.ContactTagUpdate", "webhook.OpportunityStageUpdate", "casebridge.milestone_reached"],
    ),
    ("task.created", &["webhook.TaskCreate"]),
    ("task.completed", &["webhook.TaskComplete"]),
    ("note.created", &["webhook.NoteCreate"]),
];

fn caused(table: &'static [(&str, &[&str])], by: &str) -> &'static [&'static str] {
    table.iter().find(|(id, _)| *id == by).map_or(&[], |(_, causes)| causes)
}

/// The way on which a rule triggers itself, by its actions and the sync; nothing if there is none.
pub fn triggers_itself(rule: &Rule) -> Option<String> {
    sets_itself_off(rule, &[])
}

/// The same with other rules on the way.
pub fn sets_itself_off(rule: &Rule, others: &[&Rule]) -> Option<String> {
    for step in &rule.steps {
        let action = step.action.id.as_str();
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut open: Vec<(&str, String)> = caused(CAUSES, action)
            .iter()
            .map(|trigger| (*trigger, format!("`{action}`, which causes {trigger}")))
            .collect();
        while let Some((trigger, way)) = open.pop() {
            if trigger == rule.when.id {
                return Some(way);
            }
            if seen.insert(trigger) {
                let next = caused(SYNC, trigger).iter();
                open.extend(
                    next.map(|next| (*next, format!("{way}, which the sync carries over as {next}"))),
                );
                let set_off =
                    others.iter().filter(|other| other.when.id == trigger && share_a_firm(rule, other));
                for (other, step) in
                    set_off.flat_map(|other| other.steps.iter().map(move |step| (other, step)))
                {
                    let way = format!("{way}, which sets off the rule `{}`: `{}`", other.id, step.action.id);
                    let next = caused(CAUSES, &step.action.id).iter();
                    open.extend(next.map(|next| (*next, format!("{way}, which causes {next}"))));
                }
            }
        }
    }
    None
}

fn share_a_firm(one: &Rule, other: &Rule) -> bool {
    one.firms.is_empty() || other.firms.is_empty() || one.firms.iter().any(|firm| other.is_for(firm))
}

/// Every id in the tables, for the test that holds them against the catalog.
#[cfg(test)]
pub(super) fn named() -> impl Iterator<Item = &'static str> {
    let rows = CAUSES.iter().chain(SYNC);
    rows.flat_map(|(id, causes)| std::iter::once(*id).chain(causes.iter().copied()))
}
