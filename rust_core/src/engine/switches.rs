//! Test switches: seeded delays and faults in the reader and the writer.
use super::failure::sqlite_error;
use rusqlite::ffi;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Full,
    Locked,
    Io,
    Corrupt,
    /// As if a sync of the commit had failed (reader: as `Io`).
    Sync,
    Panic,
}

impl Fault {
    /// The error that SQLite would give.
    ///
    /// # Panics
    /// For `Panic`: that is its fault.
    pub fn raise(self) -> rusqlite::Error {
        let code = match self {
            Self::Full => ffi::SQLITE_FULL,
            Self::Locked => ffi::SQLITE_BUSY,
            Self::Io | Self::Sync => ffi::SQLITE_IOERR_READ,
            Self::Corrupt => ffi::SQLITE_CORRUPT,
            Self::Panic => panic!("panic injected by a test switch"),
        };
        sqlite_error(code, Some("injected by a test switch".into()))
    }
}

/// Delays are the longest ones; a fault comes at the n-th job or transaction from now, counted from 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct Switches {
    pub seed: u64,
    pub reader_delay: Duration,
    pub writer_delay: Duration,
    pub reader_fault: Option<(u64, Fault)>,
    pub writer_fault: Option<(u64, Fault)>,
    /// Take exactly so many waiting calls per commit, and wait until they are there.
    pub commit_after: Option<usize>,
}

#[derive(Clone, Copy)]
pub enum Place {
    Reader,
    Writer,
}

#[derive(Default)]
pub struct Injected {
    armed: AtomicBool,
    state: Mutex<(Switches, u64)>,
}

impl Injected {
    pub fn set(&self, switches: Switches) {
        *self.lock() = (switches, switches.seed);
        self.armed.store(true, Ordering::Release);
    }

    pub fn is_armed(&self) -> bool {
        self.armed.load(Ordering::Acquire)
    }

    /// Sleep a random share of the longest delay of this place.
    pub fn delay(&self, place: Place) {
        if !self.is_armed() {
            return;
        }
        let mut state = self.lock();
        let longest = match place {
            Place::Reader => state.0.reader_delay,
            Place::Writer => state.0.writer_delay,
        };
        let share = next_random(&mut state.1);
        drop(state);
        if !longest.is_zero() {
            std::thread::sleep(longest.mul_f64(share));
        }
    }

    /// Count one job or transaction; tells the fault that is due.
    pub fn fault(&self, place: Place) -> Option<Fault> {
        if !self.is_armed() {
            return None;
        }
        let mut state = self.lock();
        let due = match place {
            Place::Reader => &mut state.0.reader_fault,
            Place::Writer => &mut state.0.writer_fault,
        };
        match due {
            Some((0 | 1, fault)) => {
                let fault = *fault;
                *due = None;
                Some(fault)
            }
            Some((left, _)) => {
                *left -= 1;
                None
            }
            None => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, (Switches, u64)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number in 0..1; splitmix64.
fn next_random(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}
