//! Telling of words that an account's value maps do not have (`on_unknown = "warn"`).

use std::collections::HashSet;
use std::sync::Mutex;

use crate::operations::casepeer::UnknownWord;

/// How many different words are told of: beyond it something else is wrong, and the figure goes on.
const MOST: usize = 200;

/// What was told. Each word is logged once as long as the program keeps its configuration; every time is counted.
#[derive(Default)]
pub(super) struct Words(Mutex<HashSet<UnknownWord>>);

impl Words {
    /// Tells of these.
    pub(super) fn tell(&self, profile: &str, operation: &'static str, unknown: &[UnknownWord]) {
        for one in unknown {
            metrics::counter!("casebridge_unknown_words_total", "map" => one.map.clone()).increment(1);
            let is_new = {
                let mut told = self.0.lock().expect("nothing panics while it holds the words");
                told.len() < MOST && told.insert(one.clone())
            };
            if is_new {
                let word = one.word.as_deref().map_or("a word".to_owned(), |word| format!("`{word}`"));
                tracing::warn!(
                    profile,
                    operation,
                    field = one.field,
                    "the profile's [values.{}] does not have {word}: it stays as it is; add it to the map",
                    one.map
                );
            }
        }
    }
}
