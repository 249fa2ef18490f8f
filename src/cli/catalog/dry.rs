//! A request as it would be sent, with `…` in place of secrets.

use super::call::pretty;
use crate::operations::catalog::{Entry, System};
use crate::operations::{Carrier, Content, Request};
use crate::vendors::casepeer::CasePeerClient;

pub(super) fn text(
    entry: &Entry,
    request: &Request,
    highlevel_url: &str,
    casepeer: &CasePeerClient,
    key: Option<&str>,
) -> String {
    let mut text = String::new();
    if let Some(lookup) = &request.lookup {
        text.push_str(&format!("(after {} {})\n", lookup.request.method.as_str(), lookup.request.path));
    }
    let base_url = if entry.system == System::HighLevel { highlevel_url } else { casepeer.base_url() };
    match request.carrier {
        Carrier::Api => {
            text.push_str(&format!("{} {}\n", request.method.as_str(), url(base_url, request)));
            text.push_str("Authorization: …\n");
        }
        // Whoever knows a hook's address can use it.
        Carrier::Hook => text.push_str("POST to the firm's hook …\n"),
        Carrier::Mail => text.push_str("by e-mail\n"),
    }
    for (name, value) in &request.headers {
        text.push_str(&format!("{name}: {value}\n"));
    }
    if let Some((name, key)) = casepeer.profile().idempotency_header(request.operation).zip(key) {
        text.push_str(&format!("{name}: {key}\n"));
    }
    if let Some(mut body) = request.body.clone() {
        for secret in entry.parameters.iter().filter(|parameter| parameter.secret) {
            if let Some(value) = body.pointer_mut(&format!("/{}", secret.name.replace('.', "/"))) {
                *value = "…".into();
            }
        }
        let body = match request.content {
            Content::Json | Content::JsonApi => pretty(&body),
            Content::Form => {
                let bytes = Request { body: Some(body), ..request.clone() }.bytes();
                String::from_utf8(bytes.unwrap_or_default()).expect("a form is plain letters")
            }
        };
        text.push_str(&format!("Content-Type: {}\n\n{body}", request.content.media_type()));
    }
    text.trim_end().to_owned()
}

fn url(base_url: &str, request: &Request) -> String {
    let url = format!("{}{}", base_url.trim_end_matches('/'), request.path);
    match reqwest::Url::parse(&url) {
        Ok(mut url) if !request.query.is_empty() => {
            url.query_pairs_mut().extend_pairs(&request.query);
            url.into()
        }
        _ => url,
    }
}
