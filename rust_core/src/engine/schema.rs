//! File format v1: telling our files from others, making new ones, and their tables. `docs/format.md` is its page.
use super::api::TableInfo;
use super::failure::{Class, Failure, is_busy, primary_code};
use rusqlite::{Connection, OptionalExtension, ffi};
use std::path::Path;
use std::time::{Duration, Instant};

const APPLICATION_ID: i64 = 0x6164_7371; // "adsq"
const FORMAT: i64 = 1;
const BUSY_PAUSE: Duration = Duration::from_millis(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// No objects and no application's mark.
    New,
    Ours,
}

/// Either SQLite's word or a refusal of our own.
pub enum Error {
    Sqlite(rusqlite::Error),
    Refused(Failure),
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure)
    }
}

/// Tell whose file it is; only reads.
pub fn inspect(connection: &Connection, path: &Path) -> Result<Content, Error> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    // In this order: who sees another process's new objects sees its marks, which came in the same transaction.
    let objects: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let (application, version) = (number("application_id")?, number("user_version")?);
    if application == APPLICATION_ID {
        return match version {
            FORMAT => Ok(Content::Ours),
            _ => Err(Failure::schema(
                path,
                format_args!("has format {version}; this version reads format {FORMAT}: update it"),
            )
            .into()),
        };
    }
    if application == 0 && objects == 0 {
        return Ok(Content::New);
    }
    Err(foreign(connection, path)?.into())
}

fn foreign(connection: &Connection, path: &Path) -> rusqlite::Result<Failure> {
    let column = |name: &str| format!("EXISTS(SELECT 1 FROM pragma_table_info(s.name) WHERE name = '{name}')");
    let sql = format!(
        "SELECT count(*) FROM sqlite_schema s WHERE s.type = 'table' AND {} AND {}",
        column("key"),
        column("value")
    );
    let like_dictsqlite: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
    Ok(if like_dictsqlite > 0 {
        Failure::schema(path, "is a file of dictsqlite: import it by `python -m asyncdictsqlite import OLD NEW`")
    } else {
        Failure::schema(path, "is a SQLite database of another program; it was not touched: give another path")
    })
}

/// Switch a file of ours (or one that will be) to WAL; two processes that do so at once get "busy" unasked.
pub fn switch_to_wal(connection: &Connection, path: &Path, deadline: Instant) -> Result<(), Error> {
    connection.execute_batch("PRAGMA page_size = 4096")?;
    loop {
        match connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0)) {
            Ok(mode) if mode.eq_ignore_ascii_case("wal") => return Ok(()),
            Ok(mode) => {
                let message = format!("{}: the file system allows no WAL (journal mode {mode})", path.display());
                return Err(Failure::new(Class::Storage, message).into());
            }
            Err(error) if is_busy(&error) && Instant::now() < deadline => std::thread::sleep(BUSY_PAUSE),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Make an empty database one of ours, unless another process just did.
pub fn initialise(connection: &Connection, path: &Path) -> Result<(), Error> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let made = inspect(connection, path).and_then(|content| match content {
        Content::Ours => Ok(()),
        Content::New => Ok(connection.execute_batch(&format!(
            "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT};
             CREATE TABLE adsq_meta(table_name TEXT PRIMARY KEY NOT NULL, storage_mode TEXT NOT NULL, format INTEGER NOT NULL)"
        ))?),
    });
    match made.and_then(|()| Ok(connection.execute_batch("COMMIT")?)) {
        Ok(()) => Ok(()),
        Err(error) => {
            let _ = connection.execute_batch("ROLLBACK");
            Err(error)
        }
    }
}

/// The tables of a file of ours, each checked against its description.
pub fn tables(connection: &Connection, path: &Path) -> Result<Vec<TableInfo>, Error> {
    let encoding: String = connection.pragma_query_value(None, "encoding", |row| row.get(0))?;
    if encoding != "UTF-8" {
        return Err(
            Failure::schema(path, format_args!("is encoded in {encoding}; this version reads UTF-8 only")).into()
        );
    }
    let described = (|| {
        let mut statement =
            connection.prepare("SELECT table_name, storage_mode, format FROM adsq_meta ORDER BY table_name")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        rows.collect::<rusqlite::Result<Vec<(String, String, i64)>>>()
    })();
    let described = described.map_err(|error| match primary_code(&error) {
        ffi::SQLITE_ERROR => Error::from(Failure::schema(path, "bears our mark, but its adsq_meta is not of format 1")),
        _ => error.into(),
    })?;
    described
        .into_iter()
        .map(|(name, storage_mode, format)| {
            if format != FORMAT {
                return Err(Failure::schema(
                    path,
                    format_args!("has table {name:?} in format {format}: update this package"),
                )
                .into());
            }
            check_shape(connection, path, &name)?;
            Ok(TableInfo { name, storage_mode })
        })
        .collect()
}

type Column = (String, String, i64, i64);

fn check_shape(connection: &Connection, path: &Path, table: &str) -> Result<(), Error> {
    let mut statement = connection.prepare("SELECT name, type, \"notnull\", pk FROM pragma_table_info(?1)")?;
    let rows = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    let columns = rows.collect::<rusqlite::Result<Vec<Column>>>()?;
    let shape: Vec<_> =
        columns.iter().map(|(name, kind, not_null, key)| (name.as_str(), kind.as_str(), *not_null, *key)).collect();
    if shape == [("key", "TEXT", 1, 1), ("value", "BLOB", 1, 0), ("expires_ms", "INTEGER", 0, 0)] {
        return Ok(());
    }
    let what = if shape.is_empty() { "describes a table that is not there" } else { "has a table of another shape" };
    Err(Failure::schema(path, format_args!("{what}: {table:?}. It was not touched: choose another table name")).into())
}

/// Make a table inside a write transaction; returns the storage mode of one that is there already.
pub fn create(connection: &Connection, path: &Path, table: &str, storage_mode: &[u8]) -> Result<Option<String>, Error> {
    let there = mode_of(connection, table)?;
    if there.is_some() {
        check_shape(connection, path, table)?;
        return Ok(there);
    }
    let sql = "SELECT name FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE";
    match connection.query_row(sql, [table], |row| row.get::<_, String>(0)).optional()? {
        None => {}
        Some(name) if name == table => {
            let what = format_args!("has a table {table:?} that is none of ours: choose another table name");
            return Err(Failure::schema(path, what).into());
        }
        Some(name) => {
            let message =
                format!("table name {table:?} differs from the existing {name:?} in case only: use that, or another");
            return Err(Failure::new(Class::InvalidTableName, message).into());
        }
    }
    connection.execute_batch(&format!(
        "CREATE TABLE \"{table}\"(key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL, expires_ms INTEGER)"
    ))?;
    let mode = String::from_utf8_lossy(storage_mode);
    connection.execute("INSERT INTO adsq_meta VALUES(?1, ?2, ?3)", (table, mode.as_ref(), FORMAT))?;
    Ok(None)
}

/// Remove a table inside a write transaction; returns its storage mode if it was there.
pub fn drop_table(connection: &Connection, table: &str) -> rusqlite::Result<Option<String>> {
    let there = mode_of(connection, table)?;
    if there.is_some() {
        connection.execute("DELETE FROM adsq_meta WHERE table_name = ?1", [table])?;
        connection.execute_batch(&format!("DROP TABLE IF EXISTS \"{table}\""))?;
    }
    Ok(there)
}

pub fn is_there(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    connection.query_row(sql, [table], |row| Ok(row.get::<_, i64>(0)? > 0))
}

fn mode_of(connection: &Connection, table: &str) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT storage_mode FROM adsq_meta WHERE table_name = ?1";
    connection.query_row(sql, [table], |row| row.get(0)).optional()
}
