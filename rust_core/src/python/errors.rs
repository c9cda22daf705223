//! Failures become the classes of `asyncdictsqlite.errors`: the one spot where that happens.
use crate::engine::{Class, Failure};
use pyo3::exceptions::{PyFileExistsError, PyFileNotFoundError, PyIsADirectoryError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The exception of a failure. No wildcard: a new class does not compile until it has an exception.
pub fn exception(py: Python<'_>, failure: &Failure) -> PyErr {
    let name = match failure.class {
        Class::FileNotFound => return PyFileNotFoundError::new_err(failure.message.clone()),
        Class::FileExists => return PyFileExistsError::new_err(failure.message.clone()),
        Class::IsADirectory => return PyIsADirectoryError::new_err(failure.message.clone()),
        Class::Storage => "StorageError",
        Class::Locked => "LockedError",
        Class::ReadOnly => "ReadOnlyError",
        Class::DiskFull => "DiskFullError",
        Class::Corrupt => "CorruptError",
        Class::NotADatabase => "NotADatabaseError",
        Class::SchemaMismatch => "SchemaMismatchError",
        Class::FlushFailed => "FlushFailedError",
        Class::DurabilityUnknown => "DurabilityUnknownError",
        Class::InvalidTableName => "InvalidTableNameError",
        Class::ValueTooLarge => "ValueTooLargeError",
        Class::State => "StateError",
        Class::Closed => "ClosedError",
    };
    let named = PyDict::new(py);
    let set = if is_storage_error(failure.class) { named.set_item("applied", failure.applied) } else { Ok(()) };
    set.and_then(|()| make(py, name, &failure.message, &named)).unwrap_or_else(|error| error)
}

fn is_storage_error(class: Class) -> bool {
    !matches!(class, Class::InvalidTableName | Class::ValueTooLarge | Class::State | Class::Closed)
}

/// An error of the package that no failure of the engine causes.
pub fn named(py: Python<'_>, name: &str, message: &str) -> PyErr {
    make(py, name, message, &PyDict::new(py)).unwrap_or_else(|error| error)
}

fn make(py: Python<'_>, name: &str, message: &str, named: &Bound<'_, PyDict>) -> PyResult<PyErr> {
    let class = py.import("asyncdictsqlite.errors")?.getattr(name)?;
    Ok(PyErr::from_value(class.call((message,), Some(named))?))
}
