//! A place where one thread leaves things for another one without ever waiting for it.
use super::sync::hint;
use super::sync::sync::atomic::{AtomicU64, Ordering};
use super::sync::sync::{Mutex, MutexGuard};
use std::sync::{PoisonError, TryLockError};

/// Lists behind locks of their own. The taker goes through them and locks one at a time; a caller takes the first that
/// is free, and numbers what it leaves. Invariant: what one round of the taker finds, with all that it found before, has
/// no gap, because a caller goes past a lane only while the taker is there; sorted, it is in the order of the calls.
///
/// Callers come one at a time; the third lane is for the one other thread that may call meanwhile, whose things have no
/// order among those.
pub struct Lanes<T> {
    lanes: [Mutex<T>; 3],
    last_place: AtomicU64,
}

impl<T: Default> Default for Lanes<T> {
    fn default() -> Self {
        Self { lanes: std::array::from_fn(|_| Mutex::default()), last_place: AtomicU64::new(0) }
    }
}

impl<T> Lanes<T> {
    /// Leave something, at once. `leave` gets its place in the order of all, counted from 1.
    #[inline]
    pub fn leave<R>(&self, leave: impl FnOnce(&mut T, u64) -> R) -> R {
        let mut lane = self.free_lane();
        let place = self.last_place.fetch_add(1, Ordering::Relaxed) + 1;
        leave(&mut lane, place)
    }

    /// Moves with each thing that is left.
    pub fn last_place(&self) -> u64 {
        self.last_place.load(Ordering::Relaxed)
    }

    #[inline]
    fn free_lane(&self) -> MutexGuard<'_, T> {
        loop {
            for lane in &self.lanes {
                match lane.try_lock() {
                    Ok(lane) => return lane,
                    Err(TryLockError::Poisoned(lane)) => return lane.into_inner(),
                    Err(TryLockError::WouldBlock) => {}
                }
            }
            hint::spin_loop(); // the taker went from one to the next just then
        }
    }

    /// Look into each lane, in turn. For the taker.
    pub fn each(&self, look: impl FnMut(MutexGuard<'_, T>)) {
        self.lanes.iter().map(|lane| lane.lock().unwrap_or_else(PoisonError::into_inner)).for_each(look);
    }
}
