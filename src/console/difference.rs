//! What changed between two texts, line by line.

use maud::{Markup, html};

/// Lines that are compared at most on each side: a rule or a mapping has far fewer.
const MOST_LINES: usize = 2_000;

/// A line, and whether only the older text has it, only the newer, or both.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Kept(&'a str),
    Gone(&'a str),
    New(&'a str),
}

/// The lines of both texts, in order (their longest common part is kept).
pub(super) fn lines<'a>(old: &'a str, new: &'a str) -> Vec<Line<'a>> {
    let old: Vec<&str> = old.lines().take(MOST_LINES).collect();
    let new: Vec<&str> = new.lines().take(MOST_LINES).collect();
    // How many lines the rests have in common, from each pair of places on.
    let width = new.len() + 1;
    let mut common = vec![0_u16; (old.len() + 1) * width];
    for (row, left) in old.iter().enumerate().rev() {
        for (column, right) in new.iter().enumerate().rev() {
            let at = row * width + column;
            common[at] = match left == right {
                true => common[at + width + 1] + 1,
                false => common[at + width].max(common[at + 1]),
            };
        }
    }
    let (mut row, mut column, mut told) = (0, 0, Vec::new());
    while row < old.len() || column < new.len() {
        let at = row * width + column;
        if row < old.len() && column < new.len() && old[row] == new[column] {
            told.push(Line::Kept(old[row]));
            (row, column) = (row + 1, column + 1);
        } else if column == new.len() || (row < old.len() && common[at + width] >= common[at + 1]) {
            told.push(Line::Gone(old[row]));
            row += 1;
        } else {
            told.push(Line::New(new[column]));
            column += 1;
        }
    }
    told
}

/// What changed, each line with a sign and a word for those who do not see colours.
pub(super) fn shown(old: &str, new: &str) -> Markup {
    html! {
        pre.difference tabindex="0" {
            @for line in lines(old, new) {
                @match line {
                    Line::Kept(text) => span { "  " (text) "\n" },
                    Line::Gone(text) => del { "- " (text) "\n" },
                    Line::New(text) => ins { "+ " (text) "\n" },
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_is_kept_and_the_rest_told() {
        use Line::{Gone, Kept, New};
        assert_eq!(lines("a\nb\nc", "a\nx\nc\nd"), [Kept("a"), Gone("b"), New("x"), Kept("c"), New("d")]);
        assert_eq!(lines("", "a"), [New("a")]);
        assert_eq!(lines("a", ""), [Gone("a")]);
        assert_eq!(lines("a", "a"), [Kept("a")]);
    }
}
