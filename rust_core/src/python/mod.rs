//! The boundary: everything that touches the interpreter. All of it runs with the GIL; the engine's threads never do.
mod arguments;
mod awaitable;
mod cache;
mod call;
mod channel;
mod completion;
mod core;
mod decide;
mod engine;
mod errors;
mod flights;
mod gates;
mod gil_cell;
mod heap_type;
mod home;
mod hot;
mod job;
mod key;
mod keymap;
mod lazy;
mod memory;
mod methods;
mod parse;
mod read;
mod reference;
mod result;
mod rows;
mod sorted;
mod stats;
mod store;
mod value;

use pyo3::prelude::*;

pub use engine::Engine;
pub use store::Store;

/// Make the types and the list of finished jobs; once, from the module's init.
pub fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
    completion::init();
    awaitable::init(module)?;
    methods::install(module.py())
}
