//! What goes back, when its content was taken in, to the threads that made it: they use it again or free it, so that
//! nobody waits for the lock of another thread's memory.
use super::os::Pushed;
use super::sync::sync::atomic::{AtomicUsize, Ordering};

/// More than this is not kept.
const MOST_BYTES: usize = 1 << 20;

/// One thread gives back at a time (for the boundary: who holds the GIL), any thread takes.
pub struct Spare<T> {
    things: Pushed<T>,
    bytes: AtomicUsize,
}

#[allow(clippy::new_without_default)] // for statics
impl<T> Spare<T> {
    pub const fn new() -> Self {
        Self { things: Pushed::new(), bytes: AtomicUsize::new(0) }
    }

    /// `bytes`: what it takes.
    pub fn give_back(&self, thing: T, bytes: usize) {
        if self.bytes.load(Ordering::Relaxed).saturating_add(bytes) <= MOST_BYTES {
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
            self.things.push(thing);
        }
    }

    pub fn take(&self) -> Vec<T> {
        let things = self.things.take();
        self.bytes.store(0, Ordering::Relaxed);
        things
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_kept_than_the_bound_until_somebody_takes_it() {
        let spare = Spare::new();
        for (thing, bytes) in [(1, MOST_BYTES - 1), (2, 2), (3, 1), (4, usize::MAX)] {
            spare.give_back(thing, bytes);
        }
        assert_eq!(spare.take(), [1, 3]);
        spare.give_back(5, MOST_BYTES);
        assert_eq!(spare.take(), [5]);
    }
}
