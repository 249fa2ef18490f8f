//! HighLevel's entries beside its official files: the same operations, with the same places, types and obligations.

use std::collections::{BTreeMap, BTreeSet};

use casebridge::operations::catalog::{self, Entry, Kind, Place, System, Type};
use serde_json::Value;

use super::actions;
use crate::stub::official;

/// Where the official file does not name a place of its own path, or leaves a body open that HighLevel's guide describes.
const BEYOND_THE_FILES: [(&str, &[&str]); 5] = [
    ("contacts.create-association", &["type"]),
    ("conversations.get-message", &["id"]),
    ("calendars.update-appointment-note", &["noteId"]),
    ("calendars.delete-appointment-note", &["noteId"]),
    (
        "contacts.search-contacts-advanced",
        &["locationId", "pageLimit", "page", "searchAfter", "query", "filters", "sort"],
    ),
];

fn available() -> bool {
    if !official::available() {
        eprintln!("HighLevel's official files are not at {}: not compared", official::reference().display());
    }
    official::available()
}

fn table(name: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(official::reference().join(name)).unwrap();
    text.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// A scope column without its remarks; none where it names none.
fn scope(cell: &str) -> Option<&str> {
    let word = cell.split(" (").next().unwrap().split(" [").next().unwrap();
    (!word.starts_with("none") && !word.starts_with('(')).then_some(word)
}

#[test]
fn every_core_operation_and_event_is_there() {
    if !available() {
        return;
    }
    let rows = table("operations.tsv");
    let core: Vec<_> =
        rows.iter().filter(|row| row[6] == "core" || row[1] == "contacts.get-contacts").collect();
    assert_eq!(core.len(), 127);
    for row in core {
        let entry = catalog::find(&row[1]).unwrap_or_else(|| panic!("no {}", row[1]));
        assert_eq!((entry.system, entry.kind.as_str()), (System::HighLevel, row[0].as_str()), "{}", row[1]);
        assert_eq!(entry.method.unwrap().as_str(), row[2], "{}", row[1]);
        assert_eq!(entry.scope.as_deref(), scope(&row[4]), "{}", row[1]);
        if entry.kind == Kind::Action {
            assert_eq!(entry.path.as_deref(), Some(row[3].as_str()), "{}", row[1]);
        }
    }
}

#[test]
fn every_action_is_as_its_file_says() {
    if !available() {
        return;
    }
    let mut wrong = Vec::new();
    for entry in actions(System::HighLevel) {
        let (area, id) = entry.id.split_once('.').unwrap();
        let path = official::reference().join(format!("openapi/{area}.json"));
        let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let method = entry.method.unwrap().as_str().to_lowercase();
        let operation = &file["paths"][entry.path.as_deref().unwrap()][&method];
        let mut differ = |what: &str, ours: String, theirs: String| {
            if ours != theirs {
                wrong.push(format!("{}: {what}: {ours}, and officially {theirs}", entry.id));
            }
        };
        differ("id", format!("{id:?}"), format!("{:?}", operation["operationId"].as_str().unwrap_or("none")));
        differ("deprecated", entry.deprecated.to_string(), (operation["deprecated"] == true).to_string());
        differ("body", entry.body.to_string(), operation["requestBody"].is_object().to_string());
        differ("Version", format!("{:?}", entry.version), format!("{:?}", version(operation)));
        let scopes = official::scopes(&method, entry.path.as_deref().unwrap());
        if let Some(scope) = entry.scope.as_ref().filter(|_| !scopes.is_empty()) {
            differ("scope", scopes.contains(scope).to_string(), true.to_string());
        }
        let (ours, theirs) = (ours(entry), theirs(&file, operation, entry));
        for name in ours.keys().chain(theirs.keys()).collect::<BTreeSet<_>>() {
            differ(name, format!("{:?}", ours.get(name)), format!("{:?}", theirs.get(name)));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

fn version(operation: &Value) -> Option<String> {
    let parameters = operation["parameters"].as_array()?;
    let version = parameters.iter().find(|parameter| parameter["name"] == "Version")?;
    Some(version["schema"]["enum"][0].as_str()?.to_owned())
}

/// Place, type, whether required, whether it may be null, and the closed list of values.
type Shape = (Place, Type, bool, bool, Vec<String>);

fn is_beyond(entry: &Entry, name: &str) -> bool {
    BEYOND_THE_FILES.iter().any(|(id, names)| *id == entry.id && names.contains(&name))
}

fn ours(entry: &Entry) -> BTreeMap<String, Shape> {
    let parameters = entry.parameters.iter().filter(|parameter| !is_beyond(entry, &parameter.name));
    parameters
        .map(|one| (one.name.clone(), (one.place, one.of, one.required, one.nullable, one.one_of.clone())))
        .collect()
}

fn theirs(file: &Value, operation: &Value, entry: &Entry) -> BTreeMap<String, Shape> {
    let mut shapes = BTreeMap::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let place = match parameter["in"].as_str() {
            Some("path") => Place::Path,
            Some("query") => Place::Query,
            _ => continue,
        };
        let mut schema = parameter["schema"].clone();
        if !parameter["example"].is_null() {
            schema["example"] = parameter["example"].clone();
        }
        let name = parameter["name"].as_str().unwrap().to_owned();
        let shape = (place, of(file, &schema), parameter["required"] == true, false, words(file, &schema));
        shapes.insert(name, shape);
    }
    let content = operation["requestBody"]["content"].as_object().and_then(|content| content.values().next());
    let whole = content.map_or(&Value::Null, |content| resolved(file, &content["schema"]));
    let parts = whole["allOf"].as_array().into_iter().flatten().map(|part| resolved(file, part));
    for part in std::iter::once(whole).chain(parts) {
        let required: Vec<_> = part["required"].as_array().into_iter().flatten().collect();
        for (name, schema) in part["properties"].as_object().into_iter().flatten() {
            let is_nullable = schema["nullable"] == true || resolved(file, schema)["nullable"] == true;
            let is_required = required.iter().any(|required| *required == name);
            // Its list of ways stands where the example should.
            let list = schema["example"].as_array().filter(|_| schema["type"] == "object");
            let shape = match list {
                Some(list) => {
                    let words = list.iter().filter_map(|word| Some(word.as_str()?.to_owned())).collect();
                    (Place::Body, Type::Text, is_required, is_nullable, words)
                }
                None => (Place::Body, of(file, schema), is_required, is_nullable, words(file, schema)),
            };
            shapes.insert(name.clone(), shape);
        }
    }
    shapes.retain(|name, _| !is_beyond(entry, name));
    shapes
}

fn resolved<'a>(file: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => resolved(file, file.pointer(reference.strip_prefix('#').unwrap()).unwrap()),
        None => schema,
    }
}

/// The files write what may be a text, a number or an object as `object`, and their example says which.
fn of(file: &Value, schema: &Value) -> Type {
    let example = &schema["example"];
    let schema = resolved(file, schema);
    match schema["type"].as_str() {
        Some("string") => Type::Text,
        Some("number" | "integer") => Type::Number,
        Some("boolean") => Type::Boolean,
        Some("array") if resolved(file, &schema["items"])["type"] == "string" => Type::Texts,
        Some("array") => Type::List,
        Some("object") if schema["properties"].is_null() && example.is_string() => Type::Text,
        Some("object") if schema["properties"].is_null() && example.is_number() => Type::Number,
        Some("object") => Type::Object,
        None if schema["allOf"].is_array() => Type::Object,
        Some("any") if example.is_number() => Type::Number,
        other => panic!("a schema of type {other:?}"),
    }
}

fn words(file: &Value, schema: &Value) -> Vec<String> {
    let words = resolved(file, schema)["enum"].as_array().into_iter().flatten();
    words.filter_map(|word| Some(word.as_str()?.to_owned())).collect()
}

#[test]
fn every_trigger_brings_what_its_schema_says() {
    if !available() {
        return;
    }
    for row in table("webhooks/EVENTS.tsv").iter().filter(|row| row[3] == "core") {
        let entry = catalog::find(&format!("webhook.{}", row[1])).unwrap_or_else(|| panic!("no {}", row[1]));
        assert_eq!(entry.scope.as_deref(), scope(&row[2]), "{}", entry.id);
        assert_eq!((entry.path.as_deref(), &entry.result), (Some("/webhooks/highlevel"), &row[1]));
        let document = row[0].rsplit('/').next().unwrap().trim_end_matches(".md");
        let file = official::reference().join(format!("webhooks/schema/{document}.schema.json"));
        let Ok(bytes) = std::fs::read(file) else { continue };
        let schema: Value = serde_json::from_slice(&bytes).unwrap();
        for field in &entry.parameters {
            let pointer = format!("/properties/{}", field.name.replace('.', "/properties/"));
            let found =
                schema.pointer(&pointer).unwrap_or_else(|| panic!("{} has no {}", entry.id, field.name));
            let is_same = match field.of {
                Type::Text => found["type"] == "string",
                Type::Number => found["type"] == "number",
                Type::Boolean => found["type"] == "boolean",
                Type::Texts | Type::List => found["type"] == "array",
                Type::Object => found["type"] == "object",
            };
            assert!(is_same, "{} {}: {found}", entry.id, field.name);
        }
    }
}
