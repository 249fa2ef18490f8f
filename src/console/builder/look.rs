//! What a rule that is being built is seen with: the trigger's fields, what is wrong so far, and an event.

use maud::{Markup, html};
use serde_json::Value;

use super::super::page::pill;
use super::draft::Draft;
use crate::operations::catalog::Parameter;
use crate::rules::Condition;
use crate::rules::automation::{Expression, Occasion, Rule, TriggerField, Wrong, fields_of};
use crate::store::EventRow;

/// The longest value that is shown beside a field, in characters.
const LONGEST_SHOWN: usize = 200;

/// Everything the form is drawn with.
pub(super) struct Look<'a> {
    pub(super) draft: &'a Draft,
    /// The trigger's fields.
    pub(super) fields: Vec<TriggerField>,
    /// The rule, or everything that is wrong with it.
    pub(super) checked: Result<Rule, Vec<Wrong>>,
    /// The event it is seen with.
    pub(super) occasion: Option<Occasion>,
    /// The events to choose from.
    pub(super) events: Vec<EventRow>,
    /// Why it was not saved, by what it would do with the other rules.
    pub(super) refused: Vec<Wrong>,
}

impl<'a> Look<'a> {
    pub(super) fn new(draft: &'a Draft, occasion: Option<Occasion>, events: Vec<EventRow>) -> Self {
        let fields = draft.when.map(fields_of).unwrap_or_default();
        let checked = Rule::from_json(&draft.to_json());
        Self { draft, fields, checked, occasion, events, refused: Vec::new() }
    }

    /// Everything that is wrong.
    pub(super) fn wrong(&self) -> impl Iterator<Item = &Wrong> {
        self.checked.as_ref().err().into_iter().flatten().chain(&self.refused)
    }

    /// What is said beside a part of the form: what is wrong there, else what it comes to. What is still blank is no
    /// fault before somebody has asked.
    pub(super) fn said(&self, at: &str, place: &str, is_blank: bool, comes_to: Option<Markup>) -> Markup {
        let is_its = |one: &&Wrong| {
            one.at == place
                || ["field", "operator", "value"].iter().any(|part| one.at == format!("{place}.{part}"))
        };
        let is_shown = self.draft.is_asked || !is_blank;
        let wrong: Vec<&Wrong> = self.wrong().filter(is_its).filter(|_| is_shown).collect();
        html! {
            div.said id={ "said-" (at.replace('.', "-")) } {
                @for one in &wrong { p.fault { (one.why) } }
                @if wrong.is_empty() { @if let Some(comes_to) = comes_to { (comes_to) } }
            }
        }
    }

    /// What a parameter comes to for the event.
    pub(super) fn value(&self, value: &Value, parameter: Option<&Parameter>) -> Option<Markup> {
        let occasion = self.occasion.as_ref()?;
        let expression = Expression::from_json(value).ok()?;
        let found = expression.value(occasion);
        let found = found.map(|found| parameter.map_or_else(|| found.clone(), |one| one.fitted(&found)));
        let refusal = found.as_ref().and_then(|found| parameter?.refusal(found));
        Some(html! {
            p.comes { @match found {
                None => { "→ " em { "nothing for this event" } ": it is left out" },
                Some(found) => { "→ " output { (short(&found)) } },
            } }
            @if let Some(refusal) = refusal { p.fault { "For this event it would be refused: it " (refusal) } }
        })
    }

    /// Whether a condition holds for the event, and what its field has there.
    pub(super) fn holds(&self, node: &Value) -> Option<Markup> {
        let occasion = self.occasion.as_ref()?;
        let condition = Condition::try_from(node.clone()).ok()?;
        let holds = condition.holds(&occasion.facts(condition.fields()));
        let field = node.get("field").and_then(Value::as_str);
        let held = field.map(|field| occasion.value(field).map(|value| short(&value)));
        Some(html! {
            p.comes {
                @if holds { (pill("good", "holds")) } @else { (pill("calm", "does not hold")) }
                @match held {
                    Some(Some(held)) => { " it is " output { (held) } },
                    Some(None) => " it has no value here",
                    None => {},
                }
            }
        })
    }
}

/// A value on a line.
fn short(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(LONGEST_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
