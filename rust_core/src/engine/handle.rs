//! The engine as its callers see it.
use super::api::{Job, Outcome, Queued, Scan, Settings, Sink, Stats, Was};
use super::inbox::{Call, Request};
use super::inline_reader::{self, Now};
use super::life;
use super::packed::Packed;
use super::queue::Queue;
use super::shared::{Shared, State};
use super::switches::Switches;
use super::sync_readers;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// One file, one writer thread, one reader thread. Every method returns at once.
pub struct Engine<J: Job> {
    shared: Arc<Shared<J>>,
}

impl<J: Job> Engine<J> {
    /// Make an engine that is not open: no I/O, no thread.
    pub fn new(settings: Settings, sink: Arc<dyn Sink<J>>) -> Self {
        Self { shared: Arc::new(Shared::new(settings, sink)) }
    }

    /// Start the threads, which open the file; comes home with `Answer::Opened`. Once only: also a failed open needs a new engine.
    pub fn open(&self, job: J) {
        life::start(&self.shared, job);
    }

    /// Read all keys of the job in one transaction, on the reader thread.
    pub fn read(&self, job: J) {
        self.hand_over(job, Call::Read);
    }

    /// Read a page; a lazy engine flushes first.
    pub fn scan(&self, job: J, scan: Scan) {
        self.hand_over(job, Call::Scan(scan));
    }

    /// Count the keys of a table; a lazy engine flushes first.
    pub fn count(&self, job: J, table: String) {
        self.hand_over(job, Call::Count(table));
    }

    /// Apply all changes of the job in one transaction, shared with other calls that wait; a lazy engine flushes first.
    pub fn commit(&self, job: J) {
        self.hand_over(job, Call::Commit);
    }

    /// Come home when everything handed over before is durable.
    pub fn flush(&self, job: J) {
        self.hand_over(job, Call::Flush);
    }

    /// Write a synced copy to a new file.
    pub fn backup(&self, job: J, path: PathBuf) {
        self.hand_over(job, Call::Backup(path));
    }

    /// Finish what is queued, close the file and end the threads. A lazy flush that fails leaves the engine open.
    pub fn close(&self, job: J) {
        if self.shared.state() == State::Fresh {
            self.shared.set_state(State::Closed);
        }
        self.hand_over(job, Call::Close);
    }

    /// Queue the changes of the job for the next flush; comes home with `Answer::Flushed`.
    pub fn queue(&self, job: J) -> Queued {
        if self.refuses() {
            self.shared.deliver_one(job, Err(self.shared.refusal()));
            return Queued::default();
        }
        let size = job.size();
        self.append(|queue| {
            queue.push(job);
            size
        })
    }

    /// Queue changes by hand: `add` changes what is in the queue, and tells by how many changes and bytes it grew. It runs
    /// with a lock held, so it may not call back.
    #[inline]
    pub fn append(&self, add: impl FnOnce(&mut Queue<'_, J>) -> (usize, usize)) -> Queued {
        self.shared.to_writer.queue(add).unwrap_or_else(|job| {
            if let Some(job) = job {
                self.shared.deliver_one(job, Err(self.shared.refusal()));
            }
            Queued::default()
        })
    }

    fn hand_over(&self, job: J, call: Call) {
        if self.shared.state() == State::Closed && matches!(call, Call::Close) {
            return self.shared.deliver_one(job, Ok(super::Answer::Done));
        }
        if self.refuses() && !matches!(call, Call::Close) {
            return self.shared.deliver_one(job, Err(self.shared.refusal()));
        }
        // A scan or count of a lazy engine goes through the writer, which flushes and sends it on.
        let straight = call.is_reading() && (self.shared.settings.lazy.is_none() || matches!(call, Call::Read));
        let inbox = if straight { &self.shared.to_reader } else { &self.shared.to_writer };
        if let Err(request) = inbox.send(Request::new(job, call)) {
            self.shared.deliver_one(request.job, self.after_the_end(&request.call));
        }
    }

    fn after_the_end(&self, call: &Call) -> Outcome {
        if matches!(call, Call::Close) { Ok(super::Answer::Done) } else { Err(self.shared.refusal()) }
    }

    /// Whether every call but `close` fails.
    #[inline]
    pub fn refuses(&self) -> bool {
        self.shared.state() >= State::Stopped || self.shared.abandoned.load(Ordering::Acquire)
    }

    /// In a forked child: be dead, touch no lock, keep every handle.
    pub fn abandon(&self) {
        self.shared.abandoned.store(true, Ordering::Release);
        self.shared.set_state(State::Closed);
        std::mem::forget(Arc::clone(&self.shared));
    }

    /// Set the test switches.
    pub fn inject(&self, switches: Switches) {
        self.shared.to_writer.set_commit_after(switches.commit_after);
        self.shared.injected.set(switches);
    }

    pub fn state(&self) -> State {
        self.shared.state()
    }

    /// Whether other processes may commit, so that a hit must ask for the epoch.
    #[inline]
    pub fn coherent(&self) -> bool {
        !self.shared.settings.exclusive
    }

    /// Whether nobody else has committed since the epoch was last asked for.
    #[inline]
    pub fn unchanged(&self) -> bool {
        self.shared.settings.exclusive || self.shared.coherence.unchanged()
    }

    /// The epoch that holds now. Own commits never move it.
    #[inline]
    pub fn epoch(&self) -> u64 {
        self.shared.epoch()
    }

    /// Read on the calling thread if no disk and no lock is in the way. `hold`: let the reads to come share this read
    /// transaction, until `end_reads` or anybody's commit.
    pub fn read_now<T>(&self, table: &str, key: &[u8], hold: bool, found: impl FnOnce(&[u8]) -> T) -> Now<T> {
        if self.refuses() {
            return Now::Failed(self.shared.refusal());
        }
        inline_reader::read(&self.shared, table, key, hold, found)
    }

    /// The same for many keys, for a millisecond at most; `found` gets the index and the value of each and tells whether
    /// to go on. Returns how many were read, and whether the next one would block.
    pub fn read_many_now<'a>(
        &self,
        table: &str,
        keys: impl Iterator<Item = &'a [u8]>,
        hold: bool,
        found: impl FnMut(usize, Option<&[u8]>) -> bool,
    ) -> (usize, bool) {
        if self.refuses() { (0, true) } else { inline_reader::read_many(&self.shared, table, keys, hold, found) }
    }

    /// Whether `read_here` is worth a call.
    pub fn reads_here(&self) -> bool {
        self.shared.sync_readers.are_on()
    }

    /// Read on the calling thread, which may wait for a disk. Never `Unpublished` or `Failed`.
    pub fn read_here(&self, table: &str, key: &[u8]) -> Now<Vec<u8>> {
        sync_readers::read(&self.shared, table, key)
    }

    /// Give back what a read found, when it was taken in.
    pub fn give_back(&self, packed: Packed) {
        let bytes = packed.capacity_bytes();
        self.shared.spare.give_back(packed, bytes);
    }

    /// Give back what a commit met, when it was taken in.
    pub fn give_back_was(&self, was: Vec<Was>) {
        if !was.is_empty() {
            let old_bytes: usize = was.iter().filter_map(|was| was.old.as_ref()).map(Vec::capacity).sum();
            let bytes = old_bytes + was.capacity() * std::mem::size_of::<Was>();
            self.shared.spare_was.give_back(was, bytes);
        }
    }

    /// End the read transaction that inline reads share; false: a thread is in the way, try again soon.
    pub fn end_reads(&self) -> bool {
        self.shared.abandoned.load(Ordering::Acquire) || inline_reader::end_now(&self.shared)
    }

    pub fn stats(&self) -> Stats {
        if self.shared.abandoned.load(Ordering::Acquire) {
            return Stats::default();
        }
        self.shared.stats()
    }
}
