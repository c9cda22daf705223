//! SQLite and threads; knows no Python.
//!
//! An [`Engine`] is one open file with one writer and one reader thread. A request is a [`Job`] handed over at the
//! call; it comes home exactly once, with its [`Outcome`], through the [`Sink`]. No method waits for a disk or a thread.
mod api;
mod backup;
mod checkpoint;
mod coherence;
mod connection;
mod counters;
mod ending;
mod failure;
mod flush;
mod frames;
mod group;
mod handle;
mod inbox;
mod inline_reader;
mod lanes;
mod life;
mod opening;
mod order;
pub mod os;
pub mod outbox;
mod packed;
mod queue;
mod reader;
mod schema;
mod second_reader;
mod shared;
#[cfg(all(test, feature = "shuttle"))]
mod shuttled;
mod side_lock;
mod spare;
mod statement;
mod switches;
mod sync;
mod sync_readers;
mod transaction;
mod unpublished;
pub mod vfs;
mod wal_index;
mod writer;

pub use api::{
    Answer, Change, Job, Kind, Lazy, Notice, Outcome, Queued, Scan, Settings, Sink, Stats, Synchronous, TableInfo, Was,
};
pub use failure::{Class, Failure};
pub use handle::Engine;
pub use inline_reader::Now;
pub use packed::Packed;
pub use queue::Queue;
pub use shared::State;
pub use switches::{Fault, Switches};

/// The version of the SQLite that is built in.
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}
