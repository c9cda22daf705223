//! What the standard library has not: record locks, what wakes an event loop (an eventfd, or a pipe where there is none),
//! and a list that is never locked.
#![allow(unsafe_code)]
use super::sync::sync::atomic::{AtomicPtr, Ordering};
use std::fs::File;
use std::io::{Error, Read, Result, Write};
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::ptr::null_mut;

/// A descriptor that is readable from `wake` to `clear`.
pub struct Waker {
    reading: File,
    #[cfg(not(target_os = "linux"))]
    writing: File,
}

impl Waker {
    #[cfg(target_os = "linux")]
    pub fn new() -> Result<Self> {
        // SAFETY: a plain system call; the descriptor is ours alone and File closes it.
        unsafe {
            let fd = libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC);
            if fd < 0 { Err(Error::last_os_error()) } else { Ok(Self { reading: File::from_raw_fd(fd) }) }
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub fn new() -> Result<Self> {
        let mut fds = [0; 2];
        // SAFETY: plain system calls; the descriptors are ours alone and File closes them.
        unsafe {
            if libc::pipe(fds.as_mut_ptr()) < 0 {
                return Err(Error::last_os_error());
            }
            for fd in fds {
                libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
                libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK);
            }
            Ok(Self { reading: File::from_raw_fd(fds[0]), writing: File::from_raw_fd(fds[1]) })
        }
    }

    /// The descriptor to watch.
    pub fn fd(&self) -> RawFd {
        self.reading.as_raw_fd()
    }

    pub fn wake(&self) {
        #[cfg(target_os = "linux")]
        let mut file = &self.reading;
        #[cfg(not(target_os = "linux"))]
        let mut file = &self.writing;
        let _ = file.write(&1u64.to_ne_bytes()); // full: it is readable already
    }

    pub fn clear(&self) {
        let mut bytes = [0; 512];
        let _ = (&self.reading).read(&mut bytes); // empty: cleared already
    }
}

/// Take or give back a record lock on one byte of a file.
pub fn set_lock(fd: RawFd, byte: libc::off_t, kind: i32, command: i32) -> Result<()> {
    // SAFETY: zero is a valid flock; fcntl reads it during the call.
    let code = unsafe {
        let mut request: libc::flock = std::mem::zeroed();
        request.l_type = kind as libc::c_short;
        request.l_whence = libc::SEEK_SET as libc::c_short;
        request.l_start = byte;
        request.l_len = 1;
        libc::fcntl(fd, command, &raw const request)
    };
    if code == 0 { Ok(()) } else { Err(Error::last_os_error()) }
}

/// A thread that others may keep apart from themselves.
pub struct ThreadId(#[cfg(target_os = "linux")] libc::pid_t);

#[cfg(target_os = "linux")]
impl ThreadId {
    pub fn current() -> Self {
        // SAFETY: a plain system call. By number: glibc has the wrapper only since 2.30.
        Self(unsafe { libc::syscall(libc::SYS_gettid) } as libc::pid_t)
    }

    /// Let that thread, which sleeps, wake on any processor that this thread may use but the one that it runs on.
    ///
    /// A hint: to Linux an idle processor of a virtual machine seems taken, so it wakes threads on the one that wakes
    /// them (`available_idle_cpu` in `kernel/sched/core.c`), to wait there for milliseconds while another one idles.
    pub fn keep_apart(&self) {
        // SAFETY: plain system calls; the last one reads a set of the size that it is given.
        unsafe {
            let here = libc::sched_getcpu() as usize;
            let Some(mut processors) = usable().filter(|_| here < libc::CPU_SETSIZE as usize) else { return };
            libc::CPU_CLR(here, &mut processors);
            if libc::CPU_COUNT(&processors) > 0 {
                libc::sched_setaffinity(self.0, size_of_val(&processors), &raw const processors);
            }
        }
    }
}

/// The processors that this thread may use.
#[cfg(target_os = "linux")]
fn usable() -> Option<libc::cpu_set_t> {
    // SAFETY: zero is a valid set; the call writes no more than the size that it is given.
    unsafe {
        let mut processors: libc::cpu_set_t = std::mem::zeroed();
        let code = libc::sched_getaffinity(0, size_of_val(&processors), &raw mut processors);
        (code == 0).then_some(processors)
    }
}

/// How many threads may run at the same time. The standard library looks into the files of cgroups each time, too.
#[cfg(target_os = "linux")]
pub fn processors() -> usize {
    // SAFETY: looks at the set alone.
    usable().map_or(1, |processors| unsafe { libc::CPU_COUNT(&processors) } as usize)
}

#[cfg(not(target_os = "linux"))]
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(not(target_os = "linux"))]
impl ThreadId {
    pub fn current() -> Self {
        Self()
    }

    pub fn keep_apart(&self) {}
}

/// A list that any thread pushes to and any thread takes the whole of; nobody ever waits for anybody.
/// Source: R. K. Treiber, Systems Programming: Coping with Parallelism, IBM RJ 5118, 1986.
pub struct Pushed<T> {
    newest: AtomicPtr<Node<T>>,
    owns: PhantomData<Node<T>>,
}

struct Node<T> {
    item: T,
    older: *mut Node<T>,
}

// SAFETY: items only move through it, from the thread that pushes to the one that takes.
unsafe impl<T: Send> Send for Pushed<T> {}
// SAFETY: as `Send`; no two threads ever see the same item.
unsafe impl<T: Send> Sync for Pushed<T> {}

#[allow(clippy::new_without_default)] // for statics
impl<T> Pushed<T> {
    pub const fn new() -> Self {
        Self { newest: AtomicPtr::new(null_mut()), owns: PhantomData }
    }

    pub fn push(&self, item: T) {
        let node = Box::into_raw(Box::new(Node { item, older: null_mut() }));
        let mut newest = self.newest.load(Ordering::Relaxed);
        loop {
            // SAFETY: the node is ours alone until it is the newest.
            unsafe { (*node).older = newest };
            match self.newest.compare_exchange_weak(newest, node, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => return,
                Err(other) => newest = other,
            }
        }
    }

    /// All that was pushed, oldest first.
    pub fn take(&self) -> Vec<T> {
        let mut items = Vec::new();
        let mut node = self.newest.swap(null_mut(), Ordering::SeqCst);
        while !node.is_null() {
            // SAFETY: `push` made it from a box; it was swapped out, so nobody else has it, or those that it leads to.
            let Node { item, older } = *unsafe { Box::from_raw(node) };
            items.push(item);
            node = older;
        }
        items.reverse();
        items
    }
}

impl<T> Drop for Pushed<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}
