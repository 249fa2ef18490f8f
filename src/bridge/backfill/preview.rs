//! What a plan comes to, for a person who looks at many.

use super::Expected;
use crate::domain::{Command, Plan, RecordRef};

/// The records that a plan would link.
pub(super) fn partners(plan: &Plan) -> Vec<RecordRef> {
    let linked = plan.commands.iter().filter_map(|planned| match &planned.command {
        Command::Link(link) => Some([link.highlevel.clone(), link.casepeer.clone()]),
        _ => None,
    });
    linked.flatten().collect()
}

/// What a plan comes to.
pub(super) fn expected(plan: &Plan) -> (Expected, String) {
    let find = |is_it: fn(&Command) -> bool| {
        plan.commands
            .iter()
            .find(|planned| is_it(&planned.command))
            .map(|planned| format!("{}: {}", planned.command.summary(), planned.reason))
    };
    if let Some(question) = plan.questions.first() {
        return (Expected::Ambiguous, question.why.clone());
    }
    let creates = find(|command| matches!(command, Command::CreateLead(_) | Command::CreateContact(_)));
    let links = find(|command| matches!(command, Command::Link(_)));
    let differs =
        find(|command| matches!(command, Command::UpdateContact { .. } | Command::UpdateMatter { .. }));
    let found = [(Expected::Create, creates), (Expected::Link, links), (Expected::Differ, differs)];
    if let Some((would, Some(why))) = found.into_iter().find(|(_, why)| why.is_some()) {
        return (would, why);
    }
    match &plan.unmet {
        Some(why) => (Expected::Ambiguous, why.clone()),
        None => (Expected::InStep, plan.remarks.first().cloned().unwrap_or_default()),
    }
}
