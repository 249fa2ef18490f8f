//! What is kept of a vendor's error: it may repeat what it was sent, so only phrases that name no value are.

use serde_json::Value;

/// The most phrases of one answer.
const MOST: usize = 5;

/// Whole messages that are known to name nobody, in lower case.
const KNOWN: [&str; 8] = [
    "this location does not allow duplicated contacts.",
    "invalid token: access token is invalid",
    "the token does not have access to this location.",
    "the token is not authorized for this scope.",
    "contact not found",
    "task not found",
    "note not found",
    "too many requests",
];

/// What a validator says about a property it names.
const VALIDATIONS: [&str; 6] = [
    "should not exist",
    "should not be empty",
    "must be a string",
    "must be an email",
    "must be an array",
    "must be a boolean value",
];

/// The phrases of an error's body that may be kept: known messages, complaints about a property, and error codes.
pub(super) fn harmless(body: &Value) -> String {
    let messages = match body.get("message") {
        Some(Value::String(text)) => vec![text.as_str()],
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let mut kept: Vec<String> = messages.into_iter().filter_map(phrase).collect();
    let error = body.get("error").unwrap_or(&Value::Null);
    kept.extend(error.get("code").and_then(Value::as_str).filter(|code| is_word(code)).map(str::to_owned));
    for field in error.get("fields").and_then(Value::as_array).into_iter().flatten() {
        let word = |key| field.get(key).and_then(Value::as_str).filter(|word| is_word(word));
        if let (Some(path), Some(code)) = (word("path"), word("code")) {
            kept.push(format!("{path} {code}"));
        }
    }
    kept.truncate(MOST);
    kept.join("; ")
}

fn phrase(message: &str) -> Option<String> {
    if KNOWN.contains(&message.to_lowercase().as_str()) {
        return Some(message.to_owned());
    }
    let subject = VALIDATIONS.iter().find_map(|end| message.strip_suffix(end))?.trim();
    let name = subject.strip_prefix("property ").unwrap_or(subject);
    is_word(name).then(|| message.to_owned())
}

/// A name a program would give: letters, digits, dots and underscores, and not many.
fn is_word(word: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let is_number = word.bytes().all(|byte| !byte.is_ascii_alphabetic());
    !word.is_empty() && word.len() <= 48 && word.bytes().all(plain) && !is_number
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::harmless;

    #[test]
    fn what_helps_is_kept() {
        let body = json!({ "message": ["property country should not exist", "email must be an email"] });
        assert_eq!(harmless(&body), "property country should not exist; email must be an email");
        let body = json!({ "error": { "code": "invalid", "message": "Ada",
            "fields": [{ "path": "client.email", "code": "required" }] } });
        assert_eq!(harmless(&body), "invalid; client.email required");
    }

    #[test]
    fn what_may_name_a_person_is_not() {
        for message in [
            "client Ada Quillfeather born 03/04/1980 lives at 9 Elm St: duplicate",
            "Ada Byron must be a string",
            "property Ada Byron should not exist",
            "ada@example.com must be an email",
            "5125550100 must be a string",
        ] {
            assert_eq!(harmless(&json!({ "message": message })), "", "{message}");
            assert_eq!(harmless(&json!({ "error": { "code": message, "message": message } })), "");
        }
    }
}
