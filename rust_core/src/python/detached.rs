//! Short work without the GIL, by threads that each come back for more.
use pyo3::prelude::*;
use std::cell::Cell;
use std::hint;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long a thread that comes back looks for the GIL before it sleeps until it is woken, which takes longer than a read:
/// what another one does between two reads takes less, if it does little else.
const PATIENCE: Duration = Duration::from_micros(10);
/// To wait longer than this for the GIL means that somebody has it who does not read.
const LONG: Duration = Duration::from_micros(500);
/// About what one read takes, and how many a thread makes at most before it leaves the GIL again.
const READ: Duration = Duration::from_micros(3);
const MOST_STAYS: u128 = 5000;

/// The thread that came back last, unless it has left again; 0: none.
static BACK: AtomicUsize = AtomicUsize::new(0);

thread_local!(static STAYS: Cell<u32> = const { Cell::new(0) });

/// Whether this thread shall keep the GIL for its next read: for as many as the time would have been enough for that it
/// last waited. Who computes gives it up each five milliseconds, so a thread that left it for each read would make two
/// hundred a second.
pub fn stays() -> bool {
    STAYS.with(|stays| {
        let left = stays.get();
        stays.set(left.saturating_sub(1));
        left > 0
    })
}

/// Call `read` without the GIL.
pub fn read<T: Send>(py: Python<'_>, read: impl FnOnce() -> T + Send) -> T {
    let me = STAYS.with(|stays| stays.as_ptr() as usize);
    if BACK.load(Ordering::Relaxed) == me {
        BACK.store(0, Ordering::Relaxed);
    }
    let (found, since) = py.detach(|| {
        let found = read();
        let since = Instant::now();
        while BACK.load(Ordering::Relaxed) != 0 && since.elapsed() < PATIENCE {
            hint::spin_loop();
        }
        (found, since)
    });
    BACK.store(me, Ordering::Relaxed);
    let waited = since.elapsed();
    if waited > LONG {
        STAYS.set((waited.as_micros() / READ.as_micros()).min(MOST_STAYS) as u32);
    }
    found
}
