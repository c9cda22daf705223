//! Table of contents of the extension module `asyncdictsqlite._rust`.
pub mod engine;
#[cfg(feature = "python")]
mod python;
