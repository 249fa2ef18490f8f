//! The part of the form for what has to hold: tests in groups, in groups.

use maud::{Markup, html};
use serde_json::Value;

use super::super::rules::OPERATORS;
use super::look::Look;

/// The whole condition.
pub(super) fn section(look: &Look<'_>) -> Markup {
    html! {
        section.card aria-labelledby="if" {
            h2 #if { "If" }
            @match &look.draft.condition {
                None => {
                    p { "Nothing has to hold: it is done each time." }
                    (look.said("if", "if", true, None))
                    button type="submit" name="do" value="add if" { "Add a condition" }
                },
                Some(node) => {
                    (shown(look, node, "if", "if"))
                    @if node.get("all").is_none() && node.get("any").is_none() {
                        button type="submit" name="do" value="add if" { "Add a condition" }
                    }
                },
            }
        }
    }
}

/// A node: `at` is its place in the form, `place` in the language.
fn shown(look: &Look<'_>, node: &Value, at: &str, place: &str) -> Markup {
    let parts = |key: &'static str| Some((key, node.get(key)?.as_array()?));
    if let Some((key, parts)) = parts("all").or_else(|| parts("any")) {
        return group(look, (key, parts), node, at, place);
    }
    if let Some(inner) = node.get("not") {
        return html! {
            fieldset.group {
                legend { "Not" }
                input type="hidden" name={ (at) ":kind" } value="not";
                (shown(look, inner, &format!("{at}.0"), &format!("{place}.not")))
                button.small type="submit" name="do" value={ "plain " (at) } { "Take the “not” away" }
            }
        };
    }
    test(look, node, at, place)
}

fn group(look: &Look<'_>, (key, parts): (&str, &Vec<Value>), node: &Value, at: &str, place: &str) -> Markup {
    let id = at.replace('.', "-");
    html! {
        fieldset.group {
            legend.unseen { "A group of conditions" }
            div.line {
                div.grow {
                    label.unseen for={ "kind-" (id) } { "How many of these" }
                    select id={ "kind-" (id) } name={ (at) ":kind" } hx-post="/builder" hx-trigger="change" {
                        option value="all" selected[key == "all"] { "All of these hold" }
                        option value="any" selected[key == "any"] { "Any of these holds" }
                    }
                }
                (removal(at, "this group"))
            }
            (look.said(at, place, false, look.holds(node).filter(|_| parts.len() > 1)))
            @for (index, part) in parts.iter().enumerate() {
                (shown(look, part, &format!("{at}.{index}"), &format!("{place}.{key}[{index}]")))
            }
            div.actions {
                button.small type="submit" name="do" value={ "add " (at) } { "Add a condition" }
                button.small type="submit" name="do" value={ "add-any " (at) } { "Add a group: any of" }
                button.small type="submit" name="do" value={ "add-all " (at) } { "Add a group: all of" }
            }
        }
    }
}

fn removal(at: &str, what: &str) -> Markup {
    html! {
        div.buttons {
            button.small type="submit" name="do" value={ "negate " (at) } { "Not" span.unseen { ": turn " (what) " round" } }
            button.small type="submit" name="do" value={ "remove " (at) } { "Remove" span.unseen { " " (what) } }
        }
    }
}

fn test(look: &Look<'_>, node: &Value, at: &str, place: &str) -> Markup {
    let id = at.replace('.', "-");
    let text = |key: &str| node.get(key).and_then(Value::as_str).unwrap_or_default();
    let (field, operator) = (text("field"), text("operator"));
    let known = look.fields.iter().find(|one| one.name == field);
    let example = known.map(|known| known.example.clone()).filter(|example| !example.is_null());
    let lines = || {
        let values = node.get("value").and_then(Value::as_array).into_iter().flatten();
        values.map(|value| value.as_str().unwrap_or_default()).collect::<Vec<_>>().join("\n")
    };
    html! {
        div.test {
            input type="hidden" name={ (at) ":kind" } value="test";
            div.line {
                div.grow {
                    label for={ "field-" (id) } { "Field" }
                    input id={ "field-" (id) } name={ (at) ":field" } value=(field) list="fields" autocomplete="off" spellcheck="false"
                        autofocus[look.draft.focus.as_deref() == Some(at)] aria-describedby={ "said-" (id) };
                }
                div {
                    label for={ "operator-" (id) } { "How" }
                    select id={ "operator-" (id) } name={ (at) ":operator" } hx-post="/builder" hx-trigger="change" {
                        @for (word, words) in OPERATORS { option value=(word) selected[word == operator] { (words) } }
                    }
                }
                @match operator {
                    "exists" | "not_exists" => {},
                    "in" | "not_in" => div.grow {
                        label for={ "value-" (id) } { "Values, one on a line" }
                        textarea id={ "value-" (id) } name={ (at) ":value" } rows="3" aria-describedby={ "said-" (id) } { (lines()) }
                    },
                    _ => div.grow {
                        label for={ "value-" (id) } { "Value" }
                        input id={ "value-" (id) } name={ (at) ":value" } value=(text("value")) autocomplete="off" aria-describedby={ "said-" (id) };
                    },
                }
                (removal(at, "this condition"))
            }
            @if let Some(known) = known { p.hint { (known.help) @if let Some(example) = example { " For example " code { (example) } "." } } }
            (look.said(at, place, field.is_empty(), look.holds(node)))
        }
    }
}
