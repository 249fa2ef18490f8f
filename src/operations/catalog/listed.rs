//! An entry as lists show it.

use serde::Serialize;
use serde_json::Value;

use super::{Effect, Entry, Filled, Kind, Method, Parameter, Place, System, Type};

/// An entry as lists show it.
#[derive(Debug, Serialize)]
pub struct Listed<'a> {
    id: &'a str,
    system: System,
    kind: Kind,
    method: Option<Method>,
    path: Option<&'a str>,
    version: Option<&'a str>,
    scope: Option<&'a str>,
    parameters: Vec<ListedParameter<'a>>,
    help: &'a str,
    result: &'a str,
    /// `read` or `write`.
    access: &'static str,
    repeat_is_safe: bool,
    deprecated: bool,
}

#[derive(Debug, Serialize)]
struct ListedParameter<'a> {
    name: &'a str,
    #[serde(rename = "in")]
    place: Place,
    #[serde(rename = "type")]
    of: Type,
    /// Whether a caller must give it.
    required: bool,
    nullable: bool,
    filled: Option<Filled>,
    one_of: &'a [String],
    help: &'a str,
    example: &'a Value,
}

impl<'a> From<&'a Entry> for Listed<'a> {
    fn from(entry: &'a Entry) -> Self {
        Self {
            id: &entry.id,
            system: entry.system,
            kind: entry.kind,
            method: entry.method,
            path: entry.path.as_deref(),
            version: entry.version.as_deref(),
            scope: entry.scope.as_deref(),
            parameters: entry.parameters.iter().map(ListedParameter::from).collect(),
            help: &entry.help,
            result: &entry.result,
            access: if entry.effect == Effect::Read { "read" } else { "write" },
            repeat_is_safe: entry.effect != Effect::Create,
            deprecated: entry.deprecated,
        }
    }
}

impl<'a> From<&'a Parameter> for ListedParameter<'a> {
    fn from(parameter: &'a Parameter) -> Self {
        Self {
            name: &parameter.name,
            place: parameter.place,
            of: parameter.of,
            required: parameter.required && parameter.filled.is_none(),
            nullable: parameter.nullable,
            filled: parameter.filled,
            one_of: &parameter.one_of,
            help: &parameter.help,
            example: &parameter.example,
        }
    }
}
