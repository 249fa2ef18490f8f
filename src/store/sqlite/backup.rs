//! A copy of the database as one file, made while it is used; and the way back.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::file::BUSY_TIMEOUT;
use super::{ServeLock, migrations};
use crate::crypto::Keyring;

/// Why nothing was backed up or restored.
#[derive(Debug, thiserror::Error)]
pub enum CannotBackUp {
    /// A file cannot be read or written.
    #[error("{path}: {why}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system or SQLite says.
        why: String,
    },
    /// Something is there already.
    #[error("{0} is there already")]
    Exists(PathBuf),
    /// The file is not a whole database of ours.
    #[error("{path} is not a whole backup: {why}")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It was sealed with keys that are not configured.
    #[error("{path}: {why}")]
    Sealed {
        /// Which file.
        path: PathBuf,
        /// Which key.
        why: crate::crypto::CannotOpen,
    },
    /// A newer build made it.
    #[error("{path} has schema {found}, this build knows up to {}: run the newer build", migrations::KNOWN)]
    TooNew {
        /// Which file.
        path: PathBuf,
        /// Its schema.
        found: usize,
    },
    /// The database is being used.
    #[error("{0}")]
    InUse(String),
}

/// What a backup holds, all of which was read and found whole.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Backup {
    /// The file.
    pub file: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its schema.
    pub schema: usize,
    /// How many events it holds.
    pub events: u64,
    /// How many links.
    pub links: u64,
}

/// Reading and writing for the owner alone.
const PRIVATE: u32 = 0o600;

/// Copies the database, which may be in use, into a new file that only its owner may read, and reads the copy to its
/// end. What was deleted is not in it. Whoever reads the name of the file finds a whole backup or an empty file.
pub fn back_up(database: &Path, to: &Path, keyring: &Keyring) -> Result<Backup, CannotBackUp> {
    let wrong = |path: &Path, why: io::Error| match why.kind() {
        io::ErrorKind::AlreadyExists => CannotBackUp::Exists(path.to_owned()),
        _ => CannotBackUp::File { path: path.to_owned(), why: why.to_string() },
    };
    // Holds the name, so that nothing that is there is lost.
    create(to).map_err(|why| wrong(to, why))?;
    let part = beside(to, ".part");
    let made = (|| {
        create(&part).map_err(|why| wrong(&part, why))?;
        let failed =
            |why: rusqlite::Error| CannotBackUp::File { path: database.into(), why: why.to_string() };
        let source = open(database, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
        let Some(name) = part.to_str() else {
            let why = "its name is not UTF-8, which SQLite needs".to_owned();
            return Err(CannotBackUp::File { path: part.clone(), why });
        };
        // One snapshot, whoever writes meanwhile; without pages that hold what was deleted.
        source.execute("VACUUM INTO ?", [name]).map_err(failed)?;
        let backup = verify(&part, keyring)?;
        // SQLite does not wait for the disk here.
        settle(&part, to).map_err(|why| wrong(to, why))?;
        Ok(Backup { file: to.to_owned(), ..backup })
    })();
    if made.is_err() {
        // What stands there is empty or half.
        let _ = (std::fs::remove_file(&part), std::fs::remove_file(to));
    }
    made
}

/// Reads a backup to its end: whole, of a schema this build knows, sealed with keys that are configured.
pub fn verify(file: &Path, keyring: &Keyring) -> Result<Backup, CannotBackUp> {
    let path = || file.to_owned();
    let damaged = |why: String| CannotBackUp::Damaged { path: path(), why };
    let bytes = std::fs::metadata(file)
        .map_err(|why| CannotBackUp::File { path: path(), why: why.to_string() })?
        .len();
    if bytes == 0 {
        return Err(damaged("it is empty".into()));
    }
    let sqlite = |why: rusqlite::Error| damaged(why.to_string());
    let connection = open(file, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(sqlite)?;
    let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(sqlite)?;
    let schema = found as usize;
    if schema > migrations::KNOWN {
        return Err(CannotBackUp::TooNew { path: path(), found: schema });
    }
    let mut check = connection.prepare("PRAGMA integrity_check(1)").map_err(sqlite)?;
    let said: String = check.query_row([], |row| row.get(0)).map_err(sqlite)?;
    if said != "ok" {
        return Err(damaged(said));
    }
    let mut select = connection.prepare("SELECT key_id, sealed FROM seal_check").map_err(sqlite)?;
    let known = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).and_then(Iterator::collect);
    let known: Vec<(String, Vec<u8>)> = known.map_err(sqlite)?;
    if known.is_empty() {
        return Err(damaged("it holds no key's check, so it is not a database of this program".into()));
    }
    crate::store::check_seals(keyring, &known).map_err(|why| CannotBackUp::Sealed { path: path(), why })?;
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs);
    let events = count("SELECT count(*) FROM event").map_err(sqlite)?;
    let links = count("SELECT count(*) FROM link").map_err(sqlite)?;
    Ok(Backup { file: path(), bytes, schema, events, links })
}

/// Puts a backup in the database's place, while nobody serves it. A database that is there is kept under another name,
/// which is returned; none may be there unless one is named.
pub fn restore(
    backup: &Path,
    database: &Path,
    kept_as: Option<&Path>,
    keyring: &Keyring,
) -> Result<Backup, CannotBackUp> {
    let _lock = ServeLock::take(database).map_err(CannotBackUp::InUse)?;
    let wrong = |path: &Path, why: io::Error| CannotBackUp::File { path: path.into(), why: why.to_string() };
    let found = verify(backup, keyring)?;
    let is_there = database.try_exists().map_err(|why| wrong(database, why))?;
    match (is_there, kept_as) {
        (true, None) => return Err(CannotBackUp::Exists(database.to_owned())),
        (true, Some(kept)) => {
            fold_in_log(database)?;
            std::fs::hard_link(database, kept).map_err(|why| wrong(kept, why))?;
        }
        (false, _) => {}
    }
    let part = beside(database, ".restore");
    let copied = (|| {
        let _ = std::fs::remove_file(&part);
        let mut file = create(&part)?;
        io::copy(&mut File::open(backup)?, &mut file)?;
        // Root restores for the user who serves: the file is theirs, as its folder is.
        let owner = std::fs::metadata(folder(database))?;
        if owner.uid() != std::fs::metadata(&part)?.uid() {
            std::os::unix::fs::chown(&part, Some(owner.uid()), Some(owner.gid()))?;
        }
        settle(&part, database)
    })();
    copied.map_err(|why| {
        let _ = std::fs::remove_file(&part);
        wrong(database, why)
    })?;
    Ok(Backup { file: database.to_owned(), ..found })
}

/// Brings what stands in the write-ahead log into the database's file, so that the file is all there is: a log that was
/// left would be taken for the restored database's.
fn fold_in_log(database: &Path) -> Result<(), CannotBackUp> {
    // A damaged file is what one restores over: its log goes with it all the same.
    let folded = open(database, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .and_then(|connection| connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)));
    if matches!(folded, Ok(1_i64)) {
        let why = format!("another program is reading {}; end it first", database.display());
        return Err(CannotBackUp::InUse(why));
    }
    for suffix in ["-wal", "-shm"] {
        let log = beside(database, suffix);
        match std::fs::remove_file(&log) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => {
                return Err(CannotBackUp::File { path: log, why: why.to_string() });
            }
            _ => {}
        }
    }
    Ok(())
}

fn open(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(path)
}

/// Gives a written file its name, on disk when this returns.
fn settle(part: &Path, name: &Path) -> io::Result<()> {
    File::open(part)?.sync_all()?;
    std::fs::rename(part, name)?;
    File::open(folder(name))?.sync_all()
}

/// Where a file lies.
fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
