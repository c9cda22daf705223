//! Short work without the GIL, by threads that each come back for more.
//!
//! Who finds the GIL taken sleeps, and to wake it takes longer than a read. So a thread that comes back from one looks
//! first whether another holds the GIL that is about to leave with the next.
use pyo3::prelude::*;
use std::cell::Cell;
use std::hint;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long to wait for the other one: what it does between two reads takes less, if it does nothing else.
const PATIENCE: Duration = Duration::from_micros(3);

/// The thread that came back last, unless it has left again; 0: none.
static BACK: AtomicUsize = AtomicUsize::new(0);

thread_local!(static ME: Cell<u8> = const { Cell::new(0) });

/// Call `read` without the GIL.
pub fn read<T: Send>(py: Python<'_>, read: impl FnOnce() -> T + Send) -> T {
    let me = ME.with(|me| me.as_ptr() as usize);
    if BACK.load(Ordering::Relaxed) == me {
        BACK.store(0, Ordering::Relaxed);
    }
    let found = py.detach(|| {
        let found = read();
        let since = Instant::now();
        while BACK.load(Ordering::Relaxed) != 0 && since.elapsed() < PATIENCE {
            hint::spin_loop();
        }
        found
    });
    BACK.store(me, Ordering::Relaxed);
    found
}
