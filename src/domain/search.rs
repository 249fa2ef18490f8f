//! What a person looks for events by: names, phones, e-mail addresses, records' numbers, each in one form.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Email, Phone, RecordRef};

/// How deep in a payload is looked.
const DEEPEST: usize = 8;
/// The most terms of one payload.
const MOST: usize = 64;
/// The longest value that is a term, in bytes.
const LONGEST: usize = 200;

fn tidy(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn email(text: &str) -> Option<String> {
    Email::parse(text).map(|email| format!("email:{}", email.as_str()))
}

fn phone(text: &str) -> Option<String> {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    Phone::parse(text).filter(|_| digits >= 7).map(|phone| format!("phone:{}", phone.as_str()))
}

fn name(text: &str) -> Option<String> {
    let name = tidy(text);
    (name.chars().any(char::is_alphabetic)).then(|| format!("name:{name}"))
}

/// The terms that a word a person types may mean; whatever has one of them is found.
pub fn terms_of_word(word: &str) -> BTreeSet<String> {
    let word = word.trim();
    if word.is_empty() || word.len() > LONGEST {
        return BTreeSet::new();
    }
    let number = Some(format!("number:{}", word.to_lowercase()));
    [email(word), phone(word), name(word), number].into_iter().flatten().collect()
}

/// The terms by which a webhook is found: those of the people it carries, and the records it names.
pub fn terms_of_payload(payload: &[u8], records: &[String]) -> BTreeSet<String> {
    let mut terms = BTreeSet::new();
    for record in records.iter().filter_map(|record| record.parse::<RecordRef>().ok()) {
        terms.insert(format!("number:{}", record.id.to_lowercase()));
    }
    if let Ok(body) = serde_json::from_slice(payload) {
        walk(&body, DEEPEST, &mut terms);
    }
    terms
}

fn walk(value: &Value, depth: usize, terms: &mut BTreeSet<String>) {
    if depth == 0 || terms.len() >= MOST {
        return;
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, depth - 1, terms)),
        Value::Object(object) => {
            let text = |keys: &[&str]| {
                let mut found = object.iter().filter(|(key, _)| keys.contains(&plain(key).as_str()));
                found.find_map(|(_, value)| value.as_str()).filter(|text| text.len() <= LONGEST)
            };
            if let (first, Some(last)) = (text(&["firstname"]), text(&["lastname"])) {
                terms.extend(name(last));
                terms.extend(first.and_then(|first| name(&format!("{first} {last}"))));
            }
            terms.extend(text(&["name", "fullname", "clientname", "contactname"]).and_then(name));
            for (key, value) in object {
                let key = plain(key);
                match value.as_str().filter(|text| text.len() <= LONGEST) {
                    Some(text) if key.contains("email") => terms.extend(email(text)),
                    Some(text) if key.contains("phone") || key.contains("mobile") => {
                        terms.extend(phone(text))
                    }
                    _ => walk(value, depth - 1, terms),
                }
            }
        }
        _ => {}
    }
}

/// A key without case and underscores.
fn plain(key: &str) -> String {
    key.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_finds_what_came() {
        let payload = br#"{"type":"ContactCreate","firstName":"Ada","lastName":"King  Lovelace",
            "phone":"+1 512-555-0100","additionalEmails":[{"email":"Ada@Example.com"}]}"#;
        let records = ["highlevel:contact:aB1".to_owned()];
        let terms = terms_of_payload(payload, &records);
        for word in ["(512) 555-0100", "ada@example.com", "ada king lovelace", "KING LOVELACE", "ab1"] {
            assert!(!terms_of_word(word).is_disjoint(&terms), "{word}: {terms:?}");
        }
        for word in ["", "Ada", "555", "bo@example.com", &"a".repeat(300)] {
            assert!(terms_of_word(word).is_disjoint(&terms), "{word}");
        }
    }

    #[test]
    fn hostile_payloads_are_walked_within_bounds() {
        let deep = format!("{}{}", "{\"a\":".repeat(100), "1") + &"}".repeat(100);
        assert!(terms_of_payload(deep.as_bytes(), &[]).is_empty());
        let many: Vec<String> =
            (0..10_000).map(|at| format!("{{\"email\":\"a{at}@example.com\"}}")).collect();
        assert!(terms_of_payload(format!("[{}]", many.join(",")).as_bytes(), &[]).len() <= MOST);
        assert!(terms_of_payload(b"not json", &[]).is_empty());
    }
}
