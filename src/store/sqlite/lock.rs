//! One process serves a file.

use std::fs::{File, TryLockError};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

/// Held while a process serves a file: two would process every event twice.
#[derive(Debug)]
pub struct ServeLock {
    file: File,
}

impl ServeLock {
    /// Writes down which keys the process that holds the lock knows, by id.
    pub fn note_keys(&mut self, ids: &[String]) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(ids.join("\n").as_bytes())
    }

    /// The ids of the keys that the process knows which serves this file; none if nobody does.
    pub fn keys_of_holder(database: &Path) -> Option<Vec<String>> {
        let mut path = database.as_os_str().to_owned();
        path.push(".lock");
        let file = File::open(PathBuf::from(&path)).ok()?;
        if file.try_lock_shared().is_ok() {
            return None;
        }
        let text = std::fs::read_to_string(PathBuf::from(path)).unwrap_or_default();
        Some(text.lines().map(str::to_owned).collect())
    }

    /// Takes the lock beside the database file, which the system gives back when the process ends, however it ends.
    pub fn take(database: &Path) -> Result<Self, String> {
        let mut path = database.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        // Not truncated before it is ours: the one who holds it wrote its keys there.
        let file = File::options().create(true).truncate(false).read(true).write(true).open(&path).map_err(
            |error| {
                format!(
                    "{} cannot be written: {error}; see store.url: its directory must exist and be writable",
                    path.display()
                )
            },
        )?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file }),
            Err(TryLockError::WouldBlock) => {
                Err(format!("another `casebridge serve` is using {}; stop it first", database.display()))
            }
            Err(TryLockError::Error(error)) => Err(format!("{} cannot be locked: {error}", path.display())),
        }
    }
}
