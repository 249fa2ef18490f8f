//! How a verb fails: a message, a hint, an exit code.

use std::io::Write;
use std::process::ExitCode;

use crate::store::StoreError;

/// A verb that did not do what was asked.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    message: String,
    hint: Option<String>,
}

impl Failure {
    /// It failed.
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self { code: 1, message: message.into(), hint: None }
    }

    /// It was asked in a way that makes no sense.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self { code: 2, message: message.into(), hint: None }
    }

    /// It may work later (EX_TEMPFAIL of sysexits.h).
    pub(super) fn try_again(message: impl Into<String>) -> Self {
        Self { code: 75, message: message.into(), hint: None }
    }

    /// The configuration is wrong (EX_CONFIG of sysexits.h).
    pub(super) fn configuration(message: impl Into<String>) -> Self {
        Self { code: 78, message: message.into(), hint: None }
    }

    /// The same with what to do about it.
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    pub(super) fn report(self) -> ExitCode {
        let mut out = std::io::stderr().lock();
        // With standard error closed there is nobody left to tell.
        let _ = writeln!(out, "error: {}", self.message);
        if let Some(hint) = self.hint {
            let _ = writeln!(out, "hint: {hint}");
        }
        ExitCode::from(self.code)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.message)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::try_again(error.to_string()),
            StoreError::Sealed(_) => Self::configuration(error.to_string())
                .hint("list the key that sealed it in crypto.keys, after the active one"),
            StoreError::Corrupt(_) | StoreError::Gone(_) => Self::failed(error.to_string()),
        }
    }
}
