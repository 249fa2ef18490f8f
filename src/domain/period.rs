//! A span of time as people write it.

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A span of time: `2d`, `36h`, `1w`. A day is 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period(SignedDuration);

/// The longest span, in days: anything beyond is a slip of the pen.
const LONGEST_DAYS: i64 = 3_660;

impl Period {
    /// How long it is.
    pub fn duration(self) -> SignedDuration {
        self.0
    }

    /// The moment that long after `start`.
    pub fn after(self, start: Timestamp) -> Timestamp {
        start.saturating_add(self.0).unwrap_or(Timestamp::MAX)
    }
}

impl Default for Period {
    /// A day.
    fn default() -> Self {
        Self(SignedDuration::from_hours(24))
    }
}

impl std::fmt::Display for Period {
    /// In the largest unit that says it whole.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.0.as_secs();
        let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
        let fits = |(length, _): &&(i64, &str)| seconds % length == 0;
        let (length, unit) = units.iter().find(fits).expect("a second fits");
        write!(out, "{}{unit}", seconds / length)
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = String::deserialize(source)?;
        let wrong =
            || de::Error::custom(format!("`{text}` is not a span of time such as \"2d\", \"36h\" or \"1w\""));
        let span: Span = text.parse().map_err(|_| wrong())?;
        let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
        if duration.is_negative() || duration > SignedDuration::from_hours(24 * LONGEST_DAYS) {
            return Err(wrong());
        }
        Ok(Self(duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_write_them() {
        let read = |text: &str| serde_json::from_value::<Period>(text.into());
        assert_eq!(read("2d").unwrap(), Period(SignedDuration::from_hours(48)));
        for text in ["2d", "36h", "5m", "1s", "0d"] {
            assert_eq!(read(text).unwrap().to_string(), text);
        }
        assert_eq!(read("1w").unwrap(), Period(SignedDuration::from_hours(7 * 24)));
        for wrong in ["soon", "-1d", "", "90000d", "1mo"] {
            assert!(read(wrong).unwrap_err().to_string().contains("span of time"), "{wrong}");
        }
    }
}
