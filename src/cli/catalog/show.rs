//! One entry of the catalog, whole.

use crate::operations::Effect;
use crate::operations::catalog::{Entry, Kind, Parameter};

pub(super) fn text(entry: &Entry) -> String {
    let mut text = format!("{}  ({} {})\n", entry.id, entry.system.as_str(), entry.kind.as_str());
    text.push_str(&format!("    {}\n", entry.help));
    let mut line = |name: &str, value: &str| text.push_str(&format!("{name:<8}  {value}\n"));
    if let (Some(method), Some(path)) = (entry.method, entry.path.as_deref()) {
        let name = if entry.kind == Kind::Action { "request" } else { "arrives" };
        line(name, &format!("{} {path}", method.as_str()));
    }
    if let Some(version) = &entry.version {
        line("version", version);
    }
    line("scope", entry.scope.as_deref().unwrap_or("none is documented"));
    if entry.kind == Kind::Action {
        let effect = match entry.effect {
            Effect::Read => "changes nothing",
            Effect::Idempotent => "writes; doing it again changes nothing more",
            Effect::Create => "writes; doing it again may do it twice",
        };
        line("effect", effect);
        line("answer", &entry.result);
    }
    if entry.deprecated {
        line("note", "the vendor advises against it");
    }
    text.push_str(match (entry.kind, entry.parameters.is_empty()) {
        (_, true) => "",
        (Kind::Action, false) => "\nPARAMETERS (* must be given)\n",
        (Kind::Trigger, false) => "\nFIELDS\n",
    });
    for parameter in &entry.parameters {
        text.push_str(&of_parameter(parameter));
    }
    text.trim_end().to_owned()
}

fn of_parameter(parameter: &Parameter) -> String {
    let star = if parameter.required && parameter.filled.is_none() { "*" } else { " " };
    let (name, place, of) = (&parameter.name, parameter.place.as_str(), parameter.of.as_str());
    let mut help = parameter.help.clone();
    if !parameter.one_of.is_empty() {
        help.push_str(&format!(" One of {}.", parameter.one_of.join(", ")));
    }
    format!("{star} {name:<28}  {place:<7}  {of:<7}  {help} E.g. {}\n", parameter.example)
}
