//! Tells the commits of other processes from our own.
//!
//! While our writer holds SQLite's write lock, nobody else can change the wal-index header: every change seen then is our own.
//! The last thing the writer does before it gives the lock up (`vfs`) is to note the words it leaves behind. Any
//! other word, ever, is foreign and moves the epoch. So a foreign commit that comes right after ours is seen as foreign.
use super::wal_index::Header;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Default)]
struct Writing(bool);

pub struct Coherence {
    header: AtomicPtr<AtomicU64>,
    /// The words that the present epoch has taken into account.
    expected: [AtomicU64; 6],
    epoch: AtomicU64,
    writing: Mutex<Writing>,
}

impl Coherence {
    pub fn new() -> Self {
        Self {
            header: AtomicPtr::new(Header::nothing().address()),
            expected: [const { AtomicU64::new(0) }; 6],
            epoch: AtomicU64::new(0),
            writing: Mutex::default(),
        }
    }

    /// Look at this header from now on, as it is. None: nothing can be known, each look moves the epoch.
    pub fn attach(&self, header: Option<Header>) {
        let _guard = self.lock();
        match header {
            Some(header) => {
                self.header.store(header.address(), Ordering::Release);
                self.expect(header);
            }
            None => self.expected.iter().for_each(|word| word.store(u64::MAX, Ordering::Release)),
        }
    }

    /// Look at shared memory no more: its mapping may go.
    pub fn detach(&self) {
        let _guard = self.lock();
        self.header.store(Header::nothing().address(), Ordering::Release);
    }

    #[inline]
    pub fn unchanged(&self) -> bool {
        let header = self.header();
        let difference = (1..6).fold(0, |found, index| {
            found | (header.word(index) ^ self.expected[index].load(Ordering::Acquire)) // no branch for each word
        });
        difference == 0
    }

    /// The epoch that holds now: what was validated in it is still what the file holds.
    #[inline]
    pub fn epoch(&self) -> u64 {
        if self.unchanged() { self.epoch.load(Ordering::Acquire) } else { self.classify() }
    }

    /// How often the epoch moved.
    pub fn foreign_changes(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    #[cold]
    fn classify(&self) -> u64 {
        let writing = self.lock();
        if !writing.0 {
            self.take_in_foreign();
        }
        self.epoch.load(Ordering::Acquire)
    }

    /// Our writer has taken the write lock: returns the epoch in which it decides and commits.
    pub fn begin_write(&self) -> u64 {
        let mut writing = self.lock();
        self.take_in_foreign();
        writing.0 = true;
        self.epoch.load(Ordering::Acquire)
    }

    /// Our writer is about to give the write lock up.
    pub fn end_write(&self) {
        let mut writing = self.lock();
        if std::mem::take(&mut writing.0) {
            self.expect(self.header());
        }
    }

    fn take_in_foreign(&self) {
        let header = self.header();
        if (1..6).any(|index| header.word(index) != self.expected[index].load(Ordering::Relaxed)) {
            self.epoch.fetch_add(1, Ordering::AcqRel); // before the words: who sees them sees the epoch
            if !header.is_nothing() {
                self.expect(header);
            }
        }
    }

    fn expect(&self, header: Header) {
        for (expected, word) in self.expected.iter().zip(header.words()) {
            expected.store(word, Ordering::Release);
        }
    }

    fn header(&self) -> Header {
        Header::from_address(self.header.load(Ordering::Acquire))
    }

    fn lock(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory as other processes would write it.
    fn shared_memory() -> (&'static [AtomicU64; 16], Coherence) {
        let memory: &'static [AtomicU64; 16] = Box::leak(Box::new([const { AtomicU64::new(1) }; 16]));
        let coherence = Coherence::new();
        coherence.attach(Some(Header::from_address(memory.as_ptr().cast_mut())));
        (memory, coherence)
    }

    fn commit(memory: &[AtomicU64; 16]) {
        memory[1].fetch_add(1, Ordering::Relaxed);
        memory[5].fetch_add(7, Ordering::Relaxed);
    }

    #[test]
    fn an_own_commit_keeps_the_epoch_while_it_runs_and_after() {
        let (memory, coherence) = shared_memory();
        assert_eq!(coherence.begin_write(), 0);
        commit(memory);
        assert_eq!(coherence.epoch(), 0, "the header moves before the lock goes");
        coherence.end_write();
        assert!(coherence.unchanged());
        assert_eq!(coherence.epoch(), 0);
    }

    #[test]
    fn a_foreign_commit_before_ours_is_noticed_when_we_have_the_lock() {
        let (memory, coherence) = shared_memory();
        commit(memory);
        assert_eq!(coherence.begin_write(), 1);
        commit(memory);
        coherence.end_write();
        assert_eq!(coherence.epoch(), 1);
    }

    #[test]
    fn a_foreign_commit_right_after_ours_is_foreign() {
        let (memory, coherence) = shared_memory();
        coherence.begin_write();
        commit(memory);
        coherence.end_write();
        commit(memory);
        assert_eq!(coherence.epoch(), 1);
        assert_eq!(coherence.epoch(), 1, "once");
    }

    #[test]
    fn a_recovery_that_restarts_the_change_counter_is_foreign() {
        let (memory, coherence) = shared_memory();
        commit(memory);
        assert_eq!(coherence.epoch(), 1);
        memory[1].store(1, Ordering::Relaxed); // the counter of old, another checksum
        assert_eq!(coherence.epoch(), 2);
    }

    #[test]
    fn without_shared_memory_every_look_moves_the_epoch() {
        let coherence = Coherence::new();
        coherence.attach(None);
        assert_ne!(coherence.epoch(), coherence.epoch());
    }

    #[test]
    fn an_unlock_without_a_write_changes_nothing() {
        let (memory, coherence) = shared_memory();
        commit(memory);
        coherence.end_write();
        assert_eq!(coherence.epoch(), 1);
    }
}
