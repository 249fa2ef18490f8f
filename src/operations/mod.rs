//! API operations as data, and the pure half of calling them: building a [`Request`] from our records, reading our
//! records from a [`Response`]. Sending is `vendors`' job.
//!
//! `highlevel/` follows HighLevel's official OpenAPI files to the letter; `casepeer/` speaks the canonical contract,
//! and a profile says how that is put on the wire.

pub mod casepeer;
pub mod catalog;
pub mod highlevel;

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
    pub query: Vec<(&'static str, String)>,
    /// Headers the operation asks for.
    pub headers: Vec<(&'static str, String)>,
    /// The JSON body.
    pub body: Option<Value>,
    /// What a repeat would do.
    pub effect: Effect,
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
    /// The same request with a query parameter.
    #[must_use]
    pub fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// The same request with a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same request with a JSON body.
    #[must_use]
    pub fn json(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }
}

/// An answer, read whole.
#[derive(Clone)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// `ETag`, the version of the record that was answered.
    pub etag: Option<String>,
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
    let mut path = String::with_capacity(template.len() + 40);
    let mut ids = ids.iter();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        path.push_str(before);
        let id = ids.next().expect("an id for every place of the path");
        for byte in id.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' => path.push(char::from(byte)),
                // A dot is allowed in a segment, but `..` would climb.
                _ => path.push_str(&format!("%{byte:02X}")),
            }
        }
        rest = after.split_once('}').expect("a closed place in the path").1;
    }
    path.push_str(rest);
    path
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
