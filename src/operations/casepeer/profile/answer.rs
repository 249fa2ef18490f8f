//! Reading an answer: whatever its form, what goes on is a record, or a page of records, of our contract's form.

use serde_json::{Value, json};

use super::Profile;
use super::consistency::Concurrency;
use super::failures::Verdict;
use super::operation::{Answer, Wire};
use super::paging::page;
use super::place::Place;
use super::request::is_list;
use super::values::UnknownWord;
use crate::operations::{Request, Response, Unexpected};

impl Profile {
    /// A successful answer in our contract's form: a record, or `{"data": […], "page": {"next_cursor": …}}`.
    pub fn read_answer(&self, request: &Request, answer: Response) -> Result<Response, Unexpected> {
        let Some(wire) = self.operations.get(request.operation) else { return Ok(answer) };
        if wire.answer == Answer::Nothing || !wire.transport.is_call() || request.operation == "health" {
            return Ok(Response { body: Value::Null, ..answer });
        }
        if is_list(request.operation) || wire.pick {
            let body = self.read_list(request, wire, &answer);
            return Ok(Response { body, ..answer });
        }
        let (codec, root) = self.codec_of(wire);
        let theirs = codec.unwrap_one(&answer.body, root, wire.at.as_ref());
        let version = self.version_of(&theirs);
        let mut ours = self.in_our_form(request.operation, theirs);
        if let Some(id) = &wire.id {
            let id = id.text(&answer.body);
            ours["id"] = id.ok_or(Unexpected { operation: request.operation, missing: "id" })?.into();
        }
        let etag = match &self.document.concurrency {
            Concurrency::Etag { .. } => answer.etag.clone(),
            Concurrency::CompareUpdatedAt => Place::at("updated_at").text(&ours),
            Concurrency::VersionField { .. } => version,
            Concurrency::None => None,
        };
        Ok(Response { body: ours, etag, ..answer })
    }

    /// The words of an answer that stay as they are, since a value map that warns does not have them.
    pub fn unknown_words(&self, request: &Request, answer: &Response) -> Vec<UnknownWord> {
        let values = &self.document.values;
        let wire = self.operations.get(request.operation);
        let (Some(wire), Some(record)) = (wire, self.record_of(request.operation)) else { return Vec::new() };
        if wire.answer == Answer::Nothing || values.values().all(|map| !map.warns()) {
            return Vec::new();
        }
        let (codec, root) = self.codec_of(wire);
        let theirs = if is_list(request.operation) || wire.pick {
            codec.unwrap_many(&answer.body, root, wire.items.as_ref())
        } else {
            vec![codec.unwrap_one(&answer.body, root, wire.at.as_ref())]
        };
        theirs.iter().flat_map(|theirs| record.unknown_words_in(theirs, values)).collect()
    }

    fn read_list(&self, request: &Request, wire: &Wire, answer: &Response) -> Value {
        let (codec, root) = self.codec_of(wire);
        let items = codec.unwrap_many(&answer.body, root, wire.items.as_ref());
        let paging = self.paging_of(request.operation);
        let cursor = match paging.follow("") {
            Some(super::paging::Next::Parameter(name, _)) => {
                request.query.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
            }
            _ => None,
        };
        let next = paging.next(answer, items.len(), cursor);
        page(items.into_iter().map(|item| self.in_our_form(request.operation, item)).collect(), next)
    }

    fn in_our_form(&self, operation: &str, theirs: Value) -> Value {
        match self.record_of(operation) {
            Some(record) => record.read(theirs, &self.document.values),
            None => theirs,
        }
    }

    fn version_of(&self, theirs: &Value) -> Option<String> {
        match &self.document.concurrency {
            Concurrency::VersionField { at } => at.text(theirs),
            _ => None,
        }
    }

    /// A refusal in our contract's form: `{"error": {"code", "message", "fields"}, "existing_id"}`.
    pub fn read_refusal(&self, answer: Response) -> Response {
        Response { body: self.document.errors.read(&answer), ..answer }
    }

    /// Whether a status means that the same call may succeed later.
    pub fn verdict(&self, status: u16) -> Verdict {
        self.document.errors.verdict(status)
    }

    /// Whether this 2xx is what the operation promises.
    pub fn is_success(&self, request: &Request, status: u16) -> bool {
        let listed =
            self.operations.get(request.operation).map(|wire| wire.success.as_slice()).unwrap_or_default();
        listed.is_empty() || listed.contains(&status)
    }

    /// The next page of a list, if an answer that [`Profile::read_answer`] made leads to one.
    pub fn next_page(&self, request: &Request, answer: &Response) -> Option<Request> {
        let cursor = Place::at("page.next_cursor").text(&answer.body)?;
        self.page(request.clone(), &cursor).ok()
    }

    /// The request with the places of its path that only the record knows, as it was read.
    pub fn fill_from(&self, request: &Request, record: &Value) -> Result<Request, Unexpected> {
        let path = crate::operations::fill_places(&request.path, |name| {
            Place::try_from(name.to_owned()).ok()?.text(record)
        });
        if path.contains('{') {
            return Err(Unexpected { operation: request.operation, missing: "part of its path" });
        }
        Ok(Request { path, lookup: None, ..request.clone() })
    }
}

/// One record out of a page, by its id.
pub fn pick(page: &Value, id: &str) -> Option<Value> {
    let records = page.get("data").and_then(Value::as_array)?;
    records.iter().find(|record| Place::at("id").text(record).as_deref() == Some(id)).cloned()
}

/// What a look-up that found nothing is answered with.
pub fn not_found() -> Value {
    json!({ "error": { "code": "not_found", "message": "not among the records" } })
}
