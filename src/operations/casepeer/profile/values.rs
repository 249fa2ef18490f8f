//! `[values.…]`: our words and the vendor's for the same thing, such as a case type or a priority.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What is done with a word that the map does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnknown {
    /// It goes as it is.
    #[default]
    Keep,
    /// It goes as it is, and the log and a figure say so.
    Warn,
    /// Nothing is sent; on reading, the value is left out.
    Fail,
    /// `default` stands in.
    Default,
}

/// One map.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueMap {
    /// Our word → the vendor's.
    #[serde(default)]
    map: BTreeMap<String, String>,
    /// What is done with another word.
    #[serde(default)]
    pub(super) on_unknown: OnUnknown,
    /// The vendor's word for another one of ours.
    pub(super) default: Option<String>,
}

/// A word that a map with `on_unknown = "warn"` does not have.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UnknownWord {
    /// The map, as in `[values.…]`.
    pub map: String,
    /// Our name of the field that has the word.
    pub field: String,
    /// The word, unless it is of a person or of what is sensitive.
    pub word: Option<String>,
}

/// What a map says of a word.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mapped {
    /// This.
    To(String),
    /// It has no word for it, and none may be sent.
    Unknown,
}

impl ValueMap {
    /// The vendor's word for ours.
    pub(super) fn write(&self, word: &str) -> Mapped {
        let found = self.map.iter().find(|(ours, _)| ours.eq_ignore_ascii_case(word));
        match found {
            Some((_, theirs)) => Mapped::To(theirs.clone()),
            None => self.unknown(word),
        }
    }

    /// Whether a person is told of words that it does not have.
    pub(super) fn warns(&self) -> bool {
        self.on_unknown == OnUnknown::Warn
    }

    /// Whether it has this word of ours.
    pub(super) fn has_ours(&self, word: &str) -> bool {
        self.map.keys().any(|ours| ours.eq_ignore_ascii_case(word))
    }

    /// Whether it has this word of the vendor's.
    pub(super) fn has_theirs(&self, word: &str) -> bool {
        self.map.values().any(|theirs| theirs.eq_ignore_ascii_case(word))
    }

    /// Our word for the vendor's. `default` is a word of theirs, so that on reading it stands for nothing.
    pub(super) fn read(&self, word: &str) -> Mapped {
        let found = self.map.iter().find(|(_, theirs)| theirs.eq_ignore_ascii_case(word));
        match (found, self.on_unknown) {
            (Some((ours, _)), _) => Mapped::To(ours.clone()),
            (None, OnUnknown::Fail) => Mapped::Unknown,
            (None, _) => Mapped::To(word.to_owned()),
        }
    }

    fn unknown(&self, word: &str) -> Mapped {
        match self.on_unknown {
            OnUnknown::Keep | OnUnknown::Warn => Mapped::To(word.to_owned()),
            OnUnknown::Fail => Mapped::Unknown,
            OnUnknown::Default => self.default.clone().map_or(Mapped::Unknown, Mapped::To),
        }
    }

    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.on_unknown == OnUnknown::Default && self.default.is_none() {
            return Err("`on_unknown = \"default\"` needs `default`, the word that stands in");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_with_an_unknown_word() {
        let to = |word: &str| Mapped::To(word.into());
        for (on_unknown, sent, read) in [
            ("keep", to("Boat"), to("Boat")),
            ("warn", to("Boat"), to("Boat")),
            ("fail", Mapped::Unknown, Mapped::Unknown),
            ("default", to("Other"), to("Boat")),
        ] {
            let text = format!(
                "on_unknown = {on_unknown:?}\ndefault = \"Other\"\nmap = {{ \"Auto Accident\" = \"MVA\" }}"
            );
            let map: ValueMap = toml::from_str(&text).unwrap();
            assert_eq!(map.write("auto accident"), to("MVA"));
            assert_eq!(map.read("MVA"), to("Auto Accident"));
            assert_eq!(map.write("Boat"), sent, "{on_unknown}");
            assert_eq!(map.read("Boat"), read, "{on_unknown}");
        }
    }
}
