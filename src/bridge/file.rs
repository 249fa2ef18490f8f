//! How the configuration file stands, for somebody who waits for a change of theirs to be in force.

use std::sync::PoisonError;

use super::Bridge;

/// How the file stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileState {
    /// Where it is; none where the program does not watch one.
    pub path: Option<String>,
    /// Why its last change was refused, if it was: what was in force before still is.
    pub refused: Option<String>,
    /// The changed keys that wait for a restart.
    pub needs_restart: Vec<String>,
}

impl Bridge {
    /// Says how the file stands now.
    pub fn note_file(&self, state: FileState) {
        *self.file.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// How the file stands.
    pub fn file(&self) -> FileState {
        self.file.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
