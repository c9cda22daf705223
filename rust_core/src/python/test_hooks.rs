//! What tests ask the SQLite that is built in; no part of the product calls it.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, OpenFlags, ToSql};
use std::path::PathBuf;

#[derive(FromPyObject)]
pub enum Parameter {
    Text(String),
    Blob(Vec<u8>),
}

#[derive(IntoPyObject)]
pub enum Answer {
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

impl ToSql for Parameter {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(blob) => ValueRef::Blob(blob),
        }))
    }
}

impl Answer {
    fn of(value: Value) -> Option<Self> {
        match value {
            Value::Null => None,
            Value::Integer(number) => Some(Self::Integer(number)),
            Value::Real(number) => Some(Self::Real(number)),
            Value::Text(text) => Some(Self::Text(text)),
            Value::Blob(blob) => Some(Self::Blob(blob)),
        }
    }
}

/// Run a query of one parameter once for each parameter; return the first column of each first row.
///
/// `path` is opened for reading (":memory:" for no file): call it in a process that has no store open on it.
#[pyfunction]
pub fn ask_sqlite(path: PathBuf, sql: &str, parameters: Vec<Parameter>) -> PyResult<Vec<Option<Answer>>> {
    ask(path, sql, parameters).map_err(|error| PyValueError::new_err(error.to_string()))
}

fn ask(path: PathBuf, sql: &str, parameters: Vec<Parameter>) -> rusqlite::Result<Vec<Option<Answer>>> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut statement = connection.prepare(sql)?;
    parameters
        .into_iter()
        .map(|parameter| statement.query_row([parameter], |row| Ok(Answer::of(row.get(0)?))))
        .collect()
}
