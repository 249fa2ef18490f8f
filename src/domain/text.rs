//! Free text on its way from one system's editor to another's.

/// The most letters of a text that is copied: far beyond what people write, and short enough for every editor.
pub const LONGEST_TEXT: usize = 20_000;

/// Rich text as plain text: tags go, line breaks stay, and nothing is left that a browser would run. What merely looks
/// like a tag is kept in a form that it cannot be taken for one.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['<', '&']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = if rest.starts_with('<') { tag(rest, &mut out) } else { entity(rest, &mut out) };
    }
    out.push_str(rest);
    tidy(&out)
}

/// Passes over a tag; what it stands for is written.
fn tag<'a>(text: &'a str, out: &mut String) -> &'a str {
    let after = &text[1..];
    let is_tag =
        after.starts_with(|letter: char| letter.is_ascii_alphabetic() || matches!(letter, '/' | '!' | '?'));
    if !is_tag {
        // "5 < 6": no browser takes this for a tag, whatever is passed over behind it.
        let is_apart = after.starts_with(|letter: char| matches!(letter, ' ' | '\n' | '=' | '0'..='9'));
        out.push_str(if is_apart { "<" } else { "&lt;" });
        return after;
    }
    if let Some(comment) = after.strip_prefix("!--") {
        return comment.find("-->").map_or("", |end| &comment[end + 3..]);
    }
    let Some(end) = after.find('>') else {
        out.push_str("&lt;");
        return after;
    };
    let name: String = after[..end]
        .trim_start_matches('/')
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_ascii_lowercase();
    let rest = &after[end + 1..];
    match name.as_str() {
        "script" | "style" | "iframe" | "object" | "template" if !after.starts_with('/') => {
            let close = format!("</{name}");
            let lower = rest.to_ascii_lowercase();
            let Some(at) = lower.find(&close) else { return "" };
            rest[at..].find('>').map_or("", |end| &rest[at + end + 1..])
        }
        "br" | "p" | "div" | "tr" | "h1" | "h2" | "h3" | "h4" | "blockquote" => {
            out.push('\n');
            rest
        }
        "li" => {
            out.push_str(if after.starts_with('/') { "" } else { "\n- " });
            rest
        }
        _ => rest,
    }
}

/// Decodes what cannot become a tag by it.
fn entity<'a>(text: &'a str, out: &mut String) -> &'a str {
    const KNOWN: [(&str, &str); 6] = [
        ("&nbsp;", " "),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&apos;", "'"),
        ("&ndash;", "–"),
        ("&mdash;", "—"),
    ];
    for (written, meant) in KNOWN {
        if let Some(rest) = text.strip_prefix(written) {
            out.push_str(meant);
            return rest;
        }
    }
    out.push('&');
    &text[1..]
}

/// No control characters, no more than one empty line, none at either end.
fn tidy(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.split('\n') {
        let line: String = line.chars().filter(|letter| !letter.is_control() || *letter == '\t').collect();
        let line = line.trim_end().to_owned();
        if !(line.is_empty() && lines.last().is_none_or(String::is_empty)) {
            lines.push(line);
        }
    }
    lines.join("\n").trim().to_owned()
}

/// The text, cut where it is longer than any editor takes, with a word about where the rest is.
pub fn shortened(text: String, whole: &str) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((at, _)) => format!("{}…\n(shortened: the whole text is in {whole})", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rich_text_becomes_plain_text() {
        for (rich, expected) in [
            ("<p>Called <b>back</b>.</p><p>No answer.</p>", "Called back.\n\nNo answer."),
            ("one<br/>two<ul><li>a</li><li>b</li></ul>", "one\ntwo\n- a\n- b"),
            ("<script>alert('x')</script>hello", "hello"),
            ("<STYLE>p{}</STYLE >x", "x"),
            ("<img src=x onerror=alert(1)>seen", "seen"),
            ("5 < 6 &amp; 7 > 3", "5 < 6 &amp; 7 > 3"),
            ("&lt;b&gt;", "&lt;b&gt;"),
            ("a&nbsp;b &quot;c&quot;", "a b \"c\""),
            ("cut <b", "cut &lt;b"),
            ("<!-- secret -->shown", "shown"),
            ("\u{0}bell\u{7}", "bell"),
            ("plain\n\n\n\ntext ", "plain\n\ntext"),
        ] {
            assert_eq!(plain(rich), expected, "{rich}");
        }
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        let long = "ä".repeat(LONGEST_TEXT + 1);
        let cut = shortened(long, "CASEpeer");
        assert!(cut.ends_with("(shortened: the whole text is in CASEpeer)"));
        assert_eq!(shortened("short".into(), "CASEpeer"), "short");
    }

    proptest! {
        /// Nothing that a browser would take for a tag is left.
        #[test]
        fn no_tag_is_left(text in "[<>/!a-c &;s-]{0,40}") {
            let plain = plain(&text);
            let mut rest = plain.as_str();
            while let Some(at) = rest.find('<') {
                rest = &rest[at + 1..];
                let opens = rest.starts_with(|letter: char| letter.is_ascii_alphabetic() || "/!?".contains(letter));
                prop_assert!(!opens, "{:?} became {:?}", text, plain);
            }
        }
    }
}
