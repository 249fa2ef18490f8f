//! A body's values, found where the profile says: by pointers into JSON or a form, nested or written flat.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::operations::casepeer::{BodyForm, Events, Source, Sources};
use crate::webhook::{Headers, Unreadable, moment_of, parse_object};

/// The most fields of a form that are read: a person's record has some dozens.
const MOST_FIELDS: usize = 1000;

/// A parsed body.
pub(super) struct Body {
    value: Value,
    flattened: bool,
}

impl Body {
    pub(super) fn parse(events: &Events, bytes: &[u8]) -> Result<Self, Unreadable> {
        let is_json = match events.body {
            BodyForm::Json => true,
            BodyForm::Form => false,
            BodyForm::JsonOrForm => {
                matches!(bytes.trim_ascii_start().first(), None | Some(b'{' | b'[' | b'"'))
            }
        };
        let value = if is_json { parse_object(bytes)?.into() } else { parse_form(bytes)?.into() };
        Ok(Self { value, flattened: events.flattened })
    }

    /// The first of these that has a value.
    pub(super) fn find(&self, sources: &Sources, headers: &impl Headers) -> Option<String> {
        sources.0.iter().find_map(|source| match source {
            Source::Pointer(pointer) => words(self.at(pointer)?),
            Source::Joined(pointers) => {
                let all = pointers.iter().map(|pointer| words(self.at(pointer)?));
                Some(all.collect::<Option<Vec<_>>>()?.join("."))
            }
            Source::Header(name) => {
                headers.text(name).map(str::trim).filter(|text| !text.is_empty()).map(Into::into)
            }
            Source::Fixed(word) => Some(word.clone()),
        })
    }

    /// The first of these that is a moment.
    pub(super) fn moment(&self, sources: &Sources, headers: &impl Headers) -> Option<Timestamp> {
        sources.0.iter().find_map(|source| match source {
            Source::Pointer(pointer) => moment_of(self.at(pointer)?),
            other => moment_of(&self.find(&Sources(vec![other.clone()]), headers)?.into()),
        })
    }

    /// The record of this kind, in the contract's form.
    pub(super) fn record(mut self, events: &Events, kind: &str) -> Option<Map<String, Value>> {
        let map = events.records.get(kind);
        let root = map.and_then(|map| map.root.clone()).unwrap_or_else(|| format!("/data/{kind}"));
        let fields = map.map(|map| &map.fields).filter(|fields| !fields.is_empty());
        let Some(fields) = fields else {
            return match self.value.pointer_mut(&root)?.take() {
                Value::Object(record) => Some(record),
                _ => None,
            };
        };
        let mut record = Map::new();
        for (field, sources) in fields {
            let value = sources.0.iter().find_map(|source| match source {
                Source::Pointer(pointer) => words(self.at(&format!("{root}{pointer}"))?),
                Source::Fixed(word) => Some(word.clone()),
                Source::Joined(_) | Source::Header(_) => None,
            });
            if let Some(value) = value {
                put(&mut record, field, value);
            }
        }
        Some(record)
    }

    fn at(&self, pointer: &str) -> Option<&Value> {
        let nested = self.value.pointer(pointer);
        if nested.is_some() || !self.flattened {
            return nested;
        }
        let body = self.value.as_object()?;
        let mut path = pointer.split('/').skip(1);
        let first = path.next()?;
        let rest: Vec<&str> = path.collect();
        let brackets: String = rest.iter().map(|key| format!("[{key}]")).collect();
        ["__", "."]
            .iter()
            .map(|between| [&[first][..], &rest].concat().join(between))
            .chain([format!("{first}{brackets}")])
            .find_map(|key| body.get(&key))
    }
}

fn parse_form(bytes: &[u8]) -> Result<Map<String, Value>, Unreadable> {
    if std::str::from_utf8(bytes).is_err() {
        return Err(Unreadable("the body is not a form: it is not text".into()));
    }
    let mut form = Map::new();
    for (key, value) in form_urlencoded::parse(bytes) {
        if form.len() == MOST_FIELDS {
            return Err(Unreadable(format!("the form has more than {MOST_FIELDS} fields")));
        }
        if form.insert(key.into_owned(), value.into_owned().into()).is_some() {
            return Err(Unreadable("a field of the form comes twice".into()));
        }
    }
    if form.is_empty() {
        return Err(Unreadable("the body is empty".into()));
    }
    Ok(form)
}

/// A value in words, as senders write ids and the like: as text or as a number. Empty is none.
fn words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// Puts a value where a dotted field stands in the contract's record.
fn put(record: &mut Map<String, Value>, field: &str, value: String) {
    let (place, key) = match field.rsplit_once('.') {
        Some((path, key)) => {
            let mut place = record;
            for part in path.split('.') {
                let inner = place.entry(part).or_insert_with(|| Map::new().into());
                place =
                    inner.as_object_mut().expect("no field of the contract is both a value and an object");
            }
            (place, key)
        }
        None => (record, field),
    };
    let value = match key {
        "completed" => matches!(value.to_lowercase().as_str(), "true" | "yes" | "1").into(),
        _ => value.into(),
    };
    place.insert(key.to_owned(), value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Fact, RecordKind, RecordRef};
    use crate::webhook::NoHeaders;
    use crate::webhook::Reading;
    use crate::webhook::casepeer::{Told, read_envelope, read_event, read_told};

    struct One(&'static str, &'static str);

    impl Headers for One {
        fn value(&self, name: &str) -> Option<&[u8]> {
            name.eq_ignore_ascii_case(self.0).then_some(self.1.as_bytes())
        }
    }

    fn events(text: &str) -> Events {
        let events: Events = toml::from_str(text).unwrap();
        events.check().unwrap();
        events
    }

    const ZAP: &str = r#"
        body = "json_or_form"
        flattened = true
        id = []
        refetch = "never"
        [records.case]
        root = ""
        [records.case.fields]
        id = ["/case_id", "/case/id"]
        status = ["/status", "/case/status"]
        "client.first_name" = "/first_name"
        "client.address.city" = "/city"
    "#;

    #[test]
    fn a_zap_may_write_its_body_flat_nested_or_as_a_form() {
        let events = events(ZAP);
        for body in [
            r#"{"type":"case.status_changed","case_id":7,"status":"Treating","first_name":"Ada","city":" Austin "}"#,
            r#"{"type":"case.status_changed","case":{"id":"7","status":"Treating"},"first_name":"Ada","city":"Austin"}"#,
            r#"{"type":"case.status_changed","case__id":7,"case__status":"Treating","first_name":"Ada","city":"Austin"}"#,
            "type=case.status_changed&case_id=7&status=Treating&first_name=Ada&city=Austin",
            "type=case.status_changed&case%5Bid%5D=7&case.status=Treating&first_name=Ada&city=Austin",
        ] {
            let envelope = read_envelope(&events, &NoHeaders, body.as_bytes()).unwrap();
            assert_eq!(envelope.kind, "case.status_changed", "{body}");
            assert_eq!(envelope.delivery_id, None, "a record's id is not an event's: {body}");
            assert_eq!(envelope.records, [RecordRef::casepeer(RecordKind::Case, "7")], "{body}");
            let Told { record, fields } = read_told(&events, &envelope.kind, body.as_bytes()).unwrap();
            assert_eq!(record, RecordRef::casepeer(RecordKind::Case, "7"));
            assert_eq!(fields["client"]["address"]["city"], "Austin", "{body}");
            let read = read_event(&events, &envelope.kind, body.as_bytes()).unwrap();
            let Reading::Fact(Fact::CaseStatusChanged { status, .. }) = read else { panic!("{read:?}") };
            assert_eq!(status.as_deref(), Some("Treating"));
        }
    }

    #[test]
    fn a_type_may_be_joined_fixed_or_in_a_header_and_is_mapped() {
        let text = r#"
            type = ["/resource+/action", "header:X-Event", "fixed:ping"]
            [types]
            "Case.updated" = "case.updated"
            "ping" = "ignored"
            [records.case]
            root = "/resource_body"
        "#;
        let events = events(text);
        let body = br#"{"resource":"Case","action":"updated","resource_body":{"id":42}}"#;
        let kind = read_envelope(&events, &NoHeaders, body).unwrap().kind;
        assert_eq!(kind, "Case.updated");
        let case = RecordRef::casepeer(RecordKind::Case, "42");
        assert_eq!(read_event(&events, &kind, body), Ok(Reading::Fact(Fact::CaseUpdated { case })));
        assert_eq!(read_envelope(&events, &One("x-event", "a.b"), b"{}").unwrap().kind, "a.b");
        assert_eq!(read_envelope(&events, &NoHeaders, b"{}").unwrap().kind, "ping");
        assert_eq!(read_event(&events, "ping", b"{}"), Ok(Reading::NoRule));
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let events = events(ZAP);
        let why = |body: &[u8]| read_envelope(&events, &NoHeaders, body).unwrap_err().0;
        assert_eq!(why(b"a=1&a=2"), "a field of the form comes twice");
        assert_eq!(why(b"a=\xff"), "the body is not a form: it is not text");
        assert_eq!(why(b"[1]"), "the body is JSON, but not an object");
        let many: Vec<String> = (0..1001).map(|n| format!("k{n}=v")).collect();
        assert_eq!(why(many.join("&").as_bytes()), "the form has more than 1000 fields");
    }

    #[test]
    fn a_map_that_cannot_serve_is_refused_with_its_reason() {
        let refused = |text: &str| {
            let events: Events = toml::from_str(text).unwrap();
            let (key, why) = events.check().unwrap_err();
            format!("{key}: {why}")
        };
        assert!(refused("[types]\nx = 'case.changed'").starts_with("types.x: `case.changed` is no event"));
        assert!(refused("[records.firm]").starts_with("records.firm: `firm` is no kind of record"));
        assert!(refused("[records.case.fields]\nssn = '/ssn'").contains("`ssn` is no field"));
        assert!(refused("[records.case.fields]\nid = 'header:X'").contains("cannot come from a header"));
        assert!(refused("reference = 'header:X'").contains("reference: cannot come from a header"));
        let wrong = toml::from_str::<Events>("id = 'id'").unwrap_err().to_string();
        assert!(wrong.contains("`id` is none of: a pointer that begins with a slash"), "{wrong}");
    }
}
