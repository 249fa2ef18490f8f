//! `[paging]`: how the pages of a list follow one another.

use serde::Deserialize;
use serde_json::Value;

use super::place::Place;
use crate::operations::Response;

/// How a page leads to the next.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Paging {
    /// There is one page.
    #[default]
    None,
    /// `Link: <…>; rel="next"` (RFC 8288).
    LinkHeader {
        /// How the size of a page is asked for.
        size: Option<Size>,
    },
    /// The next page's address lies in the body.
    NextUrlPointer {
        /// Where.
        at: Place,
        /// How the size of a page is asked for.
        size: Option<Size>,
    },
    /// A cursor in the body goes into a parameter.
    Cursor {
        /// Where.
        at: Place,
        /// The parameter.
        parameter: String,
        /// How the size of a page is asked for.
        size: Option<Size>,
    },
    /// Pages are numbered.
    PageNumber {
        /// The parameter.
        parameter: String,
        /// The first page's number.
        #[serde(default = "one")]
        first: u64,
        /// How the size of a page is asked for; a shorter page is the last.
        size: Size,
    },
    /// Records are skipped.
    Offset {
        /// The parameter.
        parameter: String,
        /// How the size of a page is asked for; a shorter page is the last.
        size: Size,
    },
}

/// How the size of a page is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// The parameter.
    pub parameter: String,
    /// How many.
    pub records: u64,
}

fn one() -> u64 {
    1
}

/// Where the next page is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// The same request with this parameter.
    Parameter(String, String),
    /// Another path and query of the same host.
    Address(String),
}

impl Paging {
    /// The parameter that asks for a page's size.
    pub(super) fn size(&self) -> Option<(&str, u64)> {
        let size = match self {
            Self::None => None,
            Self::LinkHeader { size } | Self::NextUrlPointer { size, .. } | Self::Cursor { size, .. } => {
                size.as_ref()
            }
            Self::PageNumber { size, .. } | Self::Offset { size, .. } => Some(size),
        };
        size.map(|size| (size.parameter.as_str(), size.records))
    }

    /// What leads to the page after this one, in a form that [`Paging::follow`] reads.
    pub(super) fn next(&self, answer: &Response, records: usize, cursor: Option<&str>) -> Option<String> {
        let is_full = |size: &Size| records as u64 >= size.records;
        let number = |first: u64| cursor.and_then(|cursor| cursor.parse::<u64>().ok()).unwrap_or(first);
        match self {
            Self::None => None,
            Self::LinkHeader { .. } => next_link(answer.link.as_deref()?),
            Self::NextUrlPointer { at, .. } | Self::Cursor { at, .. } => at.text(&answer.body),
            Self::PageNumber { first, size, .. } => is_full(size).then(|| (number(*first) + 1).to_string()),
            Self::Offset { size, .. } => is_full(size).then(|| (number(0) + size.records).to_string()),
        }
    }

    /// How the page that a cursor of [`Paging::next`] leads to is asked for.
    pub(super) fn follow(&self, cursor: &str) -> Option<Next> {
        match self {
            Self::None => None,
            Self::LinkHeader { .. } | Self::NextUrlPointer { .. } => Some(Next::Address(cursor.to_owned())),
            Self::Cursor { parameter, .. }
            | Self::PageNumber { parameter, .. }
            | Self::Offset { parameter, .. } => Some(Next::Parameter(parameter.clone(), cursor.to_owned())),
        }
    }
}

/// The address of `rel="next"` in a `Link` header.
fn next_link(header: &str) -> Option<String> {
    header.split(',').find_map(|link| {
        let (address, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = parameters.split(';').any(|parameter| {
            let (name, value) = parameter.trim().split_once('=').unwrap_or_default();
            name.eq_ignore_ascii_case("rel") && value.trim_matches('"').split(' ').any(|rel| rel == "next")
        });
        is_next.then(|| address.to_owned())
    })
}

/// An empty page of a list in our form.
pub(super) fn page(records: Vec<Value>, next: Option<String>) -> Value {
    serde_json::json!({ "data": records, "page": { "next_cursor": next } })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(body: Value, link: Option<&str>) -> Response {
        Response { status: 200, etag: None, link: link.map(str::to_owned), body }
    }

    fn paging(text: &str) -> Paging {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn every_kind_leads_to_the_next_page_and_ends() {
        let parameter = |name: &str, value: &str| Some(Next::Parameter(name.into(), value.into()));
        let size = "size = { parameter = \"page_size\", records = 2 }";
        #[rustfmt::skip]
        let table = [
            ("kind = \"none\"".to_owned(), answer(json!({}), None), 2, None, None),
            ("kind = \"link_header\"".to_owned(),
                answer(json!([]), Some("</a>; rel=\"prev\", <https://h/v1/leads?page_token=x>; rel=\"next\"")), 2, None,
                Some(Next::Address("https://h/v1/leads?page_token=x".into()))),
            ("kind = \"link_header\"".to_owned(), answer(json!([]), Some("</a>; rel=\"prev\"")), 2, None, None),
            ("kind = \"next_url_pointer\"\nat = \"links.next\"".to_owned(),
                answer(json!({ "links": { "next": "/b" } }), None), 2, None, Some(Next::Address("/b".into()))),
            ("kind = \"next_url_pointer\"\nat = \"links.next\"".to_owned(),
                answer(json!({ "links": { "next": null } }), None), 2, None, None),
            ("kind = \"cursor\"\nat = \"page.next\"\nparameter = \"cursor\"".to_owned(),
                answer(json!({ "page": { "next": "c" } }), None), 2, None, parameter("cursor", "c")),
            (format!("kind = \"page_number\"\nparameter = \"page\"\n{size}"), answer(json!([]), None), 2, None,
                parameter("page", "2")),
            (format!("kind = \"page_number\"\nparameter = \"page\"\n{size}"), answer(json!([]), None), 2, Some("2"),
                parameter("page", "3")),
            (format!("kind = \"page_number\"\nparameter = \"page\"\n{size}"), answer(json!([]), None), 1, None, None),
            (format!("kind = \"offset\"\nparameter = \"skip\"\n{size}"), answer(json!([]), None), 2, Some("4"),
                parameter("skip", "6")),
        ];
        for (text, answer, records, cursor, expected) in table {
            let paging = paging(&text);
            let next = paging.next(&answer, records, cursor).and_then(|cursor| paging.follow(&cursor));
            assert_eq!(next, expected, "{text}");
        }
    }
}
