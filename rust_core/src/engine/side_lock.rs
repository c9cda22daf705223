//! The queue of the writers of several processes: a record lock on byte 1 of the side file.
//!
//! The kernel keeps those who wait in line, which SQLite's own busy handler does not.
use super::os;
use std::io;
use std::os::fd::RawFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const QUEUE_BYTE: libc::off_t = 1;
const FALSE_DEADLOCK_PAUSE: Duration = Duration::from_millis(2);

#[derive(Clone, Copy, PartialEq)]
enum Helper {
    /// No thread waits for the lock.
    None,
    /// One waits. The lock belongs to the process: a second wait would take it at once, so later callers join this one.
    Waiting {
        wanted: bool,
    },
    /// It came and belongs to the writer.
    Granted,
    Failed(i32),
}

pub struct QueueLock {
    fd: RawFd,
    helper: Arc<(Mutex<Helper>, Condvar)>,
}

/// The writers' queue is ours while this lives.
pub struct Turn<'a>(&'a QueueLock);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let _ = os::set_lock(self.0.fd, QUEUE_BYTE, libc::F_UNLCK, libc::F_SETLK);
    }
}

impl QueueLock {
    pub fn new(fd: RawFd) -> Self {
        Self { fd, helper: Arc::new((Mutex::new(Helper::None), Condvar::new())) }
    }

    /// Wait for our turn until `deadline`; None if it did not come.
    pub fn take(&self, deadline: Instant) -> io::Result<Option<Turn<'_>>> {
        let mut state = lock(&self.helper.0);
        if *state == Helper::None {
            match os::set_lock(self.fd, QUEUE_BYTE, libc::F_WRLCK, libc::F_SETLK) {
                Ok(()) => return Ok(Some(Turn(self))),
                Err(error) if !matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => return Err(error),
                Err(_) if Instant::now() >= deadline => return Ok(None),
                Err(_) => self.start_helper()?,
            }
        }
        *state = Helper::Waiting { wanted: true };
        loop {
            match *state {
                Helper::Granted => {
                    *state = Helper::None;
                    return Ok(Some(Turn(self)));
                }
                Helper::Failed(errno) => {
                    *state = Helper::None;
                    return Err(io::Error::from_raw_os_error(errno));
                }
                Helper::None | Helper::Waiting { .. } => {}
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                *state = Helper::Waiting { wanted: false };
                return Ok(None);
            }
            state = self.helper.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn start_helper(&self) -> io::Result<()> {
        let (fd, helper) = (self.fd, Arc::clone(&self.helper));
        let name = "asyncdictsqlite-queue".to_owned();
        std::thread::Builder::new().name(name).spawn(move || wait_in_line(fd, &helper)).map(drop)
    }
}

/// On the helper thread: wait in the kernel; a lock that comes too late is given back.
fn wait_in_line(fd: RawFd, helper: &(Mutex<Helper>, Condvar)) {
    let came = loop {
        match os::set_lock(fd, QUEUE_BYTE, libc::F_WRLCK, libc::F_SETLKW) {
            // Cycles over two files are false alarms: the kernel sees processes, not threads.
            Err(error) if error.raw_os_error() == Some(libc::EDEADLK) => std::thread::sleep(FALSE_DEADLOCK_PAUSE),
            Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
            came => break came,
        }
    };
    let mut state = lock(&helper.0);
    *state = match (&came, *state) {
        (Ok(()), Helper::Waiting { wanted: true }) => Helper::Granted,
        (Err(error), Helper::Waiting { wanted: true }) => Helper::Failed(error.raw_os_error().unwrap_or(libc::EIO)),
        (Ok(()), _) => {
            let _ = os::set_lock(fd, QUEUE_BYTE, libc::F_UNLCK, libc::F_SETLK);
            Helper::None
        }
        (Err(_), _) => Helper::None,
    };
    drop(state);
    helper.1.notify_all();
}

fn lock(state: &Mutex<Helper>) -> MutexGuard<'_, Helper> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
