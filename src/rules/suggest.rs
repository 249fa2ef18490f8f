//! The word that a person probably meant.

/// The most letters that a slip of the pen changes.
const SLIP: usize = 3;

/// The candidate nearest to a word, unless it is another word altogether.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let distances = candidates.into_iter().map(|one| (distance(&word, &one.to_lowercase()), one));
    let (distance, found) = distances.min()?;
    (distance <= SLIP && distance < found.len().min(word.len()).max(1)).then_some(found)
}

/// `; did you mean …?`, or nothing.
pub(crate) fn hint<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map(|found| format!("; did you mean `{found}`?")).unwrap_or_default()
}

/// How many letters are to be put in, left out or exchanged (Levenshtein's distance).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, letter) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (place, other) in right.iter().enumerate() {
            let exchanged = diagonal + usize::from(letter != *other);
            diagonal = row[place + 1];
            row[place + 1] = exchanged.min(diagonal + 1).min(row[place] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["city", "state", "postal_code"];
        assert_eq!(nearest("citty", known), Some("city"));
        assert_eq!(nearest("Postalcode", known), Some("postal_code"));
        assert_eq!(nearest("eye_colour", known), None);
        assert_eq!(nearest("x", known), None);
    }
}
