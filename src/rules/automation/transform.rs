//! The forms that a field's value may be brought into.

use std::collections::BTreeMap;

use jiff::civil::Time;
use jiff::fmt::strtime;
use jiff::{Timestamp, ZonedDateTime};
use serde_json::{Map, Number, Value};

use super::super::TimeZone;
use super::expression::only;
use super::occasion::Occasion;
use crate::domain::{Email, Period, Phone, plain, split_name};

/// The keys that name a transform; their value is the field.
pub(super) const KEYS: [&str; 14] = [
    "copy",
    "phone",
    "email",
    "first_name",
    "last_name",
    "number",
    "money",
    "lower",
    "upper",
    "trim",
    "plain",
    "split",
    "lookup",
    "date",
];

/// The longest format of a date, in bytes.
const LONGEST_FORMAT: usize = 100;
/// The most entries of a look-up.
const MOST_LOOK_UPS: usize = 500;

/// A form of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Transform {
    /// As it is.
    Copy,
    /// A phone number as `+15125550100`; nothing of what is none.
    Phone,
    /// An e-mail address in small letters; nothing of what is none.
    Email,
    /// The first name of a full name.
    FirstName,
    /// The last name of a full name.
    LastName,
    /// A number.
    Number,
    /// An amount such as `$1,250.50` as a number, in cents if asked.
    Money {
        /// Whether in cents.
        in_cents: bool,
    },
    /// In small letters.
    Lower,
    /// In capitals.
    Upper,
    /// Without white space around it.
    Trim,
    /// Rich text as plain text.
    Plain,
    /// A text as a list.
    Split {
        /// What stands between the entries.
        by: String,
    },
    /// What a table says for it.
    Lookup {
        /// The table; capitals never matter.
        table: BTreeMap<String, Value>,
    },
    /// A moment or a day.
    Date(DateForm),
}

/// How a moment is moved and written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DateForm {
    /// How much later.
    plus: Option<String>,
    /// How much earlier.
    minus: Option<String>,
    /// Where; the firm's own zone if nothing is said.
    zone: Option<String>,
    /// At which time of that day.
    at: Option<String>,
    /// As strftime would; RFC 3339 in UTC if nothing is said.
    format: Option<String>,
}

fn text_of(object: &Map<String, Value>, key: &str) -> Result<Option<String>, String> {
    match object.get(key) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(format!("`{key}` is a text")),
    }
}

fn zone_of(name: &str) -> Result<TimeZone, String> {
    serde_json::from_value(name.into()).map_err(|wrong| format!("`zone`: {wrong}"))
}

fn period_of(key: &str, text: &str) -> Result<Period, String> {
    serde_json::from_value(text.into()).map_err(|wrong| format!("`{key}`: {wrong}"))
}

impl Transform {
    /// Reads the one that this key names.
    pub(super) fn read(key: &str, object: &Map<String, Value>) -> Result<Self, String> {
        let plain = |transform| only(object, &[key, "default"]).map(|()| transform);
        match key {
            "phone" => plain(Self::Phone),
            "email" => plain(Self::Email),
            "first_name" => plain(Self::FirstName),
            "last_name" => plain(Self::LastName),
            "number" => plain(Self::Number),
            "lower" => plain(Self::Lower),
            "upper" => plain(Self::Upper),
            "trim" => plain(Self::Trim),
            "plain" => plain(Self::Plain),
            "money" => {
                only(object, &[key, "as", "default"])?;
                match text_of(object, "as")?.as_deref() {
                    None | Some("units") => Ok(Self::Money { in_cents: false }),
                    Some("cents") => Ok(Self::Money { in_cents: true }),
                    Some(other) => Err(format!("`as` is \"units\" or \"cents\", not `{other}`")),
                }
            }
            "split" => {
                only(object, &[key, "by", "default"])?;
                Ok(Self::Split { by: text_of(object, "by")?.unwrap_or_else(|| ",".into()) })
            }
            "lookup" => {
                only(object, &[key, "in", "default"])?;
                let Some(Value::Object(table)) = object.get("in") else {
                    return Err(
                        "`lookup` needs `in`, a table such as { \"Auto Accident\" = \"auto\" }".into()
                    );
                };
                if table.is_empty() || table.len() > MOST_LOOK_UPS {
                    return Err(format!("`in` has 1 to {MOST_LOOK_UPS} entries"));
                }
                Ok(Self::Lookup {
                    table: table.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
                })
            }
            "date" => DateForm::read(object).map(Self::Date),
            _ => plain(Self::Copy),
        }
    }

    /// The field's value in this form, if it has one.
    pub(super) fn apply(&self, field: &str, occasion: &Occasion) -> Option<Value> {
        if let Self::Date(form) = self {
            return form.apply(field, occasion).map(Value::String);
        }
        if matches!(self, Self::Copy) {
            return occasion.value(field).map(std::borrow::Cow::into_owned);
        }
        let text = occasion.texts(field).join(", ");
        if text.is_empty() {
            return None;
        }
        let some = |text: String| (!text.is_empty()).then_some(Value::String(text));
        match self {
            Self::Phone => Some(Phone::parse(&text)?.as_str().into()),
            Self::Email => Some(Email::parse(&text)?.as_str().into()),
            Self::FirstName => split_name(&text).0.map(Value::String),
            Self::LastName => split_name(&text).1.map(Value::String),
            Self::Number => number(text.trim().parse().ok()?),
            Self::Money { in_cents } => {
                let amount = amount(&text)?;
                number(if *in_cents { (amount * 100.0).round() } else { amount })
            }
            Self::Lower => some(text.to_lowercase()),
            Self::Upper => some(text.to_uppercase()),
            Self::Trim => some(text.trim().to_owned()),
            Self::Plain => some(plain(&text)),
            Self::Split { by } => {
                let parts = text.split(by.as_str()).map(str::trim).filter(|part| !part.is_empty());
                Some(parts.map(Value::from).collect())
            }
            Self::Lookup { table } => {
                let exact = table.get(&text);
                let alike =
                    || table.iter().find(|(key, _)| key.eq_ignore_ascii_case(text.trim())).map(|(_, to)| to);
                exact.or_else(alike).cloned()
            }
            Self::Copy | Self::Date(_) => None,
        }
    }

    /// As it is written in a rule.
    pub(super) fn written(&self, field: &str) -> Map<String, Value> {
        let mut written = Map::new();
        let key = match self {
            Self::Copy => "copy",
            Self::Phone => "phone",
            Self::Email => "email",
            Self::FirstName => "first_name",
            Self::LastName => "last_name",
            Self::Number => "number",
            Self::Money { .. } => "money",
            Self::Lower => "lower",
            Self::Upper => "upper",
            Self::Trim => "trim",
            Self::Plain => "plain",
            Self::Split { .. } => "split",
            Self::Lookup { .. } => "lookup",
            Self::Date(_) => "date",
        };
        written.insert(key.into(), field.into());
        match self {
            Self::Money { in_cents: true } => drop(written.insert("as".into(), "cents".into())),
            Self::Split { by } => drop(written.insert("by".into(), by.as_str().into())),
            Self::Lookup { table } => {
                let table: Map<String, Value> =
                    table.iter().map(|(key, to)| (key.clone(), to.clone())).collect();
                written.insert("in".into(), table.into());
            }
            Self::Date(form) => {
                let parts = [
                    ("plus", &form.plus),
                    ("minus", &form.minus),
                    ("zone", &form.zone),
                    ("at", &form.at),
                    ("format", &form.format),
                ];
                for (key, value) in parts {
                    if let Some(value) = value {
                        written.insert(key.into(), value.as_str().into());
                    }
                }
            }
            _ => {}
        }
        written
    }
}

impl DateForm {
    fn read(object: &Map<String, Value>) -> Result<Self, String> {
        only(object, &["date", "plus", "minus", "zone", "at", "format", "default"])?;
        let text = |key| text_of(object, key);
        let form = Self {
            plus: text("plus")?,
            minus: text("minus")?,
            zone: text("zone")?,
            at: text("at")?,
            format: text("format")?,
        };
        for (key, span) in [("plus", &form.plus), ("minus", &form.minus)] {
            span.as_deref().map_or(Ok(()), |span| period_of(key, span).map(drop))?;
        }
        form.zone.as_deref().map_or(Ok(()), |zone| zone_of(zone).map(drop))?;
        if let Some(at) = &form.at {
            at.parse::<Time>().map_err(|_| format!("`at`: `{at}` is no time such as \"17:00\""))?;
        }
        if let Some(format) = &form.format {
            let sample = Timestamp::UNIX_EPOCH.to_zoned_datetime(jiff::tz::TimeZone::UTC);
            if format.len() > LONGEST_FORMAT || strtime::format(format, &sample).is_err() {
                return Err(format!(
                    "`format`: `{format}` is no format such as \"%Y-%m-%d %H:%M\" (strftime)"
                ));
            }
        }
        Ok(form)
    }

    fn apply(&self, field: &str, occasion: &Occasion) -> Option<String> {
        let own = self.zone.as_deref().and_then(|zone| zone_of(zone).ok());
        let zone = own.as_ref().unwrap_or(&occasion.zone);
        let mut moment = match field {
            "now" => occasion.at,
            field => moment_of(occasion.texts(field).first()?, zone)?,
        };
        let span = |key, text: &Option<String>| period_of(key, text.as_deref()?).ok();
        if let Some(span) = span("plus", &self.plus) {
            moment = moment.saturating_add(span.duration()).ok()?;
        }
        if let Some(span) = span("minus", &self.minus) {
            moment = moment.saturating_sub(span.duration()).ok()?;
        }
        let mut local: ZonedDateTime = zone.local(moment);
        if let Some(at) = self.at.as_deref().and_then(|at| at.parse::<Time>().ok()) {
            local = local.with().time(at).build().ok()?;
        }
        match &self.format {
            None => Some(local.timestamp().to_string()),
            Some(format) => strtime::format(format, &local).ok(),
        }
    }
}

/// A moment as senders write it: RFC 3339, a local time, a day, `MM/DD/YYYY`, or milliseconds since 1970.
fn moment_of(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(millis) = text.parse::<i64>() {
        return Timestamp::from_millisecond(millis).ok();
    }
    let american = || jiff::civil::Date::strptime("%m/%d/%Y", text).ok().map(|day| day.to_string());
    zone.moment(text).or_else(|| zone.moment(&american()?))
}

/// The number in an amount, whatever signs and separators stand around it.
fn amount(text: &str) -> Option<f64> {
    let digits: String =
        text.chars().filter(|letter| letter.is_ascii_digit() || matches!(letter, '.' | '-')).collect();
    digits.parse().ok()
}

fn number(number: f64) -> Option<Value> {
    #[expect(clippy::cast_possible_truncation, reason = "whole numbers of this size are exact")]
    if number.fract() == 0.0 && number.abs() < 9.0e15 {
        return Some((number as i64).into());
    }
    Number::from_f64(number).map(Value::Number)
}
