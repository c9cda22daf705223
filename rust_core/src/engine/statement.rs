//! Prepared statements that bind without copying and live beside their connection.
//!
//! rusqlite's `Statement<'conn>` can do neither: it copies each value and borrows the connection.
#![allow(unsafe_code)]
use super::failure::{Failure, primary_code, sqlite_error};
use super::vfs::{Watch, Watched};
use rusqlite::{Connection, ffi};
use std::collections::HashMap;
use std::ffi::c_int;
use std::path::Path;
use std::sync::Arc;

#[derive(Clone, Copy)]
pub enum Bind<'a> {
    Text(&'a [u8]),
    Blob(&'a [u8]),
    Int(i64),
}

pub struct Statement {
    raw: *mut ffi::sqlite3_stmt,
    parameters: usize,
}

// SAFETY: a statement moves between threads only inside its `Session`, together with its connection.
unsafe impl Send for Statement {}

/// The row a statement stands on.
pub struct Columns<'a>(&'a Statement);

impl Columns<'_> {
    /// The bytes of a TEXT or BLOB column.
    pub fn bytes(&self, index: c_int) -> &[u8] {
        // SAFETY: the statement stands on a row while `Columns` exists, and takes no step before it is gone; the blob comes
        // first, since asking for the length after it cannot move it.
        unsafe {
            let data: *const u8 = ffi::sqlite3_column_blob(self.0.raw, index).cast();
            let len = ffi::sqlite3_column_bytes(self.0.raw, index) as usize;
            if len == 0 || data.is_null() { &[] } else { std::slice::from_raw_parts(data, len) }
        }
    }

    /// The bytes of a TEXT column that are UTF-8; None: another program has put something else there.
    pub fn text(&self, index: c_int) -> Option<&[u8]> {
        // SAFETY: as `bytes`.
        let is_text = unsafe { ffi::sqlite3_column_type(self.0.raw, index) == ffi::SQLITE_TEXT };
        let bytes = self.bytes(index);
        (is_text && std::str::from_utf8(bytes).is_ok()).then_some(bytes)
    }

    pub fn is_null(&self, index: c_int) -> bool {
        // SAFETY: as `bytes`.
        unsafe { ffi::sqlite3_column_type(self.0.raw, index) == ffi::SQLITE_NULL }
    }

    pub fn int(&self, index: c_int) -> i64 {
        // SAFETY: as `bytes`.
        unsafe { ffi::sqlite3_column_int64(self.0.raw, index) }
    }
}

/// Ends the use of a statement, also when a callback panics: a statement in use would hold a read transaction.
struct Reset(*mut ffi::sqlite3_stmt);

impl Drop for Reset {
    fn drop(&mut self) {
        // SAFETY: the statement is borrowed by `run`, which this guard does not outlive.
        unsafe { ffi::sqlite3_reset(self.0) };
    }
}

impl Statement {
    fn new(connection: &Connection, sql: &str) -> rusqlite::Result<Self> {
        let mut raw = std::ptr::null_mut();
        // SAFETY: the connection is open while it is borrowed; `sql` is passed with its length.
        let (code, parameters) = unsafe {
            let (text, len) = (sql.as_ptr().cast(), sql.len() as c_int);
            let flags = ffi::SQLITE_PREPARE_PERSISTENT;
            let db = connection.handle();
            let code = ffi::sqlite3_prepare_v3(db, text, len, flags, &raw mut raw, std::ptr::null_mut());
            (code, ffi::sqlite3_bind_parameter_count(raw) as usize)
        };
        if code == ffi::SQLITE_OK { Ok(Self { raw, parameters }) } else { Err(message_of(connection, code)) }
    }

    /// Run with these parameters; `row` tells for each row whether to go on.
    pub fn run(&mut self, binds: &[Bind<'_>], mut row: impl FnMut(&Columns<'_>) -> bool) -> rusqlite::Result<()> {
        if binds.len() != self.parameters {
            return Err(sqlite_error(ffi::SQLITE_MISUSE, None)); // an unbound one would point to freed memory
        }
        let reset = Reset(self.raw);
        for (index, bind) in binds.iter().enumerate() {
            self.check(self.bind(index as c_int + 1, *bind))?;
        }
        loop {
            // SAFETY: the statement is live and used by this thread alone (`&mut self`); what is bound outlives `binds`.
            match unsafe { ffi::sqlite3_step(self.raw) } {
                ffi::SQLITE_ROW if row(&Columns(self)) => {}
                ffi::SQLITE_ROW | ffi::SQLITE_DONE => break,
                code => return self.check(code),
            }
        }
        drop(reset);
        Ok(())
    }

    /// Run to the end and tell how many rows changed.
    pub fn execute(&mut self, binds: &[Bind<'_>]) -> rusqlite::Result<u64> {
        self.run(binds, |_| true)?;
        // SAFETY: the connection of a live statement is open.
        Ok(unsafe { ffi::sqlite3_changes64(ffi::sqlite3_db_handle(self.raw)) } as u64)
    }

    pub fn first<T>(
        &mut self,
        binds: &[Bind<'_>],
        found: impl FnOnce(&Columns<'_>) -> T,
    ) -> rusqlite::Result<Option<T>> {
        let (mut found, mut result) = (Some(found), None);
        self.run(binds, |columns| {
            result = found.take().map(|found| found(columns));
            false
        })?;
        Ok(result)
    }

    fn bind(&self, index: c_int, bind: Bind<'_>) -> c_int {
        let fixed = ffi::SQLITE_STATIC();
        // SAFETY: SQLITE_STATIC: SQLite looks at the bytes only while stepping in `run`, which borrows them; every
        // parameter is bound anew before the next step.
        unsafe {
            match bind {
                Bind::Text(text) => {
                    let utf8 = ffi::SQLITE_UTF8 as u8;
                    ffi::sqlite3_bind_text64(self.raw, index, pointer(text), text.len() as u64, fixed, utf8)
                }
                Bind::Blob(blob) => {
                    ffi::sqlite3_bind_blob64(self.raw, index, pointer(blob).cast(), blob.len() as u64, fixed)
                }
                Bind::Int(number) => ffi::sqlite3_bind_int64(self.raw, index, number),
            }
        }
    }

    fn check(&self, code: c_int) -> rusqlite::Result<()> {
        if code == ffi::SQLITE_OK {
            return Ok(());
        }
        // SAFETY: the message is copied before anything else is done with the connection.
        let message = unsafe { std::ffi::CStr::from_ptr(ffi::sqlite3_errmsg(ffi::sqlite3_db_handle(self.raw))) };
        Err(sqlite_error(code, Some(message.to_string_lossy().into_owned())))
    }
}

/// Never null: SQLite would store NULL for it.
fn pointer(bytes: &[u8]) -> *const std::ffi::c_char {
    bytes.as_ptr().cast()
}

fn message_of(connection: &Connection, code: c_int) -> rusqlite::Error {
    // SAFETY: as `Statement::check`.
    let message = unsafe { std::ffi::CStr::from_ptr(ffi::sqlite3_errmsg(connection.handle())) };
    sqlite_error(code, Some(message.to_string_lossy().into_owned()))
}

impl Drop for Statement {
    fn drop(&mut self) {
        // SAFETY: finalized once, while the connection is open: `Session` drops its statements first.
        unsafe { ffi::sqlite3_finalize(self.raw) };
    }
}

/// What a prepared statement does. Those of a table have the table's name put in.
#[derive(Clone, Copy)]
pub enum Verb {
    Begin,
    BeginImmediate,
    Commit,
    Rollback,
    /// Reads the header of the file: takes the snapshot of a transaction.
    Version,
    Select,
    SelectShort,
    Upsert,
    InsertIfAbsent,
    Delete,
    Any,
    Clear,
    Count,
    Page,
    PageToEnd,
    PageReverse,
    PageReverseToEnd,
    KeysPage,
    KeysPageToEnd,
    KeysPageReverse,
    KeysPageReverseToEnd,
}

const VERBS: usize = Verb::KeysPageReverseToEnd as usize + 1;

/// Above this many bytes a value is not read inline.
pub const LONGEST_INLINE: usize = 256 * 1024;

impl Verb {
    fn sql(self, table: &str) -> String {
        let (key, value) = if table == "adsq_meta" { ("table_name", "storage_mode") } else { ("key", "value") };
        let page = |columns: &str, bounds: &str, order: &str| {
            format!("SELECT {columns} FROM \"{table}\" WHERE {bounds} ORDER BY {key} {order} LIMIT ?2")
        };
        let (open, closed) = (format!("{key} >= ?1"), format!("{key} >= ?1 AND {key} < ?3"));
        let both = format!("{key}, {value}");
        match self {
            Self::Begin => "BEGIN".into(),
            Self::BeginImmediate => "BEGIN IMMEDIATE".into(),
            Self::Commit => "COMMIT".into(),
            Self::Rollback => "ROLLBACK".into(),
            Self::Version => "PRAGMA schema_version".into(),
            Self::Select => format!("SELECT {value} FROM \"{table}\" WHERE {key} = ?1"),
            Self::SelectShort => format!(
                "SELECT CASE WHEN octet_length(value) <= {LONGEST_INLINE} THEN value END FROM \"{table}\" WHERE key = ?1"
            ),
            Self::Upsert => format!(
                "INSERT INTO \"{table}\"(key, value) VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET value = excluded.value"
            ),
            Self::InsertIfAbsent => {
                format!("INSERT INTO \"{table}\"(key, value) VALUES(?1, ?2) ON CONFLICT(key) DO NOTHING")
            }
            Self::Delete => format!("DELETE FROM \"{table}\" WHERE key = ?1"),
            Self::Any => format!("SELECT 1 FROM \"{table}\" LIMIT 1"),
            Self::Clear => format!("DELETE FROM \"{table}\""),
            Self::Count => format!("SELECT count(*) FROM \"{table}\""),
            Self::Page => page(&both, &closed, "ASC"),
            Self::PageToEnd => page(&both, &open, "ASC"),
            Self::PageReverse => page(&both, &closed, "DESC"),
            Self::PageReverseToEnd => page(&both, &open, "DESC"),
            Self::KeysPage => page(key, &closed, "ASC"),
            Self::KeysPageToEnd => page(key, &open, "ASC"),
            Self::KeysPageReverse => page(key, &closed, "DESC"),
            Self::KeysPageReverseToEnd => page(key, &open, "DESC"),
        }
    }
}

type Prepared = [Option<Statement>; VERBS];

/// A connection and its prepared statements; used by one thread at a time.
pub struct Session {
    prepared: Vec<(String, Prepared)>,
    places: HashMap<String, usize>,
    latest: usize,
    connection: Connection, // dropped after its statements
    _watched: Watched,      // last: dropped after the connection
}

impl Session {
    /// Of a connection that has read something, so that all its files are open.
    pub fn new(connection: Connection, watch: &Arc<Watch>) -> Self {
        let watched = Watched::new(&connection, watch);
        Self { prepared: Vec::new(), places: HashMap::new(), latest: 0, connection, _watched: watched }
    }

    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The statement for this verb and table, prepared at its first use.
    pub fn statement(&mut self, verb: Verb, table: &str) -> rusqlite::Result<&mut Statement> {
        if self.prepared.get(self.latest).is_none_or(|(name, _)| name != table) {
            self.latest = self.place_of(table);
        }
        let place = &mut self.prepared[self.latest].1[verb as usize];
        match place {
            Some(statement) => Ok(statement),
            None => Ok(place.insert(Statement::new(&self.connection, &verb.sql(table))?)),
        }
    }

    /// Run a statement that is of no table.
    pub fn control(&mut self, verb: Verb) -> rusqlite::Result<()> {
        self.statement(verb, "")?.execute(&[]).map(drop)
    }

    fn place_of(&mut self, table: &str) -> usize {
        if let Some(&place) = self.places.get(table) {
            return place;
        }
        self.prepared.push((table.to_owned(), [const { None }; VERBS]));
        self.places.insert(table.to_owned(), self.prepared.len() - 1);
        self.prepared.len() - 1
    }

    /// Translate an error of this connection, with the system's reason where there is one.
    pub fn failure(&self, error: &rusqlite::Error, path: &Path) -> Failure {
        let of_system = matches!(primary_code(error), ffi::SQLITE_IOERR | ffi::SQLITE_CANTOPEN);
        // SAFETY: reads a number of the open connection.
        let system = if of_system { unsafe { ffi::sqlite3_system_errno(self.connection.handle()) } } else { 0 };
        Failure::of_sqlite(error, system, path)
    }

    /// Whether a transaction is open.
    pub fn in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }
}
