//! A page for a person who has no account here: a heading and a few sentences, in one file, without script.

use std::sync::LazyLock;

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem;\
    color:#1c1e21;background:#fff}h1{font-size:1.5rem}code{background:#f0f2f4;padding:.1em .3em;\
    border-radius:3px;overflow-wrap:anywhere}@media(prefers-color-scheme:dark){body{color:#e6e8ea;background:#16181a}\
    code{background:#2a2d30}}";

/// Nothing but the page's own style, by its hash.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).expect("a policy of plain letters")
});

/// A page.
pub(super) struct Page {
    status: StatusCode,
    title: &'static str,
    paragraphs: Vec<String>,
}

impl Page {
    /// A page with this heading.
    pub(super) fn new(status: StatusCode, title: &'static str) -> Self {
        Self { status, title, paragraphs: Vec::new() }
    }

    /// Adds a paragraph; what stands between backquotes is shown as code.
    pub(super) fn say(mut self, text: &str) -> Self {
        let parts = text.split('`').map(escape).enumerate();
        let parts = parts.map(|(at, part)| if at % 2 == 1 { format!("<code>{part}</code>") } else { part });
        self.paragraphs.push(parts.collect());
        self
    }
}

/// Text as HTML shows it.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let paragraphs: String = self.paragraphs.iter().map(|text| format!("<p>{text}</p>\n")).collect();
        let title = self.title;
        let body = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
             content=\"width=device-width,initial-scale=1\">\n<title>{title} - Casebridge</title>\n\
             <style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{paragraphs}</main>\n</body>\n</html>\n"
        );
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CONTENT_SECURITY_POLICY, POLICY.clone());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_comes_from_outside_is_text_and_nothing_else() {
        let page = Page::new(StatusCode::OK, "x").say("`<script>alert('&')</script>` \"chosen\" <img src=x>");
        let response = page.into_response();
        let policy = response.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let body = std::str::from_utf8(&body).unwrap();
        assert!(!body.contains("<script") && !body.contains("<img"), "{body}");
        assert!(body.contains("<code>&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;</code>"), "{body}");
        assert!(body.contains("&quot;chosen&quot;"), "{body}");
        let style = body.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
        assert!(
            policy.contains(&STANDARD.encode(Sha256::digest(style))),
            "the policy names the style that is sent"
        );
    }
}
