//! What the standard library has not: record locks, and what wakes an event loop (an eventfd, or a pipe where there is none).
#![allow(unsafe_code)]
use std::fs::File;
use std::io::{Error, Read, Result, Write};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};

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
