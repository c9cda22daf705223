//! Finished jobs of all engines of the process on their way home, and how sleepers learn of them.
//!
//! Workers call `deliver` and never touch the interpreter. Every entry from Python calls `drain` first, so that what
//! is committed is in memory before anyone can look; the wake-ups are for sleepers only.
use super::gil_cell::GilCell;
use super::job::Finished;
use crate::engine::os::Waker;
use pyo3::prelude::*;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// How many jobs that a lazy flush made durable one entry takes in.
const SETTLED_AT_ONCE: usize = 4;
/// How long a blocked thread may miss a signal (KeyboardInterrupt).
const SIGNAL_CHECK: Duration = Duration::from_millis(100);

#[derive(Default)]
struct Hub {
    inner: Mutex<Inner>,
    arrived: Condvar,
}

#[derive(Default)]
struct Inner {
    finished: Vec<Finished>,
    loops: Vec<Arc<Wake>>,
    deliveries: u64,
    sleeping_threads: usize,
}

/// True while anything waits to be drained.
static DUE: AtomicBool = AtomicBool::new(false);
/// One for this process, and one for each that it was forked from: the lock of an old one may be held for ever.
static HUBS: [OnceLock<Hub>; 256] = [const { OnceLock::new() }; 256];
static PROCESS: AtomicU8 = AtomicU8::new(0);
/// Taken from the hub, not yet home.
static WAITING: GilCell<RefCell<Waiting>> =
    GilCell::new(RefCell::new(Waiting { coming: VecDeque::new(), settling: VecDeque::new() }));

struct Waiting {
    coming: VecDeque<Finished>,
    /// What a lazy flush made durable: nobody waits for it, so a hundred thousand do not hold up one entry.
    settling: VecDeque<Finished>,
}

fn hub() -> &'static Hub {
    HUBS[usize::from(process())].get_or_init(Hub::default)
}

fn lock() -> MutexGuard<'static, Inner> {
    hub().inner.lock().unwrap_or_else(PoisonError::into_inner) // lists and numbers are whole after any panic
}

/// Moves in each forked child.
pub fn process() -> u8 {
    PROCESS.load(Ordering::Relaxed)
}

/// In a forked child: leave the parent's jobs, lock and loops alone.
pub fn after_fork(py: Python<'_>) {
    PROCESS.fetch_add(1, Ordering::Relaxed);
    DUE.store(false, Ordering::Release);
    // What waited is leaked: it is the parent's.
    take(py, |waiting| std::mem::forget((std::mem::take(&mut waiting.coming), std::mem::take(&mut waiting.settling))));
}

/// Hand in what is finished, in the order in which it shall be taken in. For worker threads.
pub fn deliver(finished: impl IntoIterator<Item = Finished>) {
    let mut inner = lock();
    inner.finished.extend(finished);
    inner.deliveries += 1;
    DUE.store(true, Ordering::SeqCst);
    // With the lock, so that no thread holds the last reference of a descriptor whose loop is closed.
    for wake in inner.loops.iter().filter(|wake| wake.has_sleepers()) {
        wake.signal();
    }
    if inner.sleeping_threads > 0 {
        drop(inner);
        hub().arrived.notify_all();
    }
}

#[inline(always)]
pub fn is_due() -> bool {
    DUE.load(Ordering::SeqCst)
}

/// Take in what is finished. One atomic load where nothing is.
#[inline(always)]
pub fn drain(py: Python<'_>) {
    if DUE.load(Ordering::Acquire) {
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
    let mut inner = lock();
    if inner.sleeping_threads > 0 {
        inner.deliveries += 1; // what another thread took home may be what they wait for
        drop(inner);
        hub().arrived.notify_all();
    }
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
    let mut inner = lock();
    take(py, |waiting| {
        for finished in inner.finished.drain(..) {
            let queue = if finished.settles() { &mut waiting.settling } else { &mut waiting.coming };
            queue.push_back(finished);
        }
        DUE.store(!waiting.coming.is_empty() || !waiting.settling.is_empty(), Ordering::SeqCst);
        !waiting.coming.is_empty()
    })
}

/// A number that moves with every delivery: read it, look, then `sleep` on it.
pub fn deliveries() -> u64 {
    lock().deliveries
}

/// Sleep until something was delivered since `seen`, or it is time to look for signals. Without the GIL.
pub fn sleep(seen: u64) {
    let mut inner = lock();
    inner.sleeping_threads += 1;
    let waited = hub().arrived.wait_timeout_while(inner, SIGNAL_CHECK, |inner| inner.deliveries == seen);
    waited.unwrap_or_else(PoisonError::into_inner).0.sleeping_threads -= 1;
}

pub fn add_loop(wake: Arc<Wake>) {
    lock().loops.push(wake);
}

pub fn forget_loop(wake: &Arc<Wake>) {
    lock().loops.retain(|known| !Arc::ptr_eq(known, wake));
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
