//! Tells the commits of other processes from our own.
//!
//! While our writer holds SQLite's write lock, nobody else can change the wal-index header: every change seen then is our own.
//! The last thing the writer does before it gives the lock up (`vfs`) is to note the words it leaves behind. Any
//! other word, ever, is foreign and moves the epoch. So a foreign commit that comes right after ours is seen as foreign.
//! Nobody waits for anybody: what two threads do to the words at once at worst moves the epoch once too often.
use super::wal_index::{Header, Words};
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering, fence};

pub struct Coherence {
    header: AtomicPtr<AtomicU64>,
    /// The words that the present epoch has taken into account.
    expected: [AtomicU64; 6],
    epoch: AtomicU64,
    /// Odd while our writer has the write lock.
    turns: AtomicU64,
}

impl Coherence {
    pub fn new() -> Self {
        Self {
            header: AtomicPtr::new(Header::nothing().address()),
            expected: [const { AtomicU64::new(0) }; 6],
            epoch: AtomicU64::new(0),
            turns: AtomicU64::new(0),
        }
    }

    /// Look at this header from now on, as it is. None: nothing can be known, each look moves the epoch.
    pub fn attach(&self, header: Option<Header>) {
        match header {
            Some(header) => {
                self.header.store(header.address(), Ordering::Release);
                self.expect(&header.words());
            }
            None => self.expect(&[u64::MAX; _]),
        }
    }

    /// Look at shared memory no more: its mapping may go.
    pub fn detach(&self) {
        self.header.store(Header::nothing().address(), Ordering::Release);
    }

    #[inline]
    pub fn unchanged(&self) -> bool {
        self.expects(self.header())
    }

    #[inline]
    fn expects(&self, header: Header) -> bool {
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
        loop {
            let turns = self.turns.load(Ordering::Acquire);
            if turns.is_multiple_of(2) {
                let header = self.header();
                let words = header.words();
                let known = self.expects(header);
                fence(Ordering::Acquire);
                if self.turns.load(Ordering::Relaxed) != turns {
                    continue; // it may have been our own change
                }
                if !known {
                    self.take_in(header, &words);
                }
            }
            return self.epoch.load(Ordering::Acquire);
        }
    }

    /// Our writer has taken the write lock: returns the epoch in which it decides and commits.
    pub fn begin_write(&self) -> u64 {
        let header = self.header();
        if !self.expects(header) {
            self.take_in(header, &header.words());
        }
        self.turns.fetch_add(1, Ordering::AcqRel);
        self.epoch.load(Ordering::Acquire)
    }

    /// Our writer is about to give the write lock up.
    pub fn end_write(&self) {
        if !self.turns.load(Ordering::Relaxed).is_multiple_of(2) {
            self.expect(&self.header().words());
            self.turns.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// The words are from before the epoch moves: a commit after them is a change still to be seen. Whoever else takes
    /// in something meanwhile leaves words that no header has, and so the epoch moves once more.
    fn take_in(&self, header: Header, words: &Words) {
        self.epoch.fetch_add(1, Ordering::AcqRel); // before the words: who sees them sees the epoch
        if !header.is_nothing() {
            self.expect(words);
        }
    }

    fn expect(&self, words: &Words) {
        for (expected, word) in self.expected.iter().zip(words) {
            expected.store(*word, Ordering::Release);
        }
    }

    fn header(&self) -> Header {
        Header::from_address(self.header.load(Ordering::Acquire))
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
