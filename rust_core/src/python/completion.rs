//! Finished jobs of all engines of the process on their way home, and how sleepers learn of them.
//!
//! Workers call `deliver` and never touch the interpreter. Every entry from Python calls `drain` first, so that what
//! is committed is in memory before anyone can look; the wake-ups are for sleepers only.
use super::gil_cell::GilCell;
use super::job::Finished;
use crate::engine::os::Waker;
use crate::engine::outbox::Outbox;
use pyo3::prelude::*;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many jobs that a lazy flush made durable one entry takes in.
const SETTLED_AT_ONCE: usize = 2;
/// How long a blocked thread may miss a signal (KeyboardInterrupt).
const SIGNAL_CHECK: Duration = Duration::from_millis(100);

static FINISHED: Outbox<Finished> = Outbox::new();
/// The loops of this process, and of each that it was forked from: the lock of an old one may be held for ever. Locked by
/// workers while they wake, and by a loop at either end of its life.
static LOOPS: [Mutex<Vec<Arc<Wake>>>; 256] = [const { Mutex::new(Vec::new()) }; 256];
static PROCESS: AtomicU8 = AtomicU8::new(0);
/// Taken, not yet home.
static WAITING: GilCell<RefCell<Waiting>> =
    GilCell::new(RefCell::new(Waiting { coming: VecDeque::new(), settling: VecDeque::new() }));

struct Waiting {
    coming: VecDeque<Finished>,
    /// What a lazy flush made durable: nobody waits for it, so a hundred thousand do not hold up one entry.
    settling: VecDeque<Finished>,
}

fn loops() -> MutexGuard<'static, Vec<Arc<Wake>>> {
    LOOPS[usize::from(process())].lock().unwrap_or_else(PoisonError::into_inner)
}

/// Moves in each forked child.
pub fn process() -> u8 {
    PROCESS.load(Ordering::Relaxed)
}

/// In a forked child: leave the parent's jobs and loops alone.
pub fn after_fork(py: Python<'_>) {
    PROCESS.fetch_add(1, Ordering::Relaxed);
    FINISHED.abandon();
    // What waited is leaked: it is the parent's.
    take(py, |waiting| std::mem::forget((std::mem::take(&mut waiting.coming), std::mem::take(&mut waiting.settling))));
}

/// Hand in what is finished, in the order in which it shall be taken in. For worker threads.
pub fn deliver(finished: impl IntoIterator<Item = Finished>) {
    FINISHED.deliver(finished);
}

/// Wake whoever sleeps until something is delivered.
pub fn wake() {
    FINISHED.wake_sleepers();
    // With the lock, so that no thread holds the last reference of a descriptor whose loop is closed.
    for wake in loops().iter().filter(|wake| wake.has_sleepers()) {
        wake.signal();
    }
}

#[inline(always)]
pub fn is_due() -> bool {
    FINISHED.is_due()
}

/// Take in what is finished. One atomic load where nothing is.
#[inline(always)]
pub fn drain(py: Python<'_>) {
    if is_due() {
        drain_all(py);
    }
}

#[cold]
#[inline(never)]
fn drain_all(py: Python<'_>) {
    while refill(py) {
        while let Some(finished) = take(py, |waiting| waiting.coming.pop_front()) {
            if !finished.may_overtake() {
                settle(py, usize::MAX);
            }
            finished.come_home(py);
        }
    }
    settle(py, SETTLED_AT_ONCE);
    FINISHED.wake_sleepers(); // what this thread took home may be what they wait for
}

fn settle(py: Python<'_>, most: usize) {
    for _ in 0..most {
        let Some(finished) = take(py, |waiting| waiting.settling.pop_front()) else { break };
        finished.come_home(py);
    }
}

/// Look into what waits. A job that is taken out may run Python code (also `drain`) when it comes home.
fn take<T>(py: Python<'_>, look: impl FnOnce(&mut Waiting) -> T) -> T {
    look(&mut WAITING.get(py).borrow_mut())
}

/// False where nothing is left but what settles.
fn refill(py: Python<'_>) -> bool {
    take(py, |waiting| {
        FINISHED.take(|finished| {
            let queue = if finished.settles() { &mut waiting.settling } else { &mut waiting.coming };
            queue.push_back(finished);
        });
        if !waiting.coming.is_empty() || !waiting.settling.is_empty() {
            FINISHED.set_due();
        }
        !waiting.coming.is_empty()
    })
}

/// A number that moves with each wake-up: read it, look, then `sleep` on it.
pub fn wakes() -> u64 {
    FINISHED.wakes()
}

/// Sleep until something was delivered since `seen`, or it is time to look for signals. Without the GIL.
pub fn sleep(seen: u64) {
    FINISHED.sleep(seen, SIGNAL_CHECK);
}

pub fn add_loop(wake: Arc<Wake>) {
    loops().push(wake);
}

pub fn forget_loop(wake: &Arc<Wake>) {
    loops().retain(|known| !Arc::ptr_eq(known, wake));
}

/// How workers wake one loop.
pub struct Wake {
    waker: Waker,
    signalled: AtomicBool,
    sleepers: AtomicUsize,
}

impl Wake {
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { waker: Waker::new()?, signalled: AtomicBool::new(false), sleepers: AtomicUsize::new(0) })
    }

    pub fn descriptor(&self) -> RawFd {
        self.waker.fd()
    }

    pub fn signal(&self) {
        if !self.signalled.swap(true, Ordering::AcqRel) {
            self.waker.wake();
        }
    }

    /// Before looking for what arrived: an arrival after that signals again.
    pub fn clear(&self) {
        self.waker.clear();
        self.signalled.store(false, Ordering::SeqCst);
    }

    pub fn add_sleeper(&self) {
        self.sleepers.fetch_add(1, Ordering::SeqCst);
    }

    pub fn forget_sleeper(&self) {
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
    }

    fn has_sleepers(&self) -> bool {
        self.sleepers.load(Ordering::SeqCst) > 0
    }
}
