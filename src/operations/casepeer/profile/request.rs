//! Building a request from a canonical operation and a record of our form.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::codec::Codec;
use super::consistency::{Concurrency, Idempotency};
use super::operation::{POLL_EVERY, Transport, Wire};
use super::paging::{Next, Paging};
use super::record::RecordMap;
use super::{CannotSend, Profile};
use crate::operations::{Carrier, Lookup, Request, fill_places};

impl Profile {
    /// A request that changes nothing and has no body.
    pub(in super::super) fn read(
        &self,
        operation: &'static str,
        id: Option<&str>,
    ) -> Result<Request, CannotSend> {
        let mut request = self.bare(operation, id)?;
        let picks = self.wire(operation)?.pick;
        request.picks = id.filter(|_| picks).map(str::to_owned);
        if let Some((parameter, size)) =
            self.paging_of(operation).size().filter(|_| picks || is_list(operation))
        {
            request = request.query(parameter.to_owned(), size.to_string());
        }
        Ok(request)
    }

    /// A search for records that have this value of a property.
    pub(in super::super) fn search(
        &self,
        operation: &'static str,
        property: &str,
        value: &str,
    ) -> Result<Request, CannotSend> {
        let request = self.bare(operation, None)?;
        let parameter = self.wire(operation)?.search.get(property);
        let parameter = parameter
            .ok_or_else(|| CannotSend::NotSearchable { operation, property: property.to_owned() })?;
        let value = parameter.form.write(&value.into());
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Ok(request.query(parameter.name.clone(), value))
    }

    /// A request that carries a record of our form. A partial one lacks what does not change; `version` is the one the
    /// change was decided on.
    pub(in super::super) fn write(
        &self,
        operation: &'static str,
        id: Option<&str>,
        ours: Value,
        is_partial: bool,
        version: Option<&str>,
    ) -> Result<Request, CannotSend> {
        let wire = self.wire(operation)?;
        let mut request = self.bare(operation, id)?;
        if wire.transport == Transport::EmailBcc {
            return Ok(mail(wire, request, id, &ours));
        }
        let record = self.record_of(operation);
        if let Some(record) = record {
            request.unknown_words = record.unknown_words_out(&ours, is_partial, &self.document.values);
        }
        let mut theirs = match record {
            Some(record) => record.write(operation, ours, is_partial, &self.document.values)?,
            None => ours,
        };
        for (key, value) in &wire.body {
            if theirs.is_null() {
                theirs = Value::Object(Map::new());
            }
            theirs[key] = value.clone();
        }
        if let (Concurrency::VersionField { at }, Some(version)) = (self.concurrency_of(operation), version) {
            at.put(&mut theirs, version.into());
        }
        let (codec, root) = self.codec_of(wire);
        let id = id.filter(|_| is_partial);
        let mut request = request.json(codec.wrap(theirs, root, record, id));
        if let (Concurrency::Etag { header }, Some(version)) = (self.concurrency_of(operation), version) {
            request = request.header(header.clone(), version);
        }
        self.with_lookup(operation, id, request, version)
    }

    /// The page that a cursor leads to, of a request that [`Profile::read`] made.
    pub(in super::super) fn page(&self, mut request: Request, cursor: &str) -> Result<Request, CannotSend> {
        let foreign = CannotSend::ForeignPage { operation: request.operation };
        match self.paging_of(request.operation).follow(cursor) {
            None => Err(foreign),
            Some(Next::Parameter(name, value)) => Ok(request.query(name, value)),
            Some(Next::Address(address)) => {
                // Only what the path goes on with is taken: a page of another host is never asked for.
                let path = address.find("://").map_or(address.as_str(), |at| {
                    address[at + 3..].find('/').map_or("", |slash| &address[at + 3 + slash..])
                });
                let (path, query) = path.split_once('?').unwrap_or((path, ""));
                let at = path.find(&request.path).ok_or(foreign)?;
                request.path = path[at..].to_owned();
                request.query = query_pairs(query).map(|(name, value)| (name.into(), value)).collect();
                Ok(request)
            }
        }
    }

    fn bare(&self, operation: &'static str, id: Option<&str>) -> Result<Request, CannotSend> {
        let wire = self.wire(operation)?;
        let path = fill_places(&wire.path, |name| id.filter(|_| name == "id").map(str::to_owned));
        let mut request = Request::new(operation, wire.method, path, wire.effect);
        request.carrier = match wire.transport {
            Transport::Rest | Transport::Poll | Transport::Disabled => Carrier::Api,
            Transport::ZapierHook => Carrier::Hook,
            Transport::EmailBcc => Carrier::Mail,
        };
        if request.carrier == Carrier::Hook {
            request.method = crate::operations::Method::Post;
        }
        let (codec, _) = self.codec_of(wire);
        request.content = wire.content.unwrap_or(codec.content());
        let seconds = wire.timeout_seconds.or(self.document.wire.timeout_seconds);
        request.timeout = seconds.map(Duration::from_secs);
        for (name, value) in self.document.wire.headers.iter().chain(&wire.headers) {
            request = request.header(name.clone(), value);
        }
        for (name, value) in self.document.wire.query.iter().chain(&wire.query) {
            request = request.query(name.clone(), value);
        }
        Ok(request)
    }

    /// Has the record read first where the path needs more than its id, or its date is to be compared.
    fn with_lookup(
        &self,
        operation: &'static str,
        id: Option<&str>,
        mut request: Request,
        version: Option<&str>,
    ) -> Result<Request, CannotSend> {
        let compares = *self.concurrency_of(operation) == Concurrency::CompareUpdatedAt && version.is_some();
        let Some(reading) = reading_of(operation).filter(|_| compares || request.path.contains('{')) else {
            return Ok(request);
        };
        let read = self.read(reading, id)?;
        let version = version.filter(|_| compares).map(str::to_owned);
        request.lookup = Some(Box::new(Lookup { request: read, version }));
        Ok(request)
    }

    pub(super) fn wire(&self, operation: &'static str) -> Result<&Wire, CannotSend> {
        let wire = self.operations.get(operation).filter(|wire| wire.transport != Transport::Disabled);
        wire.ok_or_else(|| CannotSend::Disabled { profile: self.name.clone(), operation })
    }

    pub(super) fn codec_of<'a>(&'a self, wire: &'a Wire) -> (Codec, &'a str) {
        let defaults = &self.document.wire;
        (wire.codec.unwrap_or(defaults.codec), wire.root.as_deref().unwrap_or(&defaults.root))
    }

    pub(super) fn concurrency_of(&self, operation: &str) -> &Concurrency {
        let own = self.operations.get(operation).and_then(|wire| wire.concurrency.as_ref());
        own.unwrap_or(&self.document.concurrency)
    }

    pub(super) fn paging_of(&self, operation: &str) -> &Paging {
        let own = self.operations.get(operation).and_then(|wire| wire.paging.as_ref());
        own.unwrap_or(&self.document.paging)
    }

    pub(super) fn record_of(&self, operation: &str) -> Option<&RecordMap> {
        let own = self.operations.get(operation).and_then(|wire| wire.record.as_deref());
        self.document.records.get(own.or(operation.split('.').next())?)
    }

    /// How an operation is asked for, in a line.
    pub fn line(&self, operation: &str) -> Option<String> {
        let wire = self.operations.get(operation)?;
        Some(match wire.transport {
            transport if transport.is_call() && wire.path.is_empty() => {
                format!("{} (blank)", wire.method.as_str())
            }
            Transport::Rest | Transport::Poll => format!("{} {}", wire.method.as_str(), wire.path),
            Transport::EmailBcc => wire.to.clone().unwrap_or_default(),
            Transport::ZapierHook | Transport::Disabled => String::new(),
        })
    }

    /// How often this list is read for what no webhook tells of; none if it is not polled.
    pub fn polled_every(&self, operation: &str) -> Option<SignedDuration> {
        let wire = self.operations.get(operation).filter(|wire| wire.transport == Transport::Poll)?;
        Some(wire.every.map_or(POLL_EVERY, |every| every.duration()))
    }

    /// The header that makes a repeated create answer the first one's result.
    pub fn idempotency_header(&self, operation: &str) -> Option<&str> {
        match self.idempotency(operation) {
            Idempotency::Header { name } => Some(name),
            _ => None,
        }
    }
}

/// Whether an operation answers a list.
pub(super) fn is_list(operation: &str) -> bool {
    operation.split('.').next_back().is_some_and(|verb| verb.starts_with("list") || verb.starts_with("find"))
}

/// The operation that reads what this one changes.
fn reading_of(operation: &str) -> Option<&'static str> {
    Some(match operation {
        "lead.update" => "lead.get",
        "case.update" => "case.get",
        "task.complete" => "task.get",
        _ => return None,
    })
}

/// What a mail says: its address, and the note as its text.
fn mail(wire: &Wire, request: Request, id: Option<&str>, ours: &Value) -> Request {
    let to = wire.to.as_deref().unwrap_or_default().replace("{id}", id.unwrap_or_default());
    let text = ours.get("body").and_then(Value::as_str).unwrap_or_default();
    let category = ours.get("category").and_then(Value::as_str);
    let subject = category.map_or_else(|| "Note".to_owned(), |category| format!("Note: {category}"));
    request.json(json!({ "to": to, "subject": subject, "text": text, "reference": ours.get("external_ref") }))
}

/// The pairs of a query, decoded.
fn query_pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    })
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let hex = |byte: u8| char::from(byte).to_digit(16);
        let escaped = (byte == b'%').then(|| {
            let mut ahead = rest.clone();
            let (high, low) = (hex(ahead.next()?)?, hex(ahead.next()?)?);
            u8::try_from(high * 16 + low).ok()
        });
        match escaped.flatten() {
            Some(plain) => {
                bytes.push(plain);
                rest.next();
                rest.next();
            }
            None => bytes.push(if byte == b'+' { b' ' } else { byte }),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
