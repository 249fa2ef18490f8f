//! Making a vendor's error message safe to keep: it may repeat what it was sent.

/// The most of a message that is kept, in characters.
const LONGEST: usize = 200;

/// The message without anything quoted, any e-mail address, and any number of five digits or more.
pub(super) fn redact(message: &str) -> String {
    let mut quoted = false;
    let mut out = String::new();
    for word in message.split_whitespace() {
        let opens = word.starts_with(['"', '\'', '`']);
        let closes = word.trim_end_matches(['.', ',', ';', ':', ')']).ends_with(['"', '\'', '`']);
        let digits = word.chars().filter(char::is_ascii_digit).count();
        let hide = quoted || opens || word.contains('@') || digits >= 5;
        quoted = (quoted || opens) && !closes;
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(if hide { "…" } else { word });
    }
    out.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn what_names_a_person_is_hidden_and_what_helps_is_kept() {
        assert_eq!(redact("property country should not exist"), "property country should not exist");
        assert_eq!(redact("contact \"Ada Byron\" has ada@example.com, +15125550100"), "contact … … has … …");
    }
}
