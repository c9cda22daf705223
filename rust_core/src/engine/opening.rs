//! Opening a file: whose it is, what has to be made, and the connections of the engine.
use super::api::{Settings, TableInfo};
use super::failure::{Class, Failure, extended_code, primary_code};
use super::inline_reader::InlineReader;
use super::schema::{self, Content};
use super::shared::Shared;
use super::side_lock::QueueLock;
use super::statement::Session;
use super::wal_index::Header;
use super::{connection, vfs};
use rusqlite::{Connection, ffi};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// The pages that a connection of the callers' threads keeps, as `PRAGMA cache_size` wants it: with SQLite's 2 MiB the index of some
/// 50,000 keys would push itself out.
pub const INLINE_PAGES_KIB: i32 = -16 * 1024;

/// What the two threads start with.
pub struct Opened {
    pub writing: Writing,
    pub reading: Session,
    pub tables: Vec<TableInfo>,
}

pub struct Writing {
    pub session: Session,
    pub header: Option<Header>,
    pub queue: Option<QueueLock>,
}

/// Open the file of this engine; blocks.
pub fn open<J: 'static>(shared: &Shared<J>) -> Result<Opened, Failure> {
    let settings = &shared.settings;
    let path = &settings.path;
    find_or_create(settings)?;
    vfs::install();
    refuse_foreign(path)?;
    let queue = settings.side_lock.filter(|_| !settings.exclusive && !settings.readonly).map(QueueLock::new);
    let fail = |error| translate(error, path);
    let writer = connection::open(settings, settings.busy_timeout).map_err(|error| fail(error.into()))?;
    let tables = prepare_file(&writer, settings, queue.as_ref()).map_err(fail)?;
    let reader = (|| -> Result<_, schema::Error> {
        connection::set_synchronous(&writer, settings.synchronous)?;
        connection::warm_up(&writer)?;
        let reader = connection::open_reading(settings, settings.busy_timeout)?;
        let inline = connection::open_reading(settings, Duration::ZERO)?;
        inline.pragma_update(None, "cache_size", INLINE_PAGES_KIB)?;
        start_inline(shared, inline, Header::of(&writer));
        Ok(reader)
    })()
    .map_err(fail)?;
    let header = Header::of(&writer);
    if let Some(identity) = connection::identity(path) {
        let _ = shared.identity.set(identity); // an engine opens once
    }
    if !settings.exclusive {
        shared.coherence.attach(header);
    }
    let writing = Writing { session: Session::new(writer, &shared.watch), header, queue };
    Ok(Opened { writing, reading: Session::new(reader, &shared.reading_watch()), tables })
}

fn find_or_create(settings: &Settings) -> Result<(), Failure> {
    let path = &settings.path;
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            let message = format!("{} is a directory, not a database file", path.display());
            Err(Failure::new(Class::IsADirectory, message))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !settings.readonly => {
            let mut options = std::fs::OpenOptions::new();
            match options.write(true).create_new(true).mode(0o600).open(path) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(Failure::of_io(&error, path)),
                _ => Ok(()),
            }
        }
        Err(error) => Err(Failure::of_io(&error, path)),
    }
}

/// Refuse what is certainly not ours before SQLite opens it for good: that might replay its journal or move its WAL.
///
/// What cannot be read this way (a new file whose content is still in its WAL, a damaged one) is judged after the real open.
fn refuse_foreign(path: &Path) -> Result<(), Failure> {
    let mut journal = path.as_os_str().to_owned();
    journal.push("-journal");
    if std::fs::metadata(journal).is_ok_and(|found| found.len() > 0) {
        return Ok(()); // a power cut, or another process at work: what is in the file may be half of a change
    }
    let verdict = connection::open_immutable(path).map_err(schema::Error::from).and_then(|c| schema::inspect(&c, path));
    match verdict {
        Err(schema::Error::Refused(failure)) => Err(failure),
        Err(schema::Error::Sqlite(error)) if primary_code(&error) == ffi::SQLITE_NOTADB => {
            Err(translate(error.into(), path))
        }
        _ => Ok(()),
    }
}

/// Make the file one of ours if it is new, and read its tables.
fn prepare_file(
    connection: &Connection,
    settings: &Settings,
    queue: Option<&QueueLock>,
) -> Result<Vec<TableInfo>, schema::Error> {
    let path = &settings.path;
    let content = schema::inspect(connection, path)?;
    if settings.readonly {
        return if content == Content::New { Ok(Vec::new()) } else { schema::tables(connection, path) };
    }
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    if content == Content::New || mode != "wal" {
        let deadline = Instant::now() + settings.busy_timeout;
        let _turn = match queue.map(|queue| queue.take(deadline)) {
            Some(Err(error)) => return Err(Failure::of_io(&error, path).into()),
            Some(Ok(None)) => return Err(locked(path).into()),
            Some(Ok(turn)) => turn,
            None => None,
        };
        schema::switch_to_wal(connection, path, deadline)?;
        schema::initialise(connection, path)?;
    }
    schema::tables(connection, path)
}

pub fn locked(path: &Path) -> Failure {
    let message = format!(
        "{}: other processes were writing for all of busy_timeout; nothing was applied. Try again, or raise busy_timeout",
        path.display()
    );
    Failure::new(Class::Locked, message)
}

fn start_inline<J: 'static>(shared: &Shared<J>, connection: Connection, header: Option<Header>) {
    let reader = InlineReader::new(Session::new(connection, &Arc::default()), header);
    match reader.reason_off() {
        Some(reason) => *shared.nowait_off.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason),
        None => *shared.inline.lock().unwrap_or_else(PoisonError::into_inner) = Some(reader),
    }
}

fn translate(error: schema::Error, path: &Path) -> Failure {
    match error {
        schema::Error::Refused(failure) => failure,
        schema::Error::Sqlite(error) if primary_code(&error) == ffi::SQLITE_NOTADB => {
            let message = format!("{} is not a SQLite database; it was not touched: give another path", path.display());
            Failure::new(Class::NotADatabase, message)
        }
        schema::Error::Sqlite(error) => {
            let system = if extended_code(&error) == ffi::SQLITE_CANTOPEN { permission_errno(path) } else { 0 };
            Failure::of_sqlite(&error, system, path)
        }
    }
}

/// Why the system would not let us open it; SQLite's connection, and with it its errno, is gone.
fn permission_errno(path: &Path) -> i32 {
    std::fs::metadata(path).err().and_then(|error| error.raw_os_error()).unwrap_or(libc::EACCES)
}
