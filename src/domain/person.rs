//! What both systems know about a person, in one form, so that two values are equal exactly when they mean the same.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// A field that exists on both sides and may be kept in step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Given name.
    FirstName,
    /// Family name.
    LastName,
    /// E-mail address.
    Email,
    /// Telephone number.
    Phone,
    /// Street and number.
    Street,
    /// City.
    City,
    /// State or province.
    State,
    /// Postal code.
    PostalCode,
}

impl Field {
    /// Every field, in the order a person would read them.
    pub const ALL: [Self; 8] = [
        Self::FirstName,
        Self::LastName,
        Self::Email,
        Self::Phone,
        Self::Street,
        Self::City,
        Self::State,
        Self::PostalCode,
    ];

    /// The name in words.
    pub fn title(self) -> &'static str {
        match self {
            Self::FirstName => "first name",
            Self::LastName => "last name",
            Self::Email => "e-mail",
            Self::Phone => "phone",
            Self::Street => "street",
            Self::City => "city",
            Self::State => "state",
            Self::PostalCode => "postal code",
        }
    }
}

/// The values of a person's fields, each in its canonical form. A field without a value is absent, never empty.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fields(BTreeMap<Field, String>);

impl Fields {
    /// Puts a value into its canonical form and keeps it; blank text clears nothing and adds nothing.
    pub fn set(&mut self, field: Field, raw: &str) {
        let value = match field {
            Field::Email => Email::parse(raw).map_or_else(|| tidy(raw), |email| email.0),
            Field::Phone => Phone::parse(raw).map_or_else(|| tidy(raw), |phone| phone.0),
            _ => tidy(raw),
        };
        if !value.is_empty() {
            self.0.insert(field, value);
        }
    }

    /// [`Fields::set`] for a value that may be missing.
    pub fn set_if_some(&mut self, field: Field, raw: Option<&str>) {
        if let Some(raw) = raw {
            self.set(field, raw);
        }
    }

    /// The same fields with one more.
    #[must_use]
    pub fn with(mut self, field: Field, raw: &str) -> Self {
        self.set(field, raw);
        self
    }

    /// One value.
    pub fn get(&self, field: Field) -> Option<&str> {
        self.0.get(&field).map(String::as_str)
    }

    /// Drops one value.
    pub fn remove(&mut self, field: Field) {
        self.0.remove(&field);
    }

    /// Keeps a value that is already canonical, as when it was read from the other side.
    pub fn put(&mut self, field: Field, value: String) {
        self.0.insert(field, value);
    }

    /// Takes over every value of `newer`.
    pub fn overlay(&mut self, newer: &Self) {
        for (field, value) in &newer.0 {
            match self.0.entry(*field) {
                Entry::Occupied(mut slot) => slot.get_mut().clone_from(value),
                Entry::Vacant(slot) => drop(slot.insert(value.clone())),
            }
        }
    }

    /// The fields that have a value.
    pub fn iter(&self) -> impl Iterator<Item = (Field, &str)> {
        self.0.iter().map(|(field, value)| (*field, value.as_str()))
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
        out.debug_set().entries(self.0.keys()).finish()
    }
}

/// Unicode in its compatible composed form (full-width digits become digits), runs of white space as one space.
fn tidy(raw: &str) -> String {
    raw.nfkc().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
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
        assert_eq!(shown, "{FirstName}");
    }

    #[test]
    fn the_last_word_is_the_last_name() {
        assert_eq!(split_name("Ada Maria Byron"), (Some("Ada Maria".into()), Some("Byron".into())));
        assert_eq!(split_name("Ada"), (Some("Ada".into()), None));
        assert_eq!(split_name("  "), (None, None));
    }
}
