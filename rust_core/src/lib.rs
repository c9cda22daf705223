//! Table of contents of the extension module `asyncdictsqlite._rust`.
pub mod engine;
#[cfg(feature = "python")]
mod python;

#[cfg(feature = "python")]
#[pyo3::pymodule(gil_used = true)] // caches and freelists are locked by the GIL
mod _rust {
    #[pymodule_export]
    use crate::python::test_hooks::ask_sqlite;
    #[pymodule_export]
    use crate::python::{Engine, Store};
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::python::init(module)
    }

    /// The version of the SQLite that is built in.
    #[pyfunction]
    fn sqlite_version() -> &'static str {
        crate::engine::sqlite_version()
    }

    /// Whether SQLite was built so that its reads can be kept from waiting for a disk.
    #[pyfunction]
    fn pread_hookable() -> bool {
        crate::engine::vfs::hookable()
    }
}
