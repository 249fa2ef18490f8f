//! What verbs print.

use std::io::Write;

use super::failure::Failure;

/// Prints data. A reader that has gone, such as `head`, is no failure. What a sender wrote may stand in it: characters
/// that would steer a terminal are shown as a mark.
pub(super) fn say(text: &str) -> Result<(), Failure> {
    let plain: String =
        text.chars().map(|one| if one.is_control() && one != '\n' { '\u{fffd}' } else { one }).collect();
    match writeln!(std::io::stdout().lock(), "{plain}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(error.to_string()))
        }
        _ => Ok(()),
    }
}

/// Prints one JSON value.
pub(super) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    say(&serde_json::to_string(value).expect("rows are JSON"))
}

/// Says something beside the data.
pub(super) fn note(text: &str) {
    // With standard error closed there is nobody left to tell.
    let _ = writeln!(std::io::stderr().lock(), "note: {text}");
}
