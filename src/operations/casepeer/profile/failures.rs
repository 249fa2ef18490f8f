//! `[errors]` and `[limits]`: what a refusal says, and how much may be asked.

use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use super::place::Place;
use crate::domain::Allowance;
use crate::operations::Response;

/// `[errors]`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Errors {
    /// Statuses after which the same call may succeed, besides 408, 425, 429 and 5xx.
    #[serde(default)]
    pub(super) retryable: Vec<u16>,
    /// Statuses that look retryable and are not.
    #[serde(default)]
    pub(super) permanent: Vec<u16>,
    /// Where the vendor's code for the error lies.
    code: Option<Place>,
    /// Where its message lies.
    message: Option<Place>,
    /// Where the field it complains of lies.
    field: Option<Place>,
    /// Where the id lies of a record that is there already (409).
    existing_id: Option<Place>,
}

/// `[limits]`, which hold until the account's answers announce others. None is what its 429 says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// How many calls in an interval.
    calls: Option<u64>,
    /// The interval, such as `1s`.
    interval: Option<SignedDuration>,
    /// How many calls a day.
    per_day: Option<u64>,
    /// How many calls side by side.
    pub concurrent: Option<usize>,
}

impl Limits {
    pub(super) fn check(&self) -> Result<(), &'static str> {
        match (self.calls, self.interval) {
            (None, None) if self.per_day.is_none() => Ok(()),
            (Some(calls), Some(interval)) if calls > 0 && interval >= SignedDuration::from_millis(10) => {
                Ok(())
            }
            _ => Err("needs `calls` and `interval`, such as 25 and \"1s\": at least one call, and 10 ms"),
        }
    }

    /// How many calls the account allows.
    pub fn allowance(&self) -> Option<Allowance> {
        let interval_ms = i64::try_from(self.interval?.as_millis()).ok()?;
        Some(Allowance { per_interval: self.calls?, interval_ms, per_day: self.per_day })
    }
}

/// Whether a status means that the same call may succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As is usual.
    Usual,
    /// It may.
    Retryable,
    /// It will not.
    Permanent,
}

impl Errors {
    pub(super) fn verdict(&self, status: u16) -> Verdict {
        if self.retryable.contains(&status) {
            Verdict::Retryable
        } else if self.permanent.contains(&status) {
            Verdict::Permanent
        } else {
            Verdict::Usual
        }
    }

    /// A refusal's body in our contract's form; as it is, when the profile says nothing of the vendor's.
    pub(super) fn read(&self, answer: &Response) -> Value {
        if self.code.is_none() && self.message.is_none() && self.existing_id.is_none() {
            return answer.body.clone();
        }
        let text = |place: &Option<Place>| place.as_ref().and_then(|place| place.text(&answer.body));
        let (code, message) = (text(&self.code), text(&self.message));
        if code.is_none() && message.is_none() && text(&self.existing_id).is_none() {
            // Not the vendor's own form: something before it, such as a proxy, answered.
            return Value::Null;
        }
        let code = code.unwrap_or_else(|| format!("status_{}", answer.status));
        let fields = text(&self.field).map(|field| {
            // A JSON pointer's last name: `/data/attributes/email`.
            let name = field.rsplit('/').next().unwrap_or(&field).to_owned();
            json!([{ "path": name, "code": "refused" }])
        });
        let mut body = json!({ "error": { "code": code, "message": message, "fields": fields } });
        if let Some(existing) = text(&self.existing_id) {
            body["existing_id"] = existing.into();
        }
        body
    }
}
