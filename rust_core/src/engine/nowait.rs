//! Reads that never wait for a disk: SQLite's `pread` replaced by `preadv2(RWF_NOWAIT)`, per thread and on demand.
#![allow(unsafe_code)]
use rusqlite::ffi;
use std::sync::OnceLock;

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Nothing had to be waited for.
    None,
    /// A page is not in memory (or a read came back short): the attempt failed.
    Would,
    /// The system cannot tell for this file (errno): it was read as usual.
    Unsupported(i32),
}

/// Whether SQLite was built so that its `pread` can be replaced (`USE_PREAD`).
pub fn hookable() -> bool {
    static HOOKABLE: OnceLock<bool> = OnceLock::new();
    *HOOKABLE.get_or_init(|| {
        // SAFETY: the default VFS lives for ever; asking changes nothing.
        unsafe {
            let vfs = ffi::sqlite3_vfs_find(std::ptr::null());
            !vfs.is_null() && (*vfs).xGetSystemCall.is_some_and(|get| get(vfs, c"pread".as_ptr()).is_some())
        }
    })
}

#[cfg(target_os = "linux")]
pub use linux::{attempt, install};

#[cfg(target_os = "linux")]
mod linux {
    use super::Wait;
    use rusqlite::ffi;
    use std::cell::Cell;
    use std::ffi::{c_int, c_void};
    use std::sync::OnceLock;

    #[derive(Clone, Copy)]
    enum Mode {
        Blocking,
        NoWait(Wait),
    }

    thread_local!(static MODE: Cell<Mode> = const { Cell::new(Mode::Blocking) });

    unsafe extern "C" fn pread(fd: c_int, buffer: *mut c_void, size: usize, offset: i64) -> isize {
        // SAFETY: forwards what SQLite passes to the system call it asked for.
        unsafe {
            if matches!(MODE.get(), Mode::Blocking) {
                return libc::pread64(fd, buffer, size, offset);
            }
            let slice = libc::iovec { iov_base: buffer, iov_len: size };
            // By number: glibc has the wrapper only since 2.26, and manylinux2014 is older.
            let got = libc::syscall(libc::SYS_preadv2, fd, &raw const slice, 1, offset, 0, libc::RWF_NOWAIT) as isize;
            if got == size as isize {
                return got;
            }
            let errno = *libc::__errno_location();
            if got < 0 && [libc::EOPNOTSUPP, libc::ENOSYS, libc::EPERM].contains(&errno) {
                MODE.set(Mode::NoWait(Wait::Unsupported(errno)));
                return libc::pread64(fd, buffer, size, offset);
            }
            // EAGAIN, but also a short or empty read (Linux 5.9 gave 0 before the end): the reader thread will tell.
            MODE.set(Mode::NoWait(Wait::Would));
            *libc::__errno_location() = libc::EAGAIN;
            -1
        }
    }

    /// Put the hook into SQLite's unix VFSes, once per process; tells whether it is there.
    pub fn install() -> bool {
        static INSTALLED: OnceLock<bool> = OnceLock::new();
        *INSTALLED.get_or_init(|| {
            if !super::hookable() {
                return false;
            }
            // SAFETY: the default VFS lives for ever; `pread` has the signature of the call it replaces.
            unsafe {
                let vfs = ffi::sqlite3_vfs_find(std::ptr::null());
                let Some(set) = (*vfs).xSetSystemCall else { return false };
                let hook: unsafe extern "C" fn(c_int, *mut c_void, usize, i64) -> isize = pread;
                let hook = std::mem::transmute::<*const (), unsafe extern "C" fn()>(hook as *const ());
                set(vfs, c"pread".as_ptr(), Some(hook)) == ffi::SQLITE_OK
            }
        })
    }

    /// Back to blocking reads, also when `read` panics.
    struct Back;

    impl Drop for Back {
        fn drop(&mut self) {
            MODE.set(Mode::Blocking);
        }
    }

    /// Run `read` without waiting for a disk; tells also whether it would have had to.
    pub fn attempt<T>(read: impl FnOnce() -> T) -> (T, Wait) {
        MODE.set(Mode::NoWait(Wait::None));
        let _back = Back;
        let result = read();
        match MODE.get() {
            Mode::NoWait(wait) => (result, wait),
            Mode::Blocking => (result, Wait::None),
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub fn install() -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
pub fn attempt<T>(read: impl FnOnce() -> T) -> (T, Wait) {
    (read(), Wait::None)
}
