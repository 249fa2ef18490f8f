//! HighLevel's official OpenAPI files as a judge of requests. The files are not part of this repository; tests that
//! need them ask [`available`] first. They lie in `../shared/reference`, or where `CASEBRIDGE_REFERENCE` says.
//!
//! HighLevel refuses properties its files do not name ("property X should not exist"), so they are errors here.
//! Where a file says `type: object` without properties but its example is a string or a number (`dateOfBirth`,
//! numeric custom fields), the example is what is on the wire. A list without `items` holds anything, and a schema
//! with no properties at all (`POST /contacts/search`) says nothing about its body.

use std::path::PathBuf;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::Recorded;

static FILES: LazyLock<Vec<Value>> = LazyLock::new(read_files);

/// Whether the official files are there.
pub fn available() -> bool {
    !FILES.is_empty()
}

/// Where the official reference lies, whether or not it is there.
pub fn reference() -> PathBuf {
    std::env::var_os("CASEBRIDGE_REFERENCE")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/reference"), PathBuf::from)
        .join("highlevel")
}

fn read_files() -> Vec<Value> {
    let Ok(entries) = std::fs::read_dir(reference().join("openapi")) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let text = std::fs::read(&path).expect("a readable OpenAPI file");
            serde_json::from_slice(&text).expect("an OpenAPI file in JSON")
        })
        .collect()
}

/// Everything that is wrong with these requests, each line naming its request.
pub fn validate_all(requests: &[Recorded]) -> Vec<String> {
    let complain = |(number, request): (usize, &Recorded)| {
        let name = format!("request {number}, {} {}", request.method, request.path);
        let found = check(
            &request.method,
            &request.path,
            request.header("version"),
            &request.query,
            request.body.as_ref(),
        );
        found.into_iter().map(move |complaint| format!("{name}: {complaint}"))
    };
    requests.iter().enumerate().flat_map(complain).collect()
}

/// The scopes that an operation's file demands, for any kind of token.
pub fn scopes(method: &str, path: &str) -> Vec<String> {
    let Some((_, operation)) = operation(method, path) else { return Vec::new() };
    let kinds = operation["security"].as_array().into_iter().flatten();
    let scopes = kinds.flat_map(|kind| kind.as_object().into_iter().flat_map(Map::values));
    let scopes = scopes.flat_map(|scopes| scopes.as_array().into_iter().flatten());
    scopes.filter_map(|scope| Some(scope.as_str()?.to_owned())).collect()
}

/// Everything that is wrong with one request to HighLevel; nothing when it is right.
pub fn check(
    method: &str,
    path: &str,
    version: Option<&str>,
    query: &[(String, String)],
    body: Option<&Value>,
) -> Vec<String> {
    let Some((file, operation)) = operation(method, path) else {
        return vec!["no such operation in the official files".to_owned()];
    };
    let mut errors = Vec::new();
    let parameters = || operation["parameters"].as_array().into_iter().flatten();
    for parameter in parameters() {
        let name = parameter["name"].as_str().unwrap_or_default();
        let given = match parameter["in"].as_str() {
            Some("query") => query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()),
            Some("header") if name == "Version" => version,
            _ => continue,
        };
        match given {
            Some(text) => check_text(&parameter["schema"], text, name, &mut errors),
            None if parameter["required"] == true => errors.push(format!("{name} is required")),
            None => {}
        }
    }
    let is_known = |name: &str| parameters().any(|known| known["in"] == "query" && known["name"] == name);
    errors.extend(query.iter().filter(|(name, _)| !is_known(name)).map(|(name, _)| should_not_exist(name)));
    let content = operation["requestBody"]["content"].as_object().and_then(|content| content.values().next());
    match (body, content) {
        (Some(body), Some(content)) => check_value(file, &content["schema"], body, "", &mut errors),
        (Some(_), None) => errors.push("this operation has no body".to_owned()),
        (None, Some(_)) => errors.push("this operation needs a body".to_owned()),
        (None, None) => {}
    }
    errors
}

/// Everything in which a stub's answer differs from the official file's schema for that status.
pub fn check_answer(method: &str, path: &str, status: u16, answer: &Value) -> Vec<String> {
    let Some((file, operation)) = operation(method, path) else {
        return vec![format!("no operation {path}")];
    };
    let response = &operation["responses"][status.to_string()];
    if response.is_null() {
        return vec![format!("{method} {path} does not answer {status}")];
    }
    let mut answer = answer.clone();
    // In every live answer, in no schema.
    answer.as_object_mut().and_then(|answer| answer.remove("traceId"));
    let mut errors = Vec::new();
    check_value(file, &response["content"]["application/json"]["schema"], &answer, "", &mut errors);
    errors
}

/// The operation of a path, with the file it stands in. A literal segment outranks a parameter.
fn operation(method: &str, path: &str) -> Option<(&'static Value, &'static Value)> {
    let literals = |template: &str| template.split('/').filter(|segment| !segment.starts_with('{')).count();
    let paths = FILES
        .iter()
        .flat_map(|file| file["paths"].as_object().into_iter().flatten().map(move |it| (file, it)));
    let (file, (_, operations)) = paths
        .filter(|(_, (template, operations))| {
            fits(template, path) && !operations[method.to_lowercase()].is_null()
        })
        .max_by_key(|(_, (template, _))| literals(template))?;
    Some((file, &operations[method.to_lowercase()]))
}

fn fits(template: &str, path: &str) -> bool {
    let is_parameter = |segment: &str| segment.starts_with('{');
    template.split('/').count() == path.split('/').count()
        && template
            .split('/')
            .zip(path.split('/'))
            .all(|(wanted, given)| wanted == given || (is_parameter(wanted) && !given.is_empty()))
}

fn check_text(schema: &Value, text: &str, name: &str, errors: &mut Vec<String>) {
    let is_right_type = match schema["type"].as_str() {
        Some("number" | "integer") => text.parse::<f64>().is_ok(),
        Some("boolean") => ["true", "false"].contains(&text),
        _ => true,
    };
    let is_allowed =
        schema["enum"].as_array().is_none_or(|allowed| allowed.iter().any(|value| value == text));
    if !is_right_type || !is_allowed {
        errors.push(format!("{name} may not be {text:?}"));
    }
}

fn check_value(file: &Value, schema: &Value, value: &Value, at: &str, errors: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        match reference.strip_prefix('#').and_then(|pointer| file.pointer(pointer)) {
            Some(schema) => check_value(file, schema, value, at, errors),
            // Only error answers refer to another file.
            None => errors.push(format!("{at}: {reference} lies outside the file")),
        }
        return;
    }
    if value.is_null() && schema["nullable"] == true {
        return;
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        check_value(file, part, value, at, errors);
    }
    for choice in ["anyOf", "oneOf"].iter().filter_map(|name| schema[*name].as_array()) {
        let tries = choice.iter().map(|option| {
            let mut errors = Vec::new();
            check_value(file, option, value, at, &mut errors);
            errors
        });
        errors.extend(tries.min_by_key(Vec::len).unwrap_or_default());
    }
    if schema["enum"].as_array().is_some_and(|allowed| !allowed.contains(value)) {
        errors.push(format!("{at} may not be {value}"));
    }
    match (schema["type"].as_str(), value) {
        (Some("object"), Value::Object(fields)) => check_object(file, schema, fields, at, errors),
        (Some("array"), Value::Array(items)) => {
            for (number, item) in items.iter().enumerate().filter(|_| !is_untyped_list(&schema["items"])) {
                check_value(file, &schema["items"], item, &format!("{at}[{number}]"), errors);
            }
        }
        (None, _)
        | (Some("string"), Value::String(_))
        | (Some("number"), Value::Number(_))
        | (Some("boolean"), Value::Bool(_)) => {}
        (Some("integer"), Value::Number(number)) if !number.is_f64() => {}
        (Some("object"), _) if schema["properties"].is_null() && is_same_kind(&schema["example"], value) => {}
        (Some("object"), _) if schema["properties"].is_null() && is_same_kind(&schema["default"], value) => {}
        (Some(kind), _) => errors.push(format!("{at} must be of type {kind}, not {value}")),
    }
}

fn check_object(
    file: &Value,
    schema: &Value,
    fields: &Map<String, Value>,
    at: &str,
    errors: &mut Vec<String>,
) {
    let inside = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    errors.extend(
        required
            .filter(|name| !fields.contains_key(*name))
            .map(|name| format!("{} is required", inside(name))),
    );
    let Some(properties) = schema["properties"].as_object().filter(|properties| !properties.is_empty())
    else {
        return;
    };
    for (name, value) in fields {
        match properties.get(name) {
            Some(schema) => check_value(file, schema, value, &inside(name), errors),
            None => errors.push(should_not_exist(&inside(name))),
        }
    }
}

/// The files write "a list of objects we do not describe" as a list of lists.
fn is_untyped_list(items: &Value) -> bool {
    items["type"] == "array" && items["items"].is_null()
}

fn is_same_kind(example: &Value, value: &Value) -> bool {
    !example.is_null() && std::mem::discriminant(example) == std::mem::discriminant(value)
}

fn should_not_exist(name: &str) -> String {
    format!("property {name} should not exist")
}
