//! Connections, opened the way the contract wants them.
use super::api::{Settings, Synchronous};
use super::shared::Shared;
use rusqlite::{Connection, OpenFlags};
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::PoisonError;
use std::time::Duration;

/// Open the file of these settings; it is there already.
pub fn open(settings: &Settings, busy_timeout: Duration) -> rusqlite::Result<Connection> {
    let access = if settings.readonly { OpenFlags::SQLITE_OPEN_READ_ONLY } else { OpenFlags::SQLITE_OPEN_READ_WRITE };
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = if settings.exclusive {
        Connection::open_with_flags_and_vfs(&settings.path, flags, c"unix-excl")?
    } else {
        Connection::open_with_flags(&settings.path, flags)?
    };
    connection.busy_timeout(busy_timeout)?;
    connection.execute_batch(
        "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA wal_autocheckpoint = 0",
    )?;
    Ok(connection)
}

/// Open one that only reads, next to one that has the file open.
pub fn open_reading(settings: &Settings, busy_timeout: Duration) -> rusqlite::Result<Connection> {
    let connection = open(settings, busy_timeout)?;
    set_synchronous(&connection, settings.synchronous)?;
    connection.pragma_update(None, "query_only", true)?;
    warm_up(&connection)?;
    Ok(connection)
}

/// Which file has this path now: device and inode.
pub fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// Open one more that only reads, later. None: it cannot be, or there is another file by that name now. To open that one
/// would be worse than to read it: SQLite would take the wal-index by that name for its own, and begin it anew.
pub fn open_another<J>(shared: &Shared<J>, busy_timeout: Duration) -> Option<Connection> {
    let settings = &shared.settings;
    if shared.identity.get() != identity(&settings.path).as_ref() {
        return None;
    }
    let _turn = shared.index.lock().unwrap_or_else(PoisonError::into_inner); // no file of it is watched yet
    open_reading(settings, busy_timeout).ok()
}

/// Read something: opens the WAL and its index.
pub fn warm_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
}

/// Open for reading only, without locks and without a look at a WAL or a journal: changes nothing on the disk.
pub fn open_immutable(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let escaped = path.as_os_str().as_bytes().iter().fold(String::new(), |mut escaped, &byte| {
        if byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte) {
            escaped.push(byte as char);
        } else {
            let _ = write!(escaped, "%{byte:02x}"); // a String takes everything
        }
        escaped
    });
    Connection::open_with_flags(format!("file://{escaped}?immutable=1"), flags)
}

/// What a commit of this connection waits for.
pub fn set_synchronous(connection: &Connection, synchronous: Synchronous) -> rusqlite::Result<()> {
    let value = match synchronous {
        Synchronous::Full => "FULL",
        Synchronous::Normal => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", value)
}
