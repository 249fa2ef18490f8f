//! What was probably meant.

use super::files;

/// How alike two names must be for one to be suggested for the other, from 0 to 1.
const ALIKE: f64 = 0.7;

/// The candidate most like a name. Case, dots, dashes and underscores make no difference.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = plain(name);
    let alike = candidates
        .into_iter()
        .map(|candidate| (strsim::normalized_damerau_levenshtein(&name, &plain(candidate)), candidate));
    let (likeness, candidate) = alike.max_by(|left, right| left.0.total_cmp(&right.0))?;
    (likeness >= ALIKE).then_some(candidate)
}

/// The id most like this one.
pub fn nearest_entry(id: &str) -> Option<&'static str> {
    nearest(id, files::all().iter().map(|entry| entry.id.as_str()))
}

fn plain(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
