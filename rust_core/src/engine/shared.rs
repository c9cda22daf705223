//! What the callers and the two threads of an engine share.
use super::api::{Notice, Outcome, Settings, Sink, Stats, Was};
use super::coherence::Coherence;
use super::counters::Counters;
use super::failure::Failure;
use super::inbox::Inbox;
use super::inline_reader::InlineReader;
use super::packed::Packed;
use super::spare::Spare;
use super::switches::Injected;
use super::sync_readers::SyncReaders;
use super::unpublished::Unpublished;
use super::vfs::Watch;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum State {
    /// Not open yet, or the open failed.
    Fresh = 0,
    Opening = 1,
    Open = 2,
    /// A sync failed: nothing but `close` is possible.
    Stopped = 3,
    Closed = 4,
}

/// Most reads that share one read transaction.
const READS_AT_ONCE: usize = 1000;

pub struct Shared<J> {
    pub settings: Settings,
    pub sink: Arc<dyn Sink<J>>,
    pub to_writer: Inbox<J>,
    pub to_reader: Inbox<J>,
    pub coherence: Arc<Coherence>,
    pub unpublished: Unpublished,
    pub watch: Arc<Watch>,
    /// Held by whoever is at the locks of the wal-index.
    pub index: Arc<Mutex<()>>,
    pub counters: Counters,
    pub injected: Injected,
    pub inline: Mutex<Option<InlineReader>>,
    pub sync_readers: SyncReaders,
    /// Of the file, when it was opened.
    pub identity: OnceLock<(u64, u64)>,
    /// From those who took in what was read, and what commits met.
    pub spare: Spare<Packed>,
    pub spare_was: Spare<Vec<Was>>,
    pub nowait_off: Mutex<Option<String>>,
    pub last_error: Mutex<Option<String>>,
    /// In a forked child: touch nothing.
    pub abandoned: AtomicBool,
    state: AtomicU8,
}

impl<J: 'static> Shared<J> {
    pub fn new(settings: Settings, sink: Arc<dyn Sink<J>>) -> Self {
        let coherence = Arc::new(Coherence::new());
        let index = Arc::default();
        let shared_file = (!settings.exclusive).then(|| Arc::clone(&coherence));
        Self {
            to_writer: Inbox::new(settings.buffer_size.max(1), settings.lazy),
            to_reader: Inbox::new(READS_AT_ONCE, None),
            settings,
            sink,
            coherence,
            unpublished: Unpublished::default(),
            watch: Arc::new(Watch {
                coherence: shared_file,
                index: Some(Arc::clone(&index)),
                frames: Some(Mutex::default()),
                ..Watch::default()
            }),
            index,
            counters: Counters::default(),
            injected: Injected::default(),
            inline: Mutex::new(None),
            sync_readers: SyncReaders::default(),
            identity: OnceLock::new(),
            spare: Spare::new(),
            spare_was: Spare::new(),
            nowait_off: Mutex::new(None),
            last_error: Mutex::new(None),
            abandoned: AtomicBool::new(false),
            state: AtomicU8::new(State::Fresh as u8),
        }
    }

    /// An empty buffer for the reader thread.
    pub fn spare_packed(&self) -> Packed {
        let mut spare = self.spare.take().pop().unwrap_or_default();
        spare.clear();
        spare
    }

    /// Of a connection of the reader thread.
    pub fn reading_watch(&self) -> Arc<Watch> {
        Arc::new(Watch { index: Some(Arc::clone(&self.index)), ..Watch::default() })
    }

    pub fn state(&self) -> State {
        match self.state.load(Ordering::Acquire) {
            0 => State::Fresh,
            1 => State::Opening,
            2 => State::Open,
            3 => State::Stopped,
            _ => State::Closed,
        }
    }

    pub fn set_state(&self, state: State) {
        self.state.store(state as u8, Ordering::Release);
    }

    /// The epoch that holds now; constant where no other process can be there.
    #[inline]
    pub fn epoch(&self) -> u64 {
        if self.settings.exclusive { 0 } else { self.coherence.epoch() }
    }

    /// Why nothing is taken in the present state.
    pub fn refusal(&self) -> Failure {
        match self.state() {
            State::Stopped => Failure::stopped(&self.settings.path),
            _ => Failure::closed(&self.settings.path),
        }
    }

    /// Note an error for `stats()`.
    pub fn note(&self, failure: &Failure) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure.message.clone());
    }

    pub fn stats(&self) -> Stats {
        let (unsaved, unsaved_bytes) = self.to_writer.unsaved();
        let copy = |text: &Mutex<Option<String>>| text.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Stats {
            commits: self.counters.commits.get(),
            syncs: self.watch.syncs.load(Ordering::Relaxed),
            writes: self.counters.writes.get(),
            checkpoints: self.counters.checkpoints.get(),
            foreign_changes: self.coherence.foreign_changes(),
            flushes: self.counters.flushes.get(),
            unsaved: unsaved as u64,
            unsaved_bytes: unsaved_bytes as u64,
            cold_inline: self.counters.cold_inline.get(),
            cold_thread: self.counters.cold_thread.get(),
            last_error: copy(&self.last_error),
            nowait_off: copy(&self.nowait_off),
        }
    }

    pub fn deliver(&self, done: &mut Vec<(J, Outcome)>) {
        self.sink.deliver(done);
        self.sink.wake();
    }

    pub fn deliver_one(&self, job: J, outcome: Outcome) {
        self.deliver(&mut vec![(job, outcome)]);
    }

    /// Deliver what a transaction did; nobody who is woken finds it unpublished.
    pub fn publish(&self, done: &mut Vec<(J, Outcome)>) {
        self.sink.deliver(done);
        self.unpublished.end();
        self.sink.wake();
    }

    /// Stop for good: the outcome of something that was committed is unknown.
    pub fn stop(&self, failure: &Failure) {
        self.set_state(State::Stopped);
        self.note(failure);
        self.sink.notice(Notice::Stopped(failure.clone()));
    }
}
