//! Comparing names as people write them: accents, titles, nicknames, middle names, slips of the finger.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::nicknames::is_nickname;
use crate::domain::{Field, Fields};

/// Words before a name that are no part of it.
const TITLES: [&str; 6] = ["mr", "mrs", "ms", "miss", "dr", "hon"];
/// Words behind a name that tell a father from his son; `jr` and `ii` are one, and a bare `sr` is the first.
const SUFFIXES: [(&str, u8); 8] =
    [("sr", 1), ("senior", 1), ("i", 1), ("jr", 2), ("junior", 2), ("ii", 2), ("iii", 3), ("iv", 4)];

/// A name in parts that can be compared.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct Name {
    first: Vec<String>,
    last: Vec<String>,
    suffix: Option<u8>,
}

/// How two given names agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    Same,
    /// One is short for the other, or another spelling of it.
    Nickname,
    /// One has a middle name more.
    Part,
    /// Two neighbouring letters are swapped: hardly ever another name.
    Transposed,
    /// Alike, as by a slip of the finger; or brothers' and sisters' names.
    Alike,
    /// The same first of several names, the others differ: also what sisters are called.
    SameFirstOnly,
    /// One is only an initial of the other.
    Initial,
    /// One side has none.
    Missing,
    Different,
}

/// How two family names agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Same,
    /// One has a part more, as after a marriage.
    Part,
    /// As by a slip of the finger.
    Alike,
    Missing,
    Different,
}

/// How two suffixes agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Suffix {
    Same,
    OneOnly,
    Different,
}

impl Name {
    pub(super) fn of(fields: &Fields) -> Self {
        let words = |field| words(fields.get(field).unwrap_or_default());
        let (mut first, mut last) = (words(Field::FirstName), words(Field::LastName));
        if first.len() > 1 && TITLES.contains(&first[0].as_str()) {
            first.remove(0);
        }
        let suffix = take_suffix(&mut last).or_else(|| take_suffix(&mut first));
        Self { first, last, suffix }
    }

    pub(super) fn given(&self, other: &Self) -> Given {
        given(&self.first, &other.first)
    }

    pub(super) fn family(&self, other: &Self) -> Family {
        family(&self.last, &other.last)
    }

    pub(super) fn suffix(&self, other: &Self) -> Suffix {
        match (self.suffix, other.suffix) {
            (one, other) if one == other => Suffix::Same,
            (Some(_), Some(_)) => Suffix::Different,
            _ => Suffix::OneOnly,
        }
    }

    /// The same with given and family name exchanged, as some people fill in forms.
    pub(super) fn swapped(&self) -> Self {
        Self { first: self.last.clone(), last: self.first.clone(), suffix: self.suffix }
    }
}

/// Lower-case words without accents; what stands within a word, as an apostrophe, goes.
fn words(text: &str) -> Vec<String> {
    let plain: String = text
        .nfkd()
        .filter(|one| !is_combining_mark(*one) && !matches!(one, '\'' | '\u{2019}' | '.'))
        .flat_map(char::to_lowercase)
        .collect();
    plain
        .split(|one: char| !one.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

fn take_suffix(words: &mut Vec<String>) -> Option<u8> {
    let (_, number) =
        SUFFIXES.iter().find(|(word, _)| words.len() > 1 && words.last().is_some_and(|it| it == word))?;
    words.pop();
    Some(*number)
}

fn given(left: &[String], right: &[String]) -> Given {
    let (Some(one), Some(other)) = (left.first(), right.first()) else { return Given::Missing };
    if left.concat() == right.concat() {
        return Given::Same;
    }
    if one == other {
        return middle(&left[1..], &right[1..]);
    }
    let is_initial = |short: &String, long: &String| short.len() == 1 && long.starts_with(short.as_str());
    if is_initial(one, other) || is_initial(other, one) {
        return Given::Initial;
    }
    if is_nickname(one, other) {
        return Given::Nickname;
    }
    // Maria Elena is Elena to some.
    if left.len() != right.len() && (left[1..].contains(other) || right[1..].contains(one)) {
        return Given::Part;
    }
    like(one, other)
}

/// The same first name, and these behind it.
fn middle(left: &[String], right: &[String]) -> Given {
    let (Some(one), Some(other)) = (left.first(), right.first()) else {
        // A middle initial that the other side leaves out says nothing; a middle name little.
        let is_short = left.iter().chain(right).all(|word| word.len() == 1);
        return if is_short { Given::Same } else { Given::Part };
    };
    let is_same = one.starts_with(other.as_str()) || other.starts_with(one.as_str());
    if is_same { Given::Same } else { Given::SameFirstOnly }
}

fn like(one: &str, other: &str) -> Given {
    let shorter = one.chars().count().min(other.chars().count());
    let distance = strsim::osa_distance(one, other);
    let letters = |name: &str| {
        let mut letters: Vec<char> = name.chars().collect();
        letters.sort_unstable();
        letters
    };
    if distance == 1 && shorter >= 4 && letters(one) == letters(other) {
        return Given::Transposed;
    }
    let is_alike = distance <= 1 && shorter >= 3
        || distance <= 2 && shorter >= 5
        || shorter >= 4 && strsim::jaro_winkler(one, other) >= 0.88;
    if is_alike { Given::Alike } else { Given::Different }
}

fn family(left: &[String], right: &[String]) -> Family {
    if left.is_empty() || right.is_empty() {
        return Family::Missing;
    }
    let (one, other) = (left.concat(), right.concat());
    if one == other {
        return Family::Same;
    }
    let has_all =
        |few: &[String], many: &[String]| few.iter().all(|word| word.len() > 1 && many.contains(word));
    if has_all(left, right) || has_all(right, left) {
        return Family::Part;
    }
    let shorter = one.chars().count().min(other.chars().count());
    let distance = strsim::osa_distance(&one, &other);
    if distance <= 1 && shorter >= 4 || distance <= 2 && shorter >= 8 {
        Family::Alike
    } else {
        Family::Different
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(first: &str, last: &str) -> Name {
        Name::of(&Fields::default().with(Field::FirstName, first).with(Field::LastName, last))
    }

    #[test]
    fn given_names_as_people_write_them() {
        for (left, right, expected) in [
            ("Ada", "ADA", Given::Same),
            ("José", "Jose", Given::Same),
            ("Dr. Ada", "Ada", Given::Same),
            ("Mary Ann", "Maryann", Given::Same),
            ("John A", "John", Given::Same),
            ("John A.", "John Adam", Given::Same),
            ("Bob", "Robert", Given::Nickname),
            ("Paco", "Francisco", Given::Nickname),
            ("Stephen", "Steven", Given::Nickname),
            ("Maria Elena", "Maria", Given::Part),
            ("Maria Elena", "Elena", Given::Part),
            ("Maria Elena", "Maria Isabel", Given::SameFirstOnly),
            ("John A", "John B", Given::SameFirstOnly),
            ("Jonh", "John", Given::Transposed),
            ("Jayden", "Kayden", Given::Alike),
            ("Eric", "Erica", Given::Alike),
            ("J", "John", Given::Initial),
            ("", "John", Given::Missing),
            ("Ada", "Ralph", Given::Different),
        ] {
            assert_eq!(name(left, "").given(&name(right, "")), expected, "{left} and {right}");
            assert_eq!(name(right, "").given(&name(left, "")), expected, "{right} and {left}");
        }
    }

    #[test]
    fn family_names_as_people_write_them() {
        for (left, right, expected) in [
            ("O'Brien", "OBrien", Family::Same),
            ("Garcia-Lopez", "Garcia Lopez", Family::Same),
            ("Garcia", "Garcia Lopez", Family::Part),
            ("Gonzales", "Gonzalez", Family::Alike),
            ("", "Gonzalez", Family::Missing),
            ("Byron", "Lovelace", Family::Different),
        ] {
            assert_eq!(name("", left).family(&name("", right)), expected, "{left} and {right}");
        }
    }

    #[test]
    fn a_father_is_not_his_son() {
        let plain = name("Martin", "King");
        let (father, son) = (name("Martin", "King Sr."), name("Martin", "King, Jr."));
        assert_eq!(father.suffix(&son), Suffix::Different);
        assert_eq!(plain.suffix(&son), Suffix::OneOnly);
        assert_eq!(son.suffix(&name("Martin", "King II")), Suffix::Same);
        assert_eq!(son.family(&plain), Family::Same);
    }
}
