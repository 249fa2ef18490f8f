//! What a request says, in our own words: kept with its bytes, so that nobody has to read the vendor's form of it back.

use serde::{Deserialize, Serialize};

use super::Intent;
use crate::domain::{Fields, RecordRef};

/// What a request that writes a person's fields says.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Said {
    /// The fields.
    pub fields: Fields,
    /// Of an update: the record that is written to and the one that the values are from.
    pub between: Option<(RecordRef, RecordRef)>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    fields: Fields,
    between: Option<(String, String)>,
}

impl Intent {
    /// What is sealed: the exact bytes, and after a zero byte, which neither JSON nor a form has, what they say.
    pub(super) fn plain(&self) -> Vec<u8> {
        let mut plain = self.body.clone();
        if !self.said.fields.is_empty() {
            let between = self.said.between.as_ref().map(|(to, from)| (to.to_string(), from.to_string()));
            let written = Written { fields: self.said.fields.clone(), between };
            plain.push(0);
            plain.extend(serde_json::to_vec(&written).expect("fields are JSON"));
        }
        plain
    }
}

/// The bytes and what they say, which is not known of what an older build wrote down.
pub(super) fn split(mut plain: Vec<u8>) -> (Vec<u8>, Said) {
    let Some(at) = plain.iter().rposition(|byte| *byte == 0) else { return (plain, Said::default()) };
    let Ok(Written { fields, between }) = serde_json::from_slice(&plain[at + 1..]) else {
        return (plain, Said::default());
    };
    plain.truncate(at);
    let between = between.and_then(|(to, from)| Some((to.parse().ok()?, from.parse().ok()?)));
    (plain, Said { fields, between })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Field, RecordKind};

    #[test]
    fn what_was_said_is_read_back_beside_the_exact_bytes() {
        let fields = Fields::default().with(Field::City, "Austin");
        let contact = RecordRef::highlevel(RecordKind::Contact, "c1");
        let lead = RecordRef::casepeer(RecordKind::Lead, "l1");
        let said = Said { fields, between: Some((contact, lead)) };
        let mut intent = Intent {
            operation: "update-contact",
            body: br#"{"city":"Austin"}"#.to_vec(),
            is_create: false,
            idempotency_key: "k".into(),
            match_keys: Vec::new(),
            said: said.clone(),
        };
        assert!(split(intent.plain()) == (intent.body.clone(), said));
        intent.said = Said::default();
        assert_eq!(intent.plain(), intent.body);
        let bytes = b"no \0 json".to_vec();
        assert!(split(bytes.clone()) == (bytes, Said::default()));
    }
}
