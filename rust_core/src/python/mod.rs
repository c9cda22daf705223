//! The boundary: everything that touches the interpreter. All of it runs with the GIL; the engine's threads never do.
//!
//! `unsafe` stands in four files: `reference`, `gil_cell`, `heap_type` and `value` (see the list in `lib.rs`).
#![allow(clippy::inline_always)] // a hit costs some 50 ns: measured, not guessed
#![allow(clippy::doc_markdown)] // Python's words (persist_mode, FastAPI) are no Rust items
mod arguments;
mod awaitable;
mod batch;
mod cache;
mod call;
mod channel;
mod completion;
mod core;
mod decide;
mod descriptions;
mod detached;
mod engine;
mod entry;
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
mod plain_pickle;
mod read;
mod reference;
mod result;
mod rows;
mod sieve;
mod sorted;
mod stats;
mod store;
pub mod test_hooks;
mod trash;
mod turn;
mod value;

use pyo3::prelude::*;

pub use engine::Engine;
pub use store::Store;

/// Make the types and the list of finished jobs; once, from the module's init.
pub fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
    awaitable::init(module)?;
    methods::install(module.py())
}
