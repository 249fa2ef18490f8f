//! How a value is written for the vendor, and read back.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use serde::Deserialize;
use serde_json::Value;

/// The form a value has at the vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// As it is.
    #[default]
    Same,
    /// Text, whatever it is: a number or yes/no as their words.
    Text,
    /// Text in lower case.
    Lower,
    /// Text without white space around it.
    Trim,
    /// A whole number.
    Number,
    /// A telephone number in E.164, such as `+15125550100`.
    E164,
    /// A telephone number of the United States as ten digits.
    National,
    /// `YYYY-MM-DD`, of a date or of a moment in UTC.
    Date,
    /// `MM/DD/YYYY`.
    UsDate,
    /// RFC 3339 in UTC.
    Moment,
}

impl Transform {
    /// Our value in the vendor's form; one that has no such form goes as it is.
    pub(super) fn write(self, value: &Value) -> Value {
        let Some(text) = words(value) else { return value.clone() };
        match self {
            Self::Same => value.clone(),
            Self::Text => text.into(),
            Self::Lower => text.to_lowercase().into(),
            Self::Trim => text.trim().into(),
            Self::Number => text.trim().parse::<i64>().map_or_else(|_| value.clone(), Value::from),
            Self::E164 => value.clone(),
            Self::National => match text.strip_prefix("+1") {
                Some(digits) if digits.len() == 10 => digits.into(),
                _ => value.clone(),
            },
            Self::Date => date(&text).map_or_else(|| value.clone(), |date| date.to_string().into()),
            Self::UsDate => {
                let written =
                    |date: Date| format!("{:02}/{:02}/{:04}", date.month(), date.day(), date.year());
                date(&text).map_or_else(|| value.clone(), |date| written(date).into())
            }
            Self::Moment => moment(&text).map_or_else(|| value.clone(), |moment| moment.to_string().into()),
        }
    }

    /// The vendor's value in our form.
    pub(super) fn read(self, value: &Value) -> Value {
        let Some(text) = words(value) else { return value.clone() };
        match self {
            Self::Same => value.clone(),
            Self::Text | Self::Number => text.into(),
            Self::Lower => text.to_lowercase().into(),
            Self::Trim => text.trim().into(),
            // Every phone is brought into E.164 where a person's fields are read.
            Self::E164 | Self::National => text.into(),
            Self::Date | Self::UsDate => date(&text).map_or(Value::Null, |date| date.to_string().into()),
            Self::Moment => moment(&text).map_or(Value::Null, |moment| moment.to_string().into()),
        }
    }
}

fn words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        _ => None,
    }
}

/// `YYYY-MM-DD`, `MM/DD/YYYY`, or the day of a moment in UTC.
fn date(text: &str) -> Option<Date> {
    if let Some(moment) = text.contains('T').then(|| moment(text)).flatten() {
        return Some(Offset::UTC.to_datetime(moment).date());
    }
    text.parse().ok().or_else(|| Date::strptime("%m/%d/%Y", text).ok())
}

/// RFC 3339; without an offset it is UTC, and a date is its beginning.
fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(moment) = text.parse() {
        return Some(moment);
    }
    let civil: jiff::civil::DateTime = text.parse().ok().or_else(|| Some(date(text)?.at(0, 0, 0, 0)))?;
    Offset::UTC.to_timestamp(civil).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_row() {
        use Transform::{Date, Lower, Moment, National, Number, Same, Text, Trim, UsDate};
        #[rustfmt::skip]
        let table = [
            (Same,     json!("A b"),                  json!("A b"),               json!("A b")),
            (Text,     json!(true),                   json!("true"),              json!("true")),
            (Lower,    json!("Ada@X"),                json!("ada@x"),             json!("ada@x")),
            (Trim,     json!(" a "),                  json!("a"),                 json!("a")),
            (Number,   json!("42"),                   json!(42),                  json!("42")),
            (National, json!("+15125550100"),         json!("5125550100"),        json!("5125550100")),
            (National, json!("+442079460000"),        json!("+442079460000"),     json!("+442079460000")),
            (Date,     json!("2026-01-02T23:00:00Z"), json!("2026-01-02"),        json!("2026-01-02")),
            (UsDate,   json!("2026-01-02"),           json!("01/02/2026"),        json!("2026-01-02")),
            (Moment,   json!("2026-01-02"),           json!("2026-01-02T00:00:00Z"), json!("2026-01-02T00:00:00Z")),
        ];
        for (transform, ours, theirs, back) in table {
            assert_eq!(transform.write(&ours), theirs, "{transform:?}");
            assert_eq!(transform.read(&theirs), back, "{transform:?}");
        }
        assert_eq!(UsDate.read(&json!("soon")), Value::Null, "what is no date is nothing, never a guess");
    }
}
