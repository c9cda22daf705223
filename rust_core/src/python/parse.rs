//! Arguments of the seam, from Python.
use super::engine::Engine;
use super::job::Change;
use super::key::OwnedKey;
use super::reference::Ref;
use crate::engine::{Fault, Kind};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// A `protocol.Change`, or any tuple like it.
pub fn change(engine: &Bound<'_, Engine>, given: &Bound<'_, PyAny>) -> PyResult<Change> {
    type Parts<'py> = (u8, Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>);
    let (number, table, key, value, expected): Parts<'_> = given.extract()?;
    let kind = kind(number)?;
    let key = if kind.is_of_one_key() { Some(OwnedKey::check(&key)?) } else { None };
    let core = engine.get().core(engine.py());
    let table_name: &str = table.extract()?;
    let table = core.table(table_name);
    let record = &core.tables[table as usize];
    Ok(Change {
        kind,
        table,
        table_name: record.name.clone(),
        is_text: record.is_text(),
        key,
        value: bytes(&value)?,
        object: None,
        expected: bytes(&expected)?,
        generation: 0,
    })
}

fn bytes(given: &Bound<'_, PyAny>) -> PyResult<Option<Ref>> {
    if given.is_none() {
        return Ok(None);
    }
    Ok(Some(Ref::of(given.cast_exact::<PyBytes>()?)))
}

fn kind(number: u8) -> PyResult<Kind> {
    let kinds = [Kind::Put, Kind::PutIfAbsent, Kind::PutIfEqual, Kind::Delete, Kind::Clear, Kind::Create, Kind::Drop];
    let unknown = || PyValueError::new_err(format!("{number} is no kind of a change"));
    kinds.into_iter().find(|kind| *kind as u8 == number).ok_or_else(unknown)
}

pub fn fault(kind: &str) -> PyResult<Fault> {
    Ok(match kind {
        "full" => Fault::Full,
        "locked" => Fault::Locked,
        "io" => Fault::Io,
        "corrupt" => Fault::Corrupt,
        "sync" => Fault::Sync,
        "panic" => Fault::Panic,
        _ => return Err(PyValueError::new_err(format!("{kind:?} is no kind of a fault"))),
    })
}
