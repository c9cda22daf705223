//! Every failure, each of the class that the contract names.
use rusqlite::ffi;
use std::ffi::c_int;
use std::path::Path;

/// The error class of the contract that a failure maps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Storage,
    Locked,
    ReadOnly,
    DiskFull,
    Corrupt,
    NotADatabase,
    SchemaMismatch,
    FlushFailed,
    DurabilityUnknown,
    InvalidTableName,
    ValueTooLarge,
    /// The engine has stopped.
    State,
    Closed,
    FileNotFound,
    FileExists,
    IsADirectory,
}

/// What happened, to which file, and what to do.
#[derive(Clone, Debug)]
pub struct Failure {
    pub class: Class,
    pub message: String,
    /// Whether the write took effect; None where that is unknown.
    pub applied: Option<bool>,
}

impl Failure {
    /// A failure that applied nothing.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), applied: Some(false) }
    }

    pub fn unknown(path: &Path, cause: &str) -> Self {
        let message = format!(
            "{}: a sync failed ({cause}): whether the write survives is unknown. The store has stopped; \
             check the disk, then aopen() reopens it",
            path.display()
        );
        Self { class: Class::DurabilityUnknown, message, applied: None }
    }

    pub fn stopped(path: &Path) -> Self {
        let message = format!("{} has stopped after a failed sync; aopen() reopens it", path.display());
        Self::new(Class::State, message)
    }

    pub fn closed(path: &Path) -> Self {
        Self::new(Class::Closed, format!("{} is closed; aopen() opens it again", path.display()))
    }

    pub fn panicked(path: &Path) -> Self {
        let message =
            format!("{}: a thread of the engine panicked; nothing was applied. Please report it", path.display());
        Self::new(Class::Storage, message)
    }

    pub fn readonly(path: &Path) -> Self {
        Self::new(Class::ReadOnly, format!("{} is open for reading only; nothing was applied", path.display()))
    }

    pub fn schema(path: &Path, what: impl std::fmt::Display) -> Self {
        Self::new(Class::SchemaMismatch, format!("{} {what}", path.display()))
    }

    /// The lazy flush failed because of `self`.
    #[must_use]
    pub fn of_flush(self) -> Self {
        let message = format!("{}. The unsaved entries are kept and tried again", self.message);
        Self { class: Class::FlushFailed, message, applied: Some(false) }
    }

    /// Translate an error of SQLite; `system` is the errno behind it, 0 where unknown.
    pub fn of_sqlite(error: &rusqlite::Error, system: c_int, path: &Path) -> Self {
        let class = class_of(extended_code(error), system);
        let detail = if system == 0 {
            error.to_string()
        } else {
            format!("{error}: {}", std::io::Error::from_raw_os_error(system))
        };
        Self::new(class, format!("{}: {detail}{}", path.display(), advice(class)))
    }

    pub fn of_io(error: &std::io::Error, path: &Path) -> Self {
        use std::io::ErrorKind as Is;
        let class = match error.kind() {
            Is::NotFound => Class::FileNotFound,
            Is::AlreadyExists => Class::FileExists,
            Is::IsADirectory => Class::IsADirectory,
            Is::PermissionDenied | Is::ReadOnlyFilesystem => Class::ReadOnly,
            Is::StorageFull | Is::QuotaExceeded | Is::FileTooLarge => Class::DiskFull,
            _ => Class::Storage,
        };
        Self::new(class, format!("{}: {error}{}", path.display(), advice(class)))
    }
}

/// SQLite's extended result code; `SQLITE_ERROR` for an error of rusqlite's own.
pub fn extended_code(error: &rusqlite::Error) -> c_int {
    match error {
        rusqlite::Error::SqliteFailure(error, _) | rusqlite::Error::SqlInputError { error, .. } => error.extended_code,
        _ => ffi::SQLITE_ERROR,
    }
}

pub fn primary_code(error: &rusqlite::Error) -> c_int {
    extended_code(error) & 0xff
}

pub fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(primary_code(error), ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED | ffi::SQLITE_PROTOCOL)
}

pub fn sqlite_error(code: c_int, message: Option<String>) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), message)
}

fn class_of(code: c_int, system: c_int) -> Class {
    match code & 0xff {
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED | ffi::SQLITE_PROTOCOL => Class::Locked,
        ffi::SQLITE_READONLY | ffi::SQLITE_PERM => Class::ReadOnly,
        ffi::SQLITE_FULL => Class::DiskFull,
        ffi::SQLITE_CORRUPT => Class::Corrupt,
        ffi::SQLITE_NOTADB => Class::NotADatabase,
        ffi::SQLITE_TOOBIG => Class::ValueTooLarge,
        ffi::SQLITE_ERROR | ffi::SQLITE_SCHEMA => Class::SchemaMismatch,
        ffi::SQLITE_IOERR | ffi::SQLITE_CANTOPEN => match system {
            libc::ENOSPC | libc::EDQUOT | libc::EFBIG => Class::DiskFull,
            libc::EACCES | libc::EPERM | libc::EROFS => Class::ReadOnly,
            libc::ENOENT => Class::FileNotFound,
            libc::EISDIR => Class::IsADirectory,
            _ => Class::Storage,
        },
        _ => Class::Storage,
    }
}

fn advice(class: Class) -> &'static str {
    match class {
        Class::Locked => ". Another process holds it: try again, or raise busy_timeout",
        Class::DiskFull => ". Nothing was applied: make room and try again",
        Class::ReadOnly => ". Nothing was applied: check the rights of the file and its folder",
        Class::Corrupt => ". The file is damaged; nothing was repaired: restore a backup",
        Class::NotADatabase => ". It was not touched: give another path",
        Class::SchemaMismatch => ". Has another program changed its tables?",
        Class::Storage => ". Check the disk",
        Class::FileExists => ". Give a path where no file is",
        Class::FileNotFound => ". Check the path; folders are not created",
        Class::IsADirectory => ". Give the path of a file",
        Class::ValueTooLarge => ". SQLite holds at most 1,000,000,000 bytes in a row: nothing was applied",
        Class::FlushFailed | Class::DurabilityUnknown | Class::InvalidTableName | Class::State | Class::Closed => "",
    }
}
