//! `[events]`: what the account's webhooks mean, by pointers into their bodies.

use std::collections::BTreeMap;

use serde::Deserialize;

/// `[events]`. The default is the published contract's own form.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Events {
    /// How a body is written.
    pub body: BodyForm,
    /// Whether nested keys may be written flat, as Zapier does: `/data/case/id` is also looked for as
    /// `data__case__id`, `data.case.id` and `data[case][id]`.
    pub flattened: bool,
    /// The sender's id of the event, the same on every redelivery. Without one, the body's hash stands in.
    pub id: Sources,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: Sources,
    /// When it happened.
    pub occurred_at: Sources,
    /// The account it speaks of.
    pub account: Sources,
    /// In an event that confirms a hand-over: the reference that went with it.
    pub reference: Sources,
    /// The sender's name of each event → ours. What is not listed is taken to be ours already.
    pub types: BTreeMap<String, String>,
    /// Where an event of a kind of record (`lead`, `case`, `task`, `note`, `contact`) has the record.
    pub records: BTreeMap<String, RecordMap>,
    /// Whether the record is read before anything is done.
    pub refetch: Refetch,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            body: BodyForm::Json,
            flattened: false,
            id: Sources::pointer("/id"),
            kind: Sources::pointer("/type"),
            occurred_at: Sources::pointer("/occurred_at"),
            account: Sources::pointer("/account_id"),
            reference: Sources::pointer("/bridge_ref"),
            types: BTreeMap::new(),
            records: BTreeMap::new(),
            refetch: Refetch::Always,
        }
    }
}

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyForm {
    /// A JSON object.
    #[default]
    Json,
    /// A form (`application/x-www-form-urlencoded`).
    Form,
    /// Either: what begins with `{` is JSON.
    JsonOrForm,
}

/// Whether the record is read before anything is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refetch {
    /// It is: a webhook may be late.
    #[default]
    Always,
    /// Only if the webhook does not say who the client is.
    IfMissing,
    /// There is nothing to read from: the webhook is all there is.
    Never,
}

/// Where a kind of record stands in an event's body.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordMap {
    /// The object; empty is the whole body. Else `/data/{kind}`.
    pub root: Option<String>,
    /// The contract's fields → pointers below the root, the first that has a value counts. Without any, the object
    /// is a record of the contract.
    #[serde(default)]
    pub fields: BTreeMap<String, Sources>,
}

/// One place a value may come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A JSON pointer (RFC 6901).
    Pointer(String),
    /// Several pointers' values with a dot between: `/resource+/action`.
    Joined(Vec<String>),
    /// A header.
    Header(String),
    /// Always this.
    Fixed(String),
}

/// The places a value may come from, the first that has one counts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "OneOrMany")]
pub struct Sources(pub Vec<Source>);

impl Sources {
    fn pointer(pointer: &str) -> Self {
        Self(vec![Source::Pointer(pointer.to_owned())])
    }

    fn has_header(&self) -> bool {
        self.0.iter().any(|source| matches!(source, Source::Header(_)))
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl TryFrom<OneOrMany> for Sources {
    type Error = String;

    fn try_from(written: OneOrMany) -> Result<Self, String> {
        let written = match written {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        };
        written.iter().map(|one| source(one)).collect::<Result<_, _>>().map(Self)
    }
}

fn source(text: &str) -> Result<Source, String> {
    if let Some(header) = text.strip_prefix("header:") {
        return Ok(Source::Header(header.trim().to_ascii_lowercase()));
    }
    if let Some(fixed) = text.strip_prefix("fixed:") {
        return Ok(Source::Fixed(fixed.trim().to_owned()));
    }
    let pointers: Vec<String> = text.split('+').map(|pointer| pointer.trim().to_owned()).collect();
    if let Some(wrong) = pointers.iter().find(|pointer| !pointer.starts_with('/')) {
        return Err(format!(
            "`{wrong}` is none of: a pointer that begins with a slash, several with `+` between, `header:Name`, `fixed:word`"
        ));
    }
    Ok(match <[String; 1]>::try_from(pointers) {
        Ok([one]) => Source::Pointer(one),
        Err(several) => Source::Joined(several),
    })
}

/// Our names of what may happen.
pub const CANONICAL_EVENTS: [&str; 16] = [
    "lead.created",
    "lead.updated",
    "lead.converted",
    "lead.rejected",
    "lead.confirmed",
    "case.created",
    "case.updated",
    "case.status_changed",
    "task.created",
    "task.completed",
    "task.confirmed",
    "note.created",
    "note.confirmed",
    "contact.updated",
    "contact.merged",
    "ignored",
];

/// The kinds of records an event may be about.
const KINDS: [&str; 5] = ["lead", "case", "task", "note", "contact"];

/// The contract's fields that a webhook may tell.
pub const FIELDS: [&str; 30] = [
    "id",
    "lead_id",
    "case_id",
    "external_ref",
    "status",
    "case_type",
    "retained_at",
    "updated_at",
    "source.type",
    "source.detail",
    "client.id",
    "client.first_name",
    "client.last_name",
    "client.email",
    "client.phone",
    "client.address.line1",
    "client.address.city",
    "client.address.state",
    "client.address.zip",
    "title",
    "body",
    "due_at",
    "completed",
    "completed_at",
    "priority",
    "assignee_id",
    "category",
    "author_id",
    "occurred_at",
    "reject_reason",
];

impl Events {
    /// Checks what one value alone cannot show: the key below `events`, and what is wrong.
    pub fn check(&self) -> Result<(), (String, String)> {
        for (wire, ours) in &self.types {
            if !CANONICAL_EVENTS.contains(&ours.as_str()) {
                let why = format!("`{ours}` is no event; those are {}", CANONICAL_EVENTS.join(", "));
                return Err((format!("types.{wire}"), why));
            }
        }
        for (kind, map) in &self.records {
            if !KINDS.contains(&kind.as_str()) {
                let why = format!("`{kind}` is no kind of record; those are {}", KINDS.join(", "));
                return Err((format!("records.{kind}"), why));
            }
            if map.root.as_ref().is_some_and(|root| !root.is_empty() && !root.starts_with('/')) {
                return Err((format!("records.{kind}.root"), "does not begin with a slash".into()));
            }
            for (field, sources) in &map.fields {
                let key = format!("records.{kind}.fields.{field}");
                if !FIELDS.contains(&field.as_str()) {
                    return Err((key, format!("`{field}` is no field; those are {}", FIELDS.join(", "))));
                }
                // The bytes are kept and read again; the headers are not.
                if sources.has_header() {
                    return Err((key, "a field cannot come from a header, which is not kept".into()));
                }
            }
        }
        if self.reference.has_header() {
            return Err(("reference".into(), "cannot come from a header, which is not kept".into()));
        }
        Ok(())
    }

    /// Whether the account tells of such records (`lead`, `case`, `task`, `note`, `contact`). One whose file says nothing
    /// of records tells of all, in the contract's form.
    pub fn tells_of(&self, kind: &str) -> bool {
        self.records.is_empty() || self.records.contains_key(kind)
    }

    /// Whether what it tells of such a record stands in for reading it: who the client is, and how to reach them.
    pub fn stands_in_for_reading(&self, kind: &str) -> bool {
        let Some(map) = self.records.get(kind).filter(|_| self.refetch != Refetch::Always) else {
            return self.records.is_empty() && self.refetch != Refetch::Always;
        };
        let has = |field| map.fields.is_empty() || map.fields.contains_key(field);
        has("client.last_name") && (has("client.phone") || has("client.email"))
    }

    /// Our name of what the sender calls this.
    pub fn canonical<'a>(&'a self, kind: &'a str) -> &'a str {
        self.types.get(kind).map_or(kind, String::as_str)
    }
}
