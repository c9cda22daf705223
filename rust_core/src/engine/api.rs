//! What goes in and what comes home.
use super::failure::Failure;
use super::packed::Packed;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A request on its way through a thread. It owns the bytes it shows until it comes home.
#[allow(clippy::len_without_is_empty)] // a job without keys or changes is never handed over
pub trait Job: Send + 'static {
    /// How many keys (of a read) or changes (of a commit, of the lazy queue) it has.
    fn len(&self) -> usize;
    /// The table of a read.
    fn table(&self) -> &str;
    /// A key of a read.
    fn key(&self, index: usize) -> &[u8];
    /// All keys of a read of many, one beside the other.
    fn keys(&self) -> Arc<Packed> {
        Arc::new((0..self.len()).map(|index| self.key(index)).collect())
    }
    /// A change of a commit or of the lazy queue.
    fn change(&self, index: usize) -> Change<'_>;
    /// Whether a commit asks for the old bytes.
    fn wants_old(&self) -> bool;
    /// As what it counts in the lazy queue: changes, with those that others have overwritten in it, and bytes of keys and
    /// values.
    fn size(&self) -> (usize, usize) {
        let bytes = (0..self.len()).map(|index| self.change(index)).map(|change| change.key.len() + change.value.len());
        (self.len(), bytes.sum())
    }
}

/// Where finished jobs go. Called by the engine's threads, or by the caller of a request that fails at once.
pub trait Sink<J>: Send + Sync + 'static {
    /// Take all that is in `done`. Commits arrive in commit order, reads in any.
    fn deliver(&self, done: &mut Vec<(J, Outcome)>);
    /// Wake those who wait for what was delivered.
    fn wake(&self);
    /// Learn of something that no job waits for.
    fn notice(&self, notice: Notice);
}

#[derive(Clone, Debug)]
pub enum Notice {
    /// A lazy flush did not apply and nobody waited for it; everything is kept and tried again.
    FlushFailed(Failure),
    /// Another process dropped these tables; a lazy flush left out what was to go there.
    Dropped(Vec<String>),
    /// The engine has stopped: what it had committed last is unknown. Comes before the failures of the jobs.
    Stopped(Failure),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    Put = 0,
    PutIfAbsent = 1,
    /// Only if the key is there with exactly the bytes `expected`.
    PutIfEqual = 2,
    Delete = 3,
    /// Every key of the table.
    Clear = 4,
    /// The table, in the storage mode that `value` names, if it is not there.
    Create = 5,
    /// The table.
    Drop = 6,
}

impl Kind {
    /// Whether it concerns one key alone, so that it may change places with its neighbours on other keys.
    pub fn is_of_one_key(self) -> bool {
        matches!(self, Self::Put | Self::PutIfAbsent | Self::PutIfEqual | Self::Delete)
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    pub kind: Kind,
    pub table: &'a str,
    pub key: &'a [u8],
    pub value: &'a [u8],
    pub expected: &'a [u8],
    /// Store the value as TEXT (json tables), not as BLOB.
    pub text: bool,
}

/// What a change met, decided inside the write transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Was {
    /// Not decided (false) for Put and Clear unless the old bytes were asked for.
    pub there: bool,
    pub old: Option<Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableInfo {
    pub name: String,
    pub storage_mode: String,
}

/// One page: `start <= key < end`, at most `rows` and about `size_bytes`, at least one row if there is one.
#[derive(Clone, Debug)]
pub struct Scan {
    pub table: String,
    pub start: Vec<u8>,
    pub end: Option<Vec<u8>>,
    pub reverse: bool,
    pub rows: usize,
    pub size_bytes: usize,
    pub values: bool,
}

#[derive(Debug)]
pub enum Answer {
    Opened(Vec<TableInfo>),
    /// `epoch` was taken before the SELECT.
    Values {
        values: Packed,
        epoch: u64,
    },
    /// `epoch` holds for the keys written. `was` is empty where it would say nothing.
    Committed {
        was: Vec<Was>,
        epoch: u64,
    },
    /// A queued job is durable; flushes are counted from 1.
    Flushed {
        flush: u64,
        epoch: u64,
    },
    /// Of each row its key, and its value, which is absent where nobody asked for it.
    Rows(Packed),
    Count(u64),
    Done,
}

pub type Outcome = Result<Answer, Failure>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synchronous {
    Full,
    Normal,
}

/// When queued changes are flushed.
#[derive(Clone, Copy, Debug)]
pub struct Lazy {
    pub flush_interval: Duration,
    pub max_unsaved: usize,
    pub max_unsaved_bytes: usize,
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub path: PathBuf,
    pub readonly: bool,
    pub exclusive: bool,
    pub synchronous: Synchronous,
    pub busy_timeout: Duration,
    /// Most calls that share one commit.
    pub buffer_size: usize,
    /// None: writethrough.
    pub lazy: Option<Lazy>,
    /// The descriptor of the side file; byte 1 of it is the writers' queue. Never closed here.
    pub side_lock: Option<RawFd>,
}

/// What the lazy queue holds after a call joined it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Queued {
    pub unsaved: usize,
    pub unsaved_bytes: usize,
    /// At twice a limit: acknowledge only when a flush has made room.
    pub full: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Stats {
    pub commits: u64,
    /// Calls of `xSync` on the WAL and the database file by the writer's connection: each is one fdatasync.
    pub syncs: u64,
    /// Changes that were committed.
    pub writes: u64,
    pub checkpoints: u64,
    /// How often the epoch moved.
    pub foreign_changes: u64,
    pub flushes: u64,
    pub unsaved: u64,
    pub unsaved_bytes: u64,
    pub cold_inline: u64,
    pub cold_thread: u64,
    pub last_error: Option<String>,
    /// Why inline reads are off; None while they are on.
    pub nowait_off: Option<String>,
}
