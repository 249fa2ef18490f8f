//! Text with `{field}` in it.

/// The most fields of one template.
const MOST_FIELDS: usize = 50;
/// The longest template, in bytes.
const LONGEST: usize = 10_000;
/// The longest text that comes of one, in bytes: what a field holds may be long.
const LONGEST_RESULT: usize = 100_000;

/// Text with fields in it. `{{` and `}}` stand for the braces themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    written: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(String),
}

impl Template {
    /// Reads it; what is wrong otherwise.
    pub(super) fn read(written: &str) -> Result<Self, String> {
        if written.len() > LONGEST {
            return Err(format!("a text may have {LONGEST} bytes at most"));
        }
        let (mut parts, mut text) = (Vec::new(), String::new());
        let mut rest = written;
        while let Some(at) = rest.find(['{', '}']) {
            text.push_str(&rest[..at]);
            let (brace, after) = (&rest[at..=at], &rest[at + 1..]);
            if let Some(after) = after.strip_prefix(brace) {
                text.push_str(brace);
                rest = after;
                continue;
            }
            let field = (brace == "{").then(|| after.split_once('}')).flatten();
            let Some((field, after)) = field else {
                return Err(
                    "a brace stands alone: write {field}, or {{ and }} for the braces themselves".into()
                );
            };
            let field = field.trim();
            if field.is_empty() || field.contains('{') {
                return Err(
                    "`{}` names no field: write {field}, or {{ and }} for the braces themselves".into()
                );
            }
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text)));
            }
            parts.push(Part::Field(field.to_owned()));
            rest = after;
        }
        text.push_str(rest);
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        let template = Self { written: written.to_owned(), parts };
        if template.fields().count() > MOST_FIELDS {
            return Err(format!("a text may have {MOST_FIELDS} fields at most"));
        }
        Ok(template)
    }

    /// As it was written.
    pub(super) fn written(&self) -> &str {
        &self.written
    }

    /// The fields in it.
    pub(super) fn fields(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Field(field) => Some(field.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The text with its fields filled in; nothing where it has fields and none of them has a value.
    pub(super) fn fill(&self, mut texts: impl FnMut(&str) -> Vec<String>) -> Option<String> {
        let (mut filled, mut has_fields, mut has_value) = (String::new(), false, false);
        for part in &self.parts {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Field(field) => {
                    let value = texts(field).join(", ");
                    has_fields = true;
                    has_value |= !value.is_empty();
                    filled.push_str(&value);
                }
            }
            if filled.len() > LONGEST_RESULT {
                let end = (0..=LONGEST_RESULT).rev().find(|end| filled.is_char_boundary(*end));
                filled.truncate(end.unwrap_or(0));
                break;
            }
        }
        (!has_fields || has_value).then_some(filled)
    }
}
