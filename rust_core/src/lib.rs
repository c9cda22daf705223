//! Table of contents of the extension module `asyncdictsqlite._rust`.
//!
//! `unsafe` stands in these files alone (`tests/test_packaging.py` holds the list):
//! - `python/reference.rs`: owned references, and what exact builtins hold;
//! - `python/gil_cell.rs`: what the GIL locks;
//! - `python/heap_type/mod.rs`: the raw side of our types' slots and methods;
//! - `python/value.rs`: the pickler;
//! - `engine/vfs.rs`: SQLite's file methods and system calls, wrapped;
//! - `engine/os.rs`: locks of files, wake-ups, a list that is never locked;
//! - `engine/statement.rs`: prepared statements;
//! - `engine/wal_index.rs`: the header in shared memory.
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
