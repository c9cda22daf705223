//! What threads have finished, on its way to whoever takes it in, who never waits for them.
use super::os::Pushed;
use super::spare::Spare;
use super::sync::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use super::sync::thread::{self, Thread};
use std::time::Duration;

pub struct Outbox<T> {
    finished: Pushed<Vec<T>>,
    /// Emptied ones, for those who deliver.
    spare: Spare<Vec<T>>,
    /// Whether there may be something to take.
    due: AtomicBool,
    wakes: AtomicU64,
    /// Threads that sleep until something is delivered, or did so.
    sleepers: Pushed<Thread>,
}

#[allow(clippy::new_without_default)] // for statics
impl<T> Outbox<T> {
    pub const fn new() -> Self {
        let (due, wakes) = (AtomicBool::new(false), AtomicU64::new(0));
        Self { finished: Pushed::new(), spare: Spare::new(), due, wakes, sleepers: Pushed::new() }
    }

    /// In a forked child: what is here is the parent's, also to drop.
    pub fn abandon(&self) {
        std::mem::forget((self.finished.take(), self.spare.take(), self.sleepers.take()));
        self.due.store(false, Ordering::SeqCst);
    }

    /// Hand in what is finished; it is taken in this order. `wake_sleepers` comes next.
    pub fn deliver(&self, finished: impl IntoIterator<Item = T>) {
        let mut list = self.spare.take().pop().unwrap_or_default();
        list.extend(finished);
        self.finished.push(list);
        self.due.store(true, Ordering::SeqCst);
    }

    #[inline]
    pub fn is_due(&self) -> bool {
        self.due.load(Ordering::SeqCst)
    }

    /// Take everything that was delivered. `is_due` is false from then on, unless something came meanwhile.
    pub fn take(&self, mut take: impl FnMut(T)) {
        self.due.store(false, Ordering::SeqCst); // first: what comes after that makes it true again
        for mut list in self.finished.take() {
            list.drain(..).for_each(&mut take);
            let bytes = list.capacity() * size_of::<T>();
            self.spare.give_back(list, bytes);
        }
    }

    /// Something that was taken is not yet taken in.
    pub fn set_due(&self) {
        self.due.store(true, Ordering::SeqCst);
    }

    /// A number that moves with each `wake_sleepers`: read it, look, then `sleep` on it.
    pub fn wakes(&self) -> u64 {
        self.wakes.load(Ordering::SeqCst)
    }

    /// Sleep until `wake_sleepers` since `seen`, or for `patience`; or a little less.
    pub fn sleep(&self, seen: u64, patience: Duration) {
        self.sleepers.push(thread::current());
        if self.wakes() == seen {
            thread::park_timeout(patience);
        }
    }

    /// After a delivery, and after something was taken in that a sleeper may wait for.
    pub fn wake_sleepers(&self) {
        self.wakes.fetch_add(1, Ordering::SeqCst); // who sleeps from now on sees that
        for sleeper in self.sleepers.take() {
            sleeper.unpark();
        }
    }
}
