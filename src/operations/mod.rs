//! API operations as data, and the pure half of calling them: building a [`Request`] from our records, reading our
//! records from a [`Response`]. Sending is `vendors`' job.
//!
//! `highlevel/` follows HighLevel's official OpenAPI files to the letter; `casepeer/` speaks the canonical contract,
//! and a profile says how that is put on the wire.

pub mod casepeer;
pub mod catalog;
pub mod highlevel;

use std::borrow::Cow;

use serde_json::Value;

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Read.
    Get,
    /// Create or act.
    Post,
    /// Replace or set.
    Put,
    /// Change in part.
    Patch,
    /// Remove.
    Delete,
}

impl Method {
    /// The method as it stands in a request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// What a repeat of an operation would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It changes nothing.
    Read,
    /// Doing it twice leaves what doing it once leaves.
    Idempotent,
    /// Doing it twice makes two records.
    Create,
}

/// What a request's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
pub enum Content {
    /// JSON.
    #[default]
    #[serde(rename = "application/json")]
    Json,
    /// JSON:API (<https://jsonapi.org/format/1.1/#content-negotiation>).
    #[serde(rename = "application/vnd.api+json")]
    JsonApi,
    /// `name=value&…`.
    #[serde(rename = "application/x-www-form-urlencoded")]
    Form,
}

impl Content {
    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::JsonApi => "application/vnd.api+json",
            Self::Form => "application/x-www-form-urlencoded",
        }
    }

    /// What is accepted in answer to it.
    pub fn accepted(self) -> &'static str {
        match self {
            Self::Json | Self::Form => "application/json",
            Self::JsonApi => "application/vnd.api+json",
        }
    }
}

/// What carries a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Carrier {
    /// The vendor's API.
    #[default]
    Api,
    /// A hook that only takes it; its address is a secret of the firm's.
    Hook,
    /// An e-mail.
    Mail,
}

/// A read that must come before a request: it fills the places of the path that only the record knows, and shows
/// whether somebody changed it.
#[derive(Debug, Clone, PartialEq)]
pub struct Lookup {
    /// The read.
    pub request: Request,
    /// The version the change was decided on; another one is a conflict.
    pub version: Option<String>,
}

/// One call that is ready to be sent, but for the credential.
#[derive(Clone, PartialEq)]
pub struct Request {
    /// The operation's id, as in the catalog.
    pub operation: &'static str,
    /// How.
    pub method: Method,
    /// The path below the vendor's base URL, with ids filled in and escaped.
    pub path: String,
    /// The query, unescaped.
    pub query: Vec<(Cow<'static, str>, String)>,
    /// Headers the operation asks for.
    pub headers: Vec<(Cow<'static, str>, String)>,
    /// The body's values.
    pub body: Option<Value>,
    /// How they are written.
    pub content: Content,
    /// What a repeat would do.
    pub effect: Effect,
    /// What carries it.
    pub carrier: Carrier,
    /// What must be read first.
    pub lookup: Option<Box<Lookup>>,
    /// The id to look for among the records of the list that is answered.
    pub picks: Option<String>,
    /// How long it may take, if not as long as any.
    pub timeout: Option<std::time::Duration>,
    /// Words of the body that go out as they are, since a profile's value map that should have them does not.
    pub unknown_words: Vec<casepeer::UnknownWord>,
    /// The scope the credential must have been granted, where the vendor has scopes.
    pub scope: Option<&'static str>,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Query and body carry names, phones and e-mails.
        write!(out, "{} {} ({})", self.method.as_str(), self.path, self.operation)
    }
}

impl Request {
    /// A call of a vendor's API without query, headers or body.
    pub fn new(operation: &'static str, method: Method, path: String, effect: Effect) -> Self {
        Self {
            operation,
            method,
            path,
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            content: Content::default(),
            effect,
            carrier: Carrier::default(),
            lookup: None,
            picks: None,
            unknown_words: Vec::new(),
            scope: None,
            timeout: None,
        }
    }

    /// The body's bytes.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        let body = self.body.as_ref()?;
        Some(match self.content {
            Content::Json | Content::JsonApi => body.to_string().into_bytes(),
            Content::Form => form(body).into_bytes(),
        })
    }

    /// The same request with a query parameter.
    #[must_use]
    pub fn query(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// The same request with a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same request with a JSON body.
    #[must_use]
    pub fn json(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }
}

/// The values of a flat object as a form; what is no value of its own, such as a list, goes as JSON.
fn form(body: &Value) -> String {
    let encode = |text: &str| percent_encode(text).replace("%20", "+");
    let pairs = body.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let pairs = pairs.map(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{}={}", encode(name), encode(&value))
    });
    pairs.collect::<Vec<_>>().join("&")
}

/// An answer, read whole.
#[derive(Clone)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// `ETag`, the version of the record that was answered.
    pub etag: Option<String>,
    /// `Link`, which leads to the next page.
    pub link: Option<String>,
    /// The JSON body; null when there is none.
    pub body: Value,
}

impl std::fmt::Debug for Response {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Response({})", self.status)
    }
}

/// An answer that is not what its operation promises.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the answer to {operation} has no usable {missing}")]
pub struct Unexpected {
    /// The operation.
    pub operation: &'static str,
    /// What was looked for.
    pub missing: &'static str,
}

/// Fills `{name}` places of a path, in order, escaping each value as one path segment (RFC 3986 section 3.3).
pub(crate) fn fill_path(template: &str, ids: &[&str]) -> String {
    let mut ids = ids.iter();
    fill_places(template, |_| Some((*ids.next().expect("an id for every place of the path")).to_owned()))
}

/// Fills the `{name}` places of a path that have a value; the others stay.
pub(crate) fn fill_places(template: &str, mut value_of: impl FnMut(&str) -> Option<String>) -> String {
    let mut path = String::with_capacity(template.len() + 40);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        path.push_str(before);
        let (name, after) = after.split_once('}').expect("a closed place in the path");
        match value_of(name) {
            Some(value) => path.push_str(&percent_encode(&value)),
            None => path.push_str(&format!("{{{name}}}")),
        }
        rest = after;
    }
    path.push_str(rest);
    path
}

/// Escapes everything that is not plain. A dot is allowed in a segment, but `..` would climb.
fn percent_encode(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

/// A text value of an answer; empty text is none.
pub(crate) fn text(object: &Value, key: &str) -> Option<String> {
    match object.get(key)? {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::fill_path;

    #[test]
    fn an_id_cannot_leave_its_segment() {
        assert_eq!(
            fill_path("/contacts/{contactId}/tasks/{taskId}", &["a/../b", "?x#"]),
            "/contacts/a%2F%2E%2E%2Fb/tasks/%3Fx%23"
        );
    }
}
