//! One write transaction: our turn among the processes, BEGIN IMMEDIATE, what is to be done, COMMIT.
use super::failure::{Class, Failure, is_busy, primary_code};
use super::group::Trouble;
use super::inline_reader;
use super::opening::locked;
use super::shared::Shared;
use super::side_lock::{QueueLock, Turn};
use super::statement::{Session, Verb};
use super::switches::{Fault, Place};
use super::wal_index::Header;
use rusqlite::ffi;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

pub enum Failed {
    /// One call failed by its own fault; nothing was applied.
    OfCall(usize, Failure),
    NotApplied(Failure),
    /// A sync failed, or the COMMIT did in a way that leaves its outcome open.
    Unknown(Failure),
}

pub struct Transactions<J> {
    shared: Arc<Shared<J>>,
    pub session: Session,
    queue: Option<QueueLock>,
    /// When the file was last seen free: a call that waited for its own process's work has not waited for others.
    last_turn: Instant,
    committing: bool,
    header: Option<Header>,
}

impl<J: 'static> Transactions<J> {
    pub fn new(shared: Arc<Shared<J>>, session: Session, queue: Option<QueueLock>, header: Option<Header>) -> Self {
        Self { shared, session, queue, last_turn: Instant::now(), committing: false, header }
    }

    /// Run `body` in a transaction; returns also the epoch in which it was decided. What it commits is `unpublished` until
    /// the caller has delivered it.
    pub fn run<T>(
        &mut self,
        since: Instant,
        body: impl FnOnce(&mut Session) -> Result<T, Trouble>,
    ) -> Result<(T, u64), Failed> {
        let shared = Arc::clone(&self.shared);
        shared.injected.delay(Place::Writer);
        let fault = shared.injected.fault(Place::Writer);
        if let Some(fault) = fault.filter(|&fault| fault != Fault::Sync) {
            return Err(self.failed(&fault.raise(), false));
        }
        let deadline = since.max(self.last_turn) + shared.settings.busy_timeout;
        let done = self.in_turn(deadline, fault, body)?;
        self.last_turn = Instant::now();
        shared.injected.delay(Place::Writer);
        Ok(done)
    }

    fn in_turn<T>(
        &mut self,
        deadline: Instant,
        fault: Option<Fault>,
        body: impl FnOnce(&mut Session) -> Result<T, Trouble>,
    ) -> Result<(T, u64), Failed> {
        let queue = self.queue.take(); // apart from `self` while its turn is out
        let result = match take_turn(queue.as_ref(), deadline, &self.shared) {
            Ok(_turn) => self.begin_to_commit(deadline, fault, body),
            Err(failure) => Err(Failed::NotApplied(failure)),
        };
        self.queue = queue;
        result
    }

    fn begin_to_commit<T>(
        &mut self,
        deadline: Instant,
        fault: Option<Fault>,
        body: impl FnOnce(&mut Session) -> Result<T, Trouble>,
    ) -> Result<(T, u64), Failed> {
        let begun = self.begin(deadline);
        let epoch = begun.map_err(|error| self.failed(&error, false))?;
        let value = match body(&mut self.session) {
            Ok(value) => value,
            Err(Trouble::OfCall(call, failure)) => {
                return Err(if self.roll_back() {
                    Failed::OfCall(call, failure)
                } else {
                    self.unknown("ROLLBACK failed")
                });
            }
            Err(Trouble::OfAll(error)) => return Err(self.failed(&error, false)),
        };
        self.shared.watch.fail_sync.store(fault == Some(Fault::Sync), Ordering::Relaxed);
        self.committing = true;
        self.shared.unpublished.begin(self.header);
        let committed = self.session.control(Verb::Commit);
        self.committing = false;
        if self.shared.watch.fail_sync.swap(false, Ordering::Relaxed) {
            return Err(self.unknown("injected by a test switch")); // in "normal" a commit has no sync that could fail
        }
        committed.map_err(|error| self.failed(&error, true))?;
        Ok((value, epoch))
    }

    fn begin(&mut self, deadline: Instant) -> rusqlite::Result<u64> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.session.connection().busy_timeout(left.min(Duration::from_millis(i32::MAX as u64)))?;
        inline_reader::end(&self.shared); // it may be what keeps the WAL from being used again from its start
        self.session.control(Verb::BeginImmediate)?;
        Ok(if self.shared.settings.exclusive { 0 } else { self.shared.coherence.begin_write() })
    }

    /// Roll back and tell what the error means.
    fn failed(&mut self, error: &rusqlite::Error, in_commit: bool) -> Failed {
        let io = matches!(primary_code(error), ffi::SQLITE_IOERR | ffi::SQLITE_CANTOPEN);
        let failure = if is_busy(error) {
            locked(&self.shared.settings.path)
        } else {
            self.session.failure(error, &self.shared.settings.path)
        };
        let rolled_back = self.roll_back();
        let sync_failed = self.shared.watch.sync_failed.load(Ordering::Relaxed);
        let open_outcome = in_commit && io && failure.class != Class::DiskFull;
        if sync_failed || open_outcome || !rolled_back {
            self.unknown(&error.to_string())
        } else {
            Failed::NotApplied(failure)
        }
    }

    fn unknown(&mut self, cause: &str) -> Failed {
        self.roll_back();
        Failed::Unknown(Failure::unknown(&self.shared.settings.path, cause))
    }

    /// End the transaction if there is one; tells whether none is open any more.
    fn roll_back(&mut self) -> bool {
        if self.session.in_transaction() {
            let _ = self.session.control(Verb::Rollback); // asked for below
        }
        !self.session.in_transaction()
    }

    /// After a panic: tells whether what was under way surely did not apply.
    pub fn abort(&mut self) -> bool {
        let committing = std::mem::take(&mut self.committing);
        self.roll_back() && !committing
    }
}

fn take_turn<'a, J>(
    queue: Option<&'a QueueLock>,
    deadline: Instant,
    shared: &Shared<J>,
) -> Result<Option<Turn<'a>>, Failure> {
    let Some(queue) = queue else { return Ok(None) };
    match queue.take(deadline) {
        Ok(Some(turn)) => Ok(Some(turn)),
        Ok(None) => Err(locked(&shared.settings.path)),
        Err(error) => Err(Failure::of_io(&error, &shared.settings.path)),
    }
}
