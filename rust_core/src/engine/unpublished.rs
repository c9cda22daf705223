//! The commit between its COMMIT and its delivery: readers of the file may see it, memory does not know it yet.
//!
//! What was read from it waits until it is delivered, and so published: who has seen a new value must not find the old
//! one in memory afterwards.
use super::wal_index::{Header, Words};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

#[derive(Default)]
pub struct Unpublished {
    is_there: AtomicBool,
    /// The wal-index before the COMMIT: nobody sees it as long as these words stand, for our writer has the write lock.
    before: [AtomicU64; size_of::<Words>() / 8],
    waiting: Mutex<()>,
    published: Condvar,
}

impl Unpublished {
    /// Our writer, with the write lock, is about to COMMIT. `header` None: nobody can tell when it is seen.
    pub fn begin(&self, header: Option<Header>) {
        let words = header.map_or([0; _], Header::words);
        for (before, word) in self.before.iter().zip(words) {
            before.store(word, Ordering::Relaxed);
        }
        self.is_there.store(true, Ordering::SeqCst);
    }

    /// It was delivered, or it failed.
    pub fn end(&self) {
        if self.is_there.swap(false, Ordering::SeqCst) {
            drop(self.lock()); // who has seen it as there waits by now
            self.published.notify_all();
        }
    }

    /// Whether a read that was just made may have seen it.
    #[inline]
    pub fn may_be_seen(&self, header: Option<Header>) -> bool {
        self.is_there.load(Ordering::SeqCst) && self.is_visible(header)
    }

    #[cold]
    fn is_visible(&self, header: Option<Header>) -> bool {
        let Some(header) = header else { return true };
        header.words().iter().zip(&self.before).any(|(word, before)| *word != before.load(Ordering::Relaxed))
    }

    /// Wait until nothing that was read so far is unpublished. For worker threads.
    pub fn wait(&self, header: Option<Header>) {
        if self.may_be_seen(header) {
            let waits = |(): &mut ()| self.may_be_seen(header);
            drop(self.published.wait_while(self.lock(), waits).unwrap_or_else(PoisonError::into_inner));
        }
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared_memory() -> (&'static [AtomicU64; 16], Option<Header>) {
        let memory: &'static [AtomicU64; 16] = Box::leak(Box::new([const { AtomicU64::new(1) }; 16]));
        (memory, Some(Header::from_address(memory.as_ptr().cast_mut())))
    }

    #[test]
    fn a_commit_may_be_seen_from_its_change_of_the_header_until_it_is_delivered() {
        let ((memory, header), unpublished) = (shared_memory(), Unpublished::default());
        assert!(!unpublished.may_be_seen(header));
        unpublished.begin(header);
        assert!(!unpublished.may_be_seen(header));
        memory[1].fetch_add(1, Ordering::Relaxed);
        assert!(unpublished.may_be_seen(header));
        unpublished.end();
        assert!(!unpublished.may_be_seen(header));
    }

    #[test]
    fn without_a_header_every_commit_may_be_seen() {
        let unpublished = Unpublished::default();
        unpublished.begin(None);
        assert!(unpublished.may_be_seen(None));
    }

    #[test]
    fn who_has_seen_it_waits_for_its_delivery() {
        let ((memory, header), unpublished) = (shared_memory(), Unpublished::default());
        unpublished.begin(header);
        memory[1].fetch_add(1, Ordering::Relaxed);
        let delivered = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| {
                unpublished.wait(header);
                delivered.load(Ordering::SeqCst)
            });
            std::thread::sleep(std::time::Duration::from_millis(20));
            delivered.store(true, Ordering::SeqCst);
            unpublished.end();
            assert!(waits.join().is_ok_and(|was_delivered| was_delivered));
        });
    }
}
