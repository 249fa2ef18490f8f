//! What both systems know about a person, in one form, so that two values are equal exactly when they mean the same.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use super::{Field, FieldName};

/// What stands among the channels that are forbidden for "may be reached again", once one was.
pub const MAY_BE_REACHED: &str = "none";

/// The values of a person's fields, each in its canonical form. A field without a value is absent, never empty.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fields(BTreeMap<FieldName, String>);

impl Fields {
    /// Puts a value into its canonical form and keeps it; blank text clears nothing and adds nothing.
    pub fn set(&mut self, name: impl Into<FieldName>, raw: &str) {
        let name = name.into();
        let value = match name {
            FieldName::Known(Field::Email) => Email::parse(raw).map_or_else(|| tidy(raw), |email| email.0),
            FieldName::Known(Field::Phone) => Phone::parse(raw).map_or_else(|| tidy(raw), |phone| phone.0),
            FieldName::Known(Field::DateOfBirth | Field::DateOfLoss | Field::SignedAt) => date(&tidy(raw)),
            _ => tidy(raw),
        };
        if !value.is_empty() {
            self.0.insert(name, value);
        }
    }

    /// [`Fields::set`] for a value that may be missing.
    pub fn set_if_some(&mut self, field: impl Into<FieldName>, raw: Option<&str>) {
        if let Some(raw) = raw {
            self.set(field, raw);
        }
    }

    /// The same fields with one more.
    #[must_use]
    pub fn with(mut self, field: impl Into<FieldName>, raw: &str) -> Self {
        self.set(field, raw);
        self
    }

    /// One value.
    pub fn get(&self, field: Field) -> Option<&str> {
        self.value(&FieldName::Known(field))
    }

    /// One value, of any field.
    pub fn value(&self, name: &FieldName) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Drops one value.
    pub fn remove(&mut self, name: impl Into<FieldName>) {
        self.0.remove(&name.into());
    }

    /// Keeps a value that is already canonical, as when it was read from the other side.
    pub fn put(&mut self, name: impl Into<FieldName>, value: String) {
        self.0.insert(name.into(), value);
    }

    /// Keeps only the values that `keeps` says yes to.
    pub fn retain(&mut self, mut keeps: impl FnMut(&FieldName, &str) -> bool) {
        self.0.retain(|name, value| keeps(name, value));
    }

    /// Takes over every value of `newer`.
    pub fn overlay(&mut self, newer: &Self) {
        for (field, value) in &newer.0 {
            match self.0.entry(field.clone()) {
                Entry::Occupied(mut slot) => slot.get_mut().clone_from(value),
                Entry::Vacant(slot) => drop(slot.insert(value.clone())),
            }
        }
    }

    /// The fields that have a value.
    pub fn iter(&self) -> impl Iterator<Item = (&FieldName, &str)> {
        self.0.iter().map(|(name, value)| (name, value.as_str()))
    }

    /// Whether no field has a value.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a person can be reached: CASEpeer's contract requires a phone or an e-mail.
    pub fn is_reachable(&self) -> bool {
        self.get(Field::Email).is_some() || self.get(Field::Phone).is_some()
    }
}

impl std::fmt::Debug for Fields {
    /// Names the fields, never their values: these are people.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_set().entries(self.0.keys().map(FieldName::title)).finish()
    }
}

/// Unicode in its compatible composed form (full-width digits become digits), runs of white space as one space.
fn tidy(raw: &str) -> String {
    raw.nfkc().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A day as `YYYY-MM-DD`, also if it comes with a time or in the American order; anything else as it is.
fn date(text: &str) -> String {
    let american = || jiff::civil::Date::strptime("%m/%d/%Y", text).ok();
    let whole = || text.get(..10).and_then(|day| day.parse::<jiff::civil::Date>().ok());
    // HighLevel's date fields come in milliseconds, too.
    let counted = || {
        let millis = text.parse().ok().filter(|millis: &i64| millis.abs() > 99_999_999)?;
        Some(jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::from_millisecond(millis).ok()?).date())
    };
    whole().or_else(american).or_else(counted).map_or_else(|| text.to_owned(), |day| day.to_string())
}

/// An e-mail address, lower-cased: mailboxes that differ only by case are the same person's in practice.
#[derive(Clone, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// Reads an address (RFC 5321 syntax); no dots or plus parts are removed, since merging two people is worse
    /// than missing a match.
    pub fn parse(raw: &str) -> Option<Self> {
        let text = tidy(raw).to_lowercase();
        email_address::EmailAddress::is_valid(&text).then_some(Self(text))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A telephone number in E.164 form.
#[derive(Clone, PartialEq, Eq)]
pub struct Phone(String);

impl Phone {
    /// Reads a number; without a country code it is taken as one of the United States.
    pub fn parse(raw: &str) -> Option<Self> {
        let text = tidy(raw);
        let number = phonenumber::parse(Some(phonenumber::country::US), text).ok()?;
        let e164 = number.format().mode(phonenumber::Mode::E164).to_string();
        // "Possible" is enough: 555 numbers are not "valid", yet people type them and both systems keep them.
        (8..=16).contains(&e164.len()).then_some(Self(e164))
    }

    /// The number.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Splits a full name where a person would see the rule: the last word is the last name.
pub fn split_name(full: &str) -> (Option<String>, Option<String>) {
    let tidied = tidy(full);
    match tidied.rsplit_once(' ') {
        Some((first, last)) => (Some(first.to_owned()), Some(last.to_owned())),
        None if tidied.is_empty() => (None, None),
        None => (Some(tidied), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_mean_the_same_are_equal() {
        for (field, left, right) in [
            (Field::Phone, "(512) 555-0100", "+15125550100"),
            (Field::Phone, "５１２ 555 0100", "+1 512-555-0100"),
            (Field::Email, " Ada@Example.COM ", "ada@example.com"),
            (Field::FirstName, "Ada  Maria", " Ada Maria"),
        ] {
            let value = |raw| Fields::default().with(field, raw);
            assert!(value(left) == value(right), "{left} and {right}");
        }
    }

    #[test]
    fn blank_text_is_no_value() {
        assert!(Fields::default().with(Field::City, " \u{a0} ").is_empty());
    }

    #[test]
    fn what_cannot_be_read_as_a_number_is_kept_as_it_is() {
        assert_eq!(Fields::default().with(Field::Phone, "ext. 12").get(Field::Phone), Some("ext. 12"));
    }

    #[test]
    fn debug_output_names_no_person() {
        let shown = format!("{:?}", Fields::default().with(Field::FirstName, "Ada"));
        assert_eq!(shown, "{\"first name\"}");
    }

    #[test]
    fn the_last_word_is_the_last_name() {
        assert_eq!(split_name("Ada Maria Byron"), (Some("Ada Maria".into()), Some("Byron".into())));
        assert_eq!(split_name("Ada"), (Some("Ada".into()), None));
        assert_eq!(split_name("  "), (None, None));
    }
}
