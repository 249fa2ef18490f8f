//! A request taken apart and a reply before it is bytes: what both vendors' operations work on.

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

/// More than any body of either vendor's API needs.
const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// One request to a vendor's API.
#[derive(Debug)]
pub(super) struct Call {
    /// The HTTP method.
    pub(super) method: Method,
    /// The path below the API's base.
    pub(super) path: String,
    /// The query, decoded.
    pub(super) query: Vec<(String, String)>,
    /// The headers.
    pub(super) headers: HeaderMap,
    /// The body's bytes.
    pub(super) body: Bytes,
}

impl Call {
    /// Reads a request; `base` is taken off the front of its path. A body that is too large reads as empty.
    pub(super) async fn read(request: Request<Body>, base: &str) -> Self {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        let path = path.strip_prefix(base).filter(|rest| rest.starts_with('/')).unwrap_or(path).to_owned();
        let query = parts.uri.query().map(pairs).unwrap_or_default();
        let body = to_bytes(body, BODY_LIMIT).await.unwrap_or_default();
        Self { method: parts.method, path, query, headers: parts.headers, body }
    }

    /// The path's parts; a slash at the end makes no difference.
    pub(super) fn segments(&self) -> Vec<&str> {
        self.path.split('/').filter(|segment| !segment.is_empty()).collect()
    }

    /// A query parameter that is there and not empty.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|v| !v.is_empty())
    }

    /// A header's text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The bearer token.
    pub(super) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// The body as JSON; an empty body is an empty object.
    pub(super) fn json(&self) -> Result<Value, serde_json::Error> {
        if self.body.is_empty() { Ok(json!({})) } else { serde_json::from_slice(&self.body) }
    }

    /// Takes properties off a JSON body.
    pub(super) fn leave_out(&mut self, names: &[String]) {
        if let Ok(Value::Object(mut body)) = self.json() {
            body.retain(|name, _| !names.contains(name));
            self.body = Value::Object(body).to_string().into();
        }
    }

    /// The body as a form, or as a JSON object of strings (HighLevel's SDK sends forms, scripts often JSON).
    pub(super) fn form(&self) -> Vec<(String, String)> {
        if let Ok(Value::Object(fields)) = serde_json::from_slice(&self.body) {
            return fields
                .into_iter()
                .map(|(name, value)| (name, value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
                .collect();
        }
        std::str::from_utf8(&self.body).map(pairs).unwrap_or_default()
    }
}

/// Decodes `a=b&c=d`.
pub(super) fn pairs(encoded: &str) -> Vec<(String, String)> {
    let Ok(mut url) = reqwest::Url::parse("http://twin/") else { return Vec::new() };
    url.set_query(Some(encoded));
    url.query_pairs().into_owned().collect()
}

/// An answer before it is bytes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reply {
    /// The HTTP status.
    pub(super) status: u16,
    /// The body; `null` is none.
    pub(super) body: Value,
    /// Further headers.
    pub(super) headers: Vec<(&'static str, String)>,
}

/// An operation's answer; the error side is a refusal in the vendor's shape.
pub(super) type Answer = Result<Reply, Reply>;

impl Reply {
    /// A reply with this status and body.
    pub(super) fn new(status: u16, body: Value) -> Self {
        Self { status, body, headers: Vec::new() }
    }

    /// 200 with this body.
    pub(super) fn ok(body: Value) -> Self {
        Self::new(200, body)
    }

    /// 201 with this body.
    pub(super) fn created(body: Value) -> Self {
        Self::new(201, body)
    }

    /// Adds a header.
    pub(super) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    /// True for a 2xx.
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = match &self.body {
            Value::Null => status.into_response(),
            body => (status, axum::Json(body)).into_response(),
        };
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

/// A text property of an object, empty when absent.
pub(super) fn text<'a>(object: &'a Map<String, Value>, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}
