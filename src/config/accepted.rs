//! Secrets that senders prove themselves with, while one is exchanged for another.

use std::fmt;

use jiff::Timestamp;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::Secret;

/// One secret, `{ env = "…" }`, or several that are accepted side by side, `[{ … }, { …, until = "…" }]`, the one to be
/// given out first: a sender that still has the old one is not turned away.
#[derive(Debug, Clone)]
pub struct Accepted(Vec<Secret>);

impl Accepted {
    /// The one that is given out.
    pub fn newest(&self) -> &Secret {
        self.0.first().expect("a list without one is refused")
    }

    /// All of them, also those that have ended.
    pub fn iter(&self) -> impl Iterator<Item = &Secret> {
        self.0.iter()
    }

    /// Those that are accepted at this moment.
    pub fn live(&self, now: Timestamp) -> impl Iterator<Item = &Secret> {
        self.0.iter().filter(move |secret| secret.is_live(now))
    }
}

impl From<Secret> for Accepted {
    fn from(only: Secret) -> Self {
        Self(vec![only])
    }
}

struct OneOrSeveral;

impl<'de> Visitor<'de> for OneOrSeveral {
    type Value = Accepted;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a secret, `{ env = \"NAME\" }` or `{ file = \"/path\" }`, or a list of them")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Accepted, A::Error> {
        Secret::deserialize(de::value::MapAccessDeserializer::new(map)).map(|one| Accepted(vec![one]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Accepted, A::Error> {
        let mut secrets = Vec::new();
        while let Some(secret) = list.next_element()? {
            secrets.push(secret);
        }
        if secrets.is_empty() {
            return Err(de::Error::custom("an empty list: name at least one secret"));
        }
        Ok(Accepted(secrets))
    }

    // The text itself must not be in the error.
    fn visit_str<E: de::Error>(self, _: &str) -> Result<Accepted, E> {
        Err(E::custom(super::secret::NOT_INLINE))
    }
}

impl<'de> Deserialize<'de> for Accepted {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        source.deserialize_any(OneOrSeveral)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Result<Accepted, String> {
        let table: toml::Table = format!("token = {value}").parse().unwrap();
        table["token"].clone().try_into().map_err(|wrong: toml::de::Error| wrong.to_string())
    }

    #[test]
    fn one_or_several_are_accepted_until_they_end() {
        let one = read("{ env = \"PATH\" }").unwrap();
        assert_eq!(one.newest().origin(), Some("variable PATH"));
        let both =
            read("[{ env = \"PATH\" }, { env = \"HOME\", until = \"2026-11-24T13:00:00Z\" }]").unwrap();
        let live = |at: &str| both.live(at.parse().unwrap()).count();
        assert_eq!((both.newest().origin(), both.iter().count()), (Some("variable PATH"), 2));
        assert_eq!((live("2026-11-24T12:59:59Z"), live("2026-11-24T13:00:00Z")), (2, 1));
    }

    #[test]
    fn what_is_no_reference_is_refused_in_words_without_it() {
        for (wrong, words) in [
            ("[]", "an empty list: name at least one secret"),
            ("\"hush-hush\"", "a secret does not stand in the file itself"),
            ("[\"hush-hush\"]", "a secret does not stand in the file itself"),
            ("{ var = \"hush-hush\" }", "write `{ env = \"NAME\" }` or `{ file = \"/path\" }`"),
            ("{ env = \"CASEBRIDGE_NO_SUCH\" }", "the environment variable CASEBRIDGE_NO_SUCH is not set"),
            ("7", "or a list of them"),
        ] {
            let refused = read(wrong).unwrap_err();
            assert!(refused.contains(words) && !refused.contains("hush"), "{wrong}: {refused}");
        }
    }
}
