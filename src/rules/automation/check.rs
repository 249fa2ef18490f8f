//! Whether a rule fits the catalog: its fields are its trigger's, its parameters its actions'.

use super::super::condition::Condition;
use super::super::fields::why_protected;
use super::super::suggest::hint;
use super::loops::triggers_itself;
use super::read::{Wrong, asked};
use super::trigger::{fields_of, is_own};
use super::{Rule, Step};
use crate::operations::catalog::{Entry, System, nearest};

/// What does not fit of a rule's condition.
pub(super) fn condition(when: &Entry, condition: &Condition, wrong: &mut Vec<Wrong>) {
    let fields = fields_of(when);
    let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    for (at, field) in condition.places() {
        if let Some(why) = unknown(when, field, &names) {
            wrong.push(Wrong { at: format!("if{at}"), why });
        }
    }
}

/// What does not fit of a step. Parameters that cannot be read at all were told of before.
pub(super) fn step(when: Option<&Entry>, step: &Step, at: &str, unread: &[&str], wrong: &mut Vec<Wrong>) {
    let at = format!("{at}.with");
    parameters(step, &at, unread, wrong);
    let Some(when) = when else { return };
    let fields = fields_of(when);
    let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    for (name, expression) in &step.with {
        for field in expression.fields() {
            if let Some(why) = unknown(when, field, &names).or_else(|| crosses(when, step, field)) {
                wrong.push(Wrong { at: format!("{at}.{name}"), why });
            }
        }
    }
}

/// Whether a rule triggers itself and does not say that it may.
pub(super) fn loops(rule: &Rule, wrong: &mut Vec<Wrong>) {
    if let Some(way) = triggers_itself(rule).filter(|_| !rule.may_trigger_itself) {
        let why = format!(
            "this rule triggers itself through {way}; with `may_trigger_itself = true` it may, and is stopped when it \
             does so again and again"
        );
        wrong.push(Wrong { at: "then".into(), why });
    }
}

/// What is wrong with a field that the trigger does not bring.
fn unknown(when: &Entry, field: &str, known: &[&str]) -> Option<String> {
    if known.contains(&field) || is_own(field) {
        return None;
    }
    // `email` where the trigger has `lead.client.email`.
    let inner = || known.iter().copied().find(|name| name.rsplit('.').next() == field.rsplit('.').next());
    let guess = match hint(field, known.iter().copied()) {
        guess if guess.is_empty() => asked(inner().or_else(|| nearest(field, known.iter().copied()))),
        guess => guess,
    };
    let of = &when.id;
    Some(format!("`{field}` is no field of {of}{guess} (casebridge rules fields {of})"))
}

/// What the case file keeps to itself does not leave it by a rule either.
fn crosses(when: &Entry, step: &Step, field: &str) -> Option<String> {
    let is_out = when.system == System::CasePeer && step.action.system == System::HighLevel;
    is_out.then(|| why_protected(field)).flatten()
}

fn parameters(step: &Step, at: &str, unread: &[&str], wrong: &mut Vec<Wrong>) {
    let action = step.action;
    let names = || action.parameters.iter().map(|parameter| parameter.name.as_str());
    for (name, expression) in &step.with {
        let Some(parameter) = action.parameter(name) else {
            let guess = asked(nearest(name, names()));
            let why =
                format!("is no parameter of {}{guess} (casebridge catalog show {})", action.id, action.id);
            wrong.push(Wrong { at: format!("{at}.{name}"), why });
            continue;
        };
        if let Some(protected) = why_protected(name).filter(|_| parameter.name.contains("ustom")) {
            wrong.push(Wrong { at: format!("{at}.{name}"), why: protected });
        }
        let fixed = expression.fixed().map(|value| parameter.fitted(&value));
        if let Some(why) = fixed.and_then(|value| parameter.refusal(&value)) {
            wrong.push(Wrong { at: format!("{at}.{name}"), why });
        }
    }
    let missing =
        action.parameters.iter().filter(|parameter| parameter.required && parameter.filled.is_none()).filter(
            |parameter| {
                let inside = format!("{}.", parameter.name);
                let mut given = step.with.keys().map(String::as_str).chain(unread.iter().copied());
                !given.any(|name| name == parameter.name || name.starts_with(&inside))
            },
        );
    wrong.extend(missing.map(|parameter| Wrong {
        at: format!("{at}.{}", parameter.name),
        why: format!("is missing, which {} needs: {}", action.id, parameter.help),
    }));
}
