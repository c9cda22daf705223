//! What calls return, as Python objects.
use super::core::Table;
use super::decide::Decided;
use super::job::{Change, bytes};
use super::reference::Ref;
use super::value;
use crate::engine::{self, Kind};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList};

static WAS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static TABLE_INFO: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

fn class<'py>(py: Python<'py>, cell: &'static PyOnceLock<Py<PyAny>>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    let import = || Ok::<_, PyErr>(py.import("asyncdictsqlite.protocol")?.getattr(name)?.unbind());
    Ok(cell.get_or_try_init(py, import)?.bind(py).clone())
}

/// A list of `Was`, or None where the call does not tell.
pub fn of_commit(py: Python<'_>, was: Vec<Decided>, tells: bool) -> PyResult<Ref> {
    if !tells {
        return Ok(Ref::none());
    }
    let class = class(py, &WAS, "Was")?;
    let make = |one: Decided| class.call1((one.there, one.old.map(|old| old.into_bound(py))));
    let list = was.into_iter().map(make).collect::<PyResult<Vec<_>>>()?;
    Ok(PyList::new(py, list)?.into())
}

/// For each of so many changes.
pub fn decided(was: &[engine::Was], changes: usize) -> Vec<Decided> {
    let one = |was: &engine::Was| Decided { there: was.there, old: was.old.as_deref().and_then(value::copy) };
    let nothing = engine::Was::default();
    (0..changes).map(|index| one(was.get(index).unwrap_or(&nothing))).collect()
}

/// A dict of `TableInfo` by name.
pub fn of_open(py: Python<'_>, tables: &[engine::TableInfo]) -> PyResult<Ref> {
    let class = class(py, &TABLE_INFO, "TableInfo")?;
    let dict = PyDict::new(py);
    for table in tables {
        dict.set_item(&table.name, class.call1((&table.name, &table.storage_mode))?)?;
    }
    Ok(dict.into())
}

/// A CREATE took effect: from now on the table's values are known to be in that mode.
pub fn created(table: &mut Table, change: &Change) {
    debug_assert!(change.kind == Kind::Create);
    table.storage_mode = std::str::from_utf8(bytes(change.value.as_ref())).ok().map(Into::into);
}
