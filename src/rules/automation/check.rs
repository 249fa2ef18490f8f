//! Whether a rule fits the catalog: its fields are its trigger's, its parameters its actions'.

use super::super::fields::why_protected;
use super::super::suggest::hint;
use super::loops::triggers_itself;
use super::read::{Wrong, asked};
use super::trigger::{fields_of, is_own};
use super::{Rule, Step};
use crate::operations::catalog::{System, nearest};

/// Everything that does not fit.
pub fn problems(rule: &Rule) -> Vec<Wrong> {
    let fields = fields_of(rule.when);
    let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    let mut wrong = Vec::new();
    for (at, field) in rule.condition.places() {
        if let Some(why) = unknown(rule, field, &names) {
            wrong.push(Wrong { at: format!("if{at}"), why });
        }
    }
    for (index, step) in rule.steps.iter().enumerate() {
        let at = format!("then[{}].with", index + 1);
        parameters(step, &at, &mut wrong);
        for (name, expression) in &step.with {
            for field in expression.fields() {
                if let Some(why) = unknown(rule, field, &names).or_else(|| crosses(rule, step, field)) {
                    wrong.push(Wrong { at: format!("{at}.{name}"), why });
                }
            }
        }
    }
    if let Some(way) = triggers_itself(rule).filter(|_| !rule.may_trigger_itself) {
        let why = format!(
            "this rule triggers itself through {way}; with `may_trigger_itself = true` it may, and is stopped when it \
             does so again and again"
        );
        wrong.push(Wrong { at: "then".into(), why });
    }
    wrong
}

/// What is wrong with a field that the trigger does not bring.
fn unknown(rule: &Rule, field: &str, known: &[&str]) -> Option<String> {
    if known.contains(&field) || is_own(field) {
        return None;
    }
    // `email` where the trigger has `lead.client.email`.
    let inner = || known.iter().copied().find(|name| name.rsplit('.').next() == field.rsplit('.').next());
    let guess = match hint(field, known.iter().copied()) {
        guess if guess.is_empty() => asked(inner().or_else(|| nearest(field, known.iter().copied()))),
        guess => guess,
    };
    let of = &rule.when.id;
    Some(format!("`{field}` is no field of {of}{guess} (casebridge rules fields {of})"))
}

/// What the case file keeps to itself does not leave it by a rule either.
fn crosses(rule: &Rule, step: &Step, field: &str) -> Option<String> {
    let is_out = rule.when.system == System::CasePeer && step.action.system == System::HighLevel;
    is_out.then(|| why_protected(field)).flatten()
}

fn parameters(step: &Step, at: &str, wrong: &mut Vec<Wrong>) {
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
                !step.with.keys().any(|name| *name == parameter.name || name.starts_with(&inside))
            },
        );
    wrong.extend(missing.map(|parameter| Wrong {
        at: format!("{at}.{}", parameter.name),
        why: format!("is missing, which {} needs: {}", action.id, parameter.help),
    }));
}
