//! What verbs print.

use std::io::Write;

use super::failure::Failure;

/// Prints data. A reader that has gone, such as `head`, is no failure.
pub(super) fn say(text: &str) -> Result<(), Failure> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(error.to_string()))
        }
        _ => Ok(()),
    }
}

/// Says something beside the data.
pub(super) fn note(text: &str) {
    // With standard error closed there is nobody left to tell.
    let _ = writeln!(std::io::stderr().lock(), "note: {text}");
}
