//! The firm's time zone, by which a day without a time is read.

use jiff::civil::{Date, DateTime};
use jiff::tz;
use jiff::{Timestamp, ZonedDateTime};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A time zone of the IANA database, which is built in.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeZone(tz::TimeZone);

/// When a task is due that is due on a day: the end of office hours.
const END_OF_DAY: i8 = 17;

impl TimeZone {
    /// The moment that a vendor wrote as a moment, as a local time, or as a day.
    pub fn moment(&self, written: &str) -> Option<Timestamp> {
        if let Ok(moment) = written.parse::<Timestamp>() {
            return Some(moment);
        }
        let has_time = written.contains([':']);
        let local = match written.parse::<DateTime>() {
            Ok(local) if has_time => local,
            _ => written.parse::<Date>().ok()?.at(END_OF_DAY, 0, 0, 0),
        };
        self.0.to_timestamp(local).ok()
    }

    /// A moment as the clocks there show it.
    pub fn local(&self, moment: Timestamp) -> ZonedDateTime {
        moment.to_zoned_datetime(self.0.clone())
    }

    /// A moment as the firm's people would write it.
    pub fn words(&self, moment: Timestamp) -> String {
        moment.to_zoned_datetime(self.0.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
    }
}

impl Default for TimeZone {
    fn default() -> Self {
        Self(tz::TimeZone::UTC)
    }
}

impl Serialize for TimeZone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.iana_name().unwrap_or("UTC").serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TimeZone {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let name = String::deserialize(source)?;
        let found = tz::TimeZone::get(&name);
        found.map(Self).map_err(|_| {
            de::Error::custom(format!("`{name}` is no time zone such as \"America/Chicago\" or \"UTC\""))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_due_when_the_office_closes_there() {
        let chicago: TimeZone = serde_json::from_value("America/Chicago".into()).unwrap();
        for (written, expected) in [
            ("2026-12-01T15:00:00Z", "2026-12-01T15:00:00Z"),
            ("2026-12-01T15:00:00-05:00", "2026-12-01T20:00:00Z"),
            ("2026-12-01", "2026-12-01T23:00:00Z"),
            ("2026-07-01", "2026-07-01T22:00:00Z"),
            ("2026-12-01 09:30:00", "2026-12-01T15:30:00Z"),
        ] {
            assert_eq!(chicago.moment(written), Some(expected.parse().unwrap()), "{written}");
        }
        assert_eq!(chicago.moment("soon"), None);
        assert_eq!(chicago.words("2026-12-01T15:00:00Z".parse().unwrap()), "2026-12-01 09:00 CST");
        assert!(serde_json::from_value::<TimeZone>("Chicago".into()).is_err());
    }
}
