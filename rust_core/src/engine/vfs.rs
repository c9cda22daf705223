//! What we change in SQLite's unix VFS.
//!
//! Our own copies of the methods of open files count the writer's syncs, gather the frames of its commits, note the moment
//! before the write lock is given up, and keep the threads out of the inline reader's way. And `pread` is replaced by `preadv2(RWF_NOWAIT)`, per thread and on demand: reads that never wait for a disk.
#![allow(unsafe_code)]
use super::coherence::Coherence;
use super::frames::Frames;
use super::wal_index::main_file;
use rusqlite::{Connection, ffi};
use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// What the files of a connection tell, and what their locks wait for.
#[derive(Default)]
pub struct Watch {
    pub syncs: AtomicU64,
    /// A sync failed: what it should have made durable is unknown from then on.
    pub sync_failed: AtomicBool,
    /// Test switch: let the next sync fail.
    pub fail_sync: AtomicBool,
    /// Told before the write lock goes; None where no other process can be there.
    pub coherence: Option<Arc<Coherence>>,
    /// Held while a lock of the wal-index is taken or given back, for SQLite has a mutex there. None: of the inline reader,
    /// which holds it all the time.
    pub index: Option<Arc<Mutex<()>>>,
    /// Of the writer, whose WAL gets them.
    pub frames: Option<Mutex<Frames>>,
    /// Locks of the wal-index that were refused, one after the other.
    pub refusals: AtomicU32,
}

#[repr(C)] // `methods` first: a file's method pointer is the pointer to this
struct Table {
    methods: ffi::sqlite3_io_methods,
    original: *const ffi::sqlite3_io_methods,
    is_wal: bool,
    watch: Arc<Watch>,
}

/// The watched files of one connection. Must outlive it.
pub struct Watched(Vec<*mut Table>);

// SAFETY: the tables are written by nobody; they move with their connection.
unsafe impl Send for Watched {}

impl Watched {
    /// Watch the database file and the WAL of this connection, which has both open.
    pub fn new(connection: &Connection, watch: &Arc<Watch>) -> Self {
        let which = [ffi::SQLITE_FCNTL_FILE_POINTER, ffi::SQLITE_FCNTL_JOURNAL_POINTER];
        let files = which.into_iter().filter_map(|which| Some((main_file(connection, which)?, which)));
        let is_wal = |which| which == ffi::SQLITE_FCNTL_JOURNAL_POINTER;
        Self(files.map(|(file, which)| replace_methods(file, is_wal(which), watch)).collect())
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        for &table in &self.0 {
            // SAFETY: made by `replace_methods`; the connection is closed, so no file points to it any more.
            drop(unsafe { Box::from_raw(table) });
        }
    }
}

fn replace_methods(file: *mut ffi::sqlite3_file, is_wal: bool, watch: &Arc<Watch>) -> *mut Table {
    // SAFETY: `file` is open, so its methods are there, for ever (they are static in os_unix.c); a struct of function
    // pointers is copied, and the copy lives until the connection is closed (contract of `Watched`).
    unsafe {
        let original = (*file).pMethods;
        let mut methods = std::ptr::read(original);
        methods.xSync = Some(sync);
        if is_wal && watch.frames.is_some() {
            methods.xWrite = Some(write);
            methods.xRead = Some(read);
            methods.xTruncate = Some(truncate);
        }
        if methods.iVersion >= 2 {
            methods.xShmLock = Some(shm_lock);
            methods.xShmBarrier = Some(shm_barrier);
        }
        let table = Box::into_raw(Box::new(Table { methods, original, is_wal, watch: Arc::clone(watch) }));
        (*file).pMethods = table.cast();
        table
    }
}

/// # Safety
/// The file was given methods by `replace_methods`.
unsafe fn table<'a>(file: *mut ffi::sqlite3_file) -> &'a Table {
    // SAFETY: the methods are the first field of a `Table`.
    unsafe { &*(*file).pMethods.cast() }
}

impl Table {
    /// # Safety
    /// `file` has these methods.
    unsafe fn write(&self, file: *mut ffi::sqlite3_file, bytes: &[u8], offset: u64) -> Result<(), c_int> {
        // SAFETY: forwards to the method that was replaced.
        let code = unsafe {
            let Some(original) = (*self.original).xWrite else { return Err(ffi::SQLITE_IOERR_WRITE) };
            original(file, bytes.as_ptr().cast(), bytes.len() as c_int, offset as i64)
        };
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(code) }
    }

    /// Write what has been gathered for this file.
    ///
    /// # Safety
    /// As `write`.
    unsafe fn flush(&self, file: *mut ffi::sqlite3_file) -> Result<(), c_int> {
        let Some(mut frames) = self.watch.frames().filter(|_| self.is_wal) else { return Ok(()) };
        // SAFETY: as this function.
        frames.flush(|bytes, offset| unsafe { self.write(file, bytes, offset) })
    }
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, from: *const c_void, size: c_int, offset: i64) -> c_int {
    // SAFETY: only the writer's WAL comes here; SQLite passes as many bytes as it says.
    unsafe {
        let table = table(file);
        let bytes = std::slice::from_raw_parts(from.cast::<u8>(), size as usize);
        let written = match table.watch.frames() {
            Some(mut frames) => frames.add(bytes, offset as u64, |bytes, offset| table.write(file, bytes, offset)),
            None => table.write(file, bytes, offset as u64),
        };
        written.err().unwrap_or(ffi::SQLITE_OK)
    }
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, into: *mut c_void, size: c_int, offset: i64) -> c_int {
    // SAFETY: as `write`.
    unsafe {
        let table = table(file);
        match (table.flush(file), (*table.original).xRead) {
            (Ok(()), Some(original)) => original(file, into, size, offset),
            (Err(code), _) => code,
            (Ok(()), None) => ffi::SQLITE_IOERR_READ,
        }
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    // SAFETY: as `write`.
    unsafe {
        let table = table(file);
        match (table.flush(file), (*table.original).xTruncate) {
            (Ok(()), Some(original)) => original(file, size),
            (Err(code), _) => code,
            (Ok(()), None) => ffi::SQLITE_IOERR_TRUNCATE,
        }
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: only files with our methods come here; forwards to the method that was replaced.
    unsafe {
        let table = table(file);
        if let Err(code) = table.flush(file) {
            return code;
        }
        table.watch.syncs.fetch_add(1, Ordering::Relaxed);
        let code = match (*table.original).xSync {
            Some(original) if !table.watch.fail_sync.swap(false, Ordering::Relaxed) => original(file, flags),
            _ => ffi::SQLITE_IOERR_FSYNC,
        };
        if code != ffi::SQLITE_OK {
            table.watch.sync_failed.store(true, Ordering::Relaxed);
        }
        code
    }
}

const WRITE_LOCK: c_int = 0; // WAL_WRITE_LOCK

unsafe extern "C" fn shm_lock(file: *mut ffi::sqlite3_file, offset: c_int, n: c_int, flags: c_int) -> c_int {
    // SAFETY: as `sync`.
    unsafe {
        let table = table(file);
        let giving_up = flags == ffi::SQLITE_SHM_UNLOCK | ffi::SQLITE_SHM_EXCLUSIVE;
        if offset == WRITE_LOCK && giving_up {
            if let Some(mut frames) = table.watch.frames() {
                frames.forget();
            }
            if let Some(coherence) = &table.watch.coherence {
                coherence.end_write();
            }
        }
        let Some(original) = (*table.original).xShmLock else { return ffi::SQLITE_IOERR_SHMLOCK };
        match &table.watch.index {
            Some(index) => {
                let _turn = index.lock().unwrap_or_else(PoisonError::into_inner);
                original(file, offset, n, flags)
            }
            None => table.watch.at_once(original(file, offset, n, flags), flags),
        }
    }
}

/// Slots for read marks that a reader may ask for in vain before it takes another one, or waits.
const SLOTS: u32 = 4;

impl Watch {
    fn frames(&self) -> Option<MutexGuard<'_, Frames>> {
        self.frames.as_ref().map(|frames| frames.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// To SQLite a refused lock means: sleep and try again, for ten seconds. Who has the lock may need our turn to give
    /// it back, so the inline reader gives up instead.
    fn at_once(&self, code: c_int, flags: c_int) -> c_int {
        if code != ffi::SQLITE_BUSY {
            self.refusals.store(0, Ordering::Relaxed);
            return code;
        }
        let refusals = self.refusals.fetch_add(1, Ordering::Relaxed);
        if flags & ffi::SQLITE_SHM_SHARED != 0 || refusals >= SLOTS { ffi::SQLITE_IOERR_SHMLOCK } else { code }
    }
}

/// SQLite's own is a fence and, "for redundancy", a mutex of the whole process.
unsafe extern "C" fn shm_barrier(_file: *mut ffi::sqlite3_file) {
    fence(Ordering::SeqCst);
}

// ---- reads without waiting -------------------------------------------------------------------------------------------

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

#[cfg(all(test, not(feature = "shuttle")))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::path::Path;

    /// Has room for ten pages, so that most of a transaction goes to the WAL before its end, and is read from there.
    fn insert_and_read(path: &Path) -> rusqlite::Result<()> {
        let watch = Arc::new(Watch { frames: Some(Mutex::default()), ..Watch::default() });
        let connection = Connection::open(path)?;
        connection.execute_batch("PRAGMA journal_mode = wal; PRAGMA cache_size = 10; CREATE TABLE t(v)")?;
        let watched = Watched::new(&connection, &watch);
        let (connection, _watched) = &(connection, watched); // dropped in this order
        connection.execute_batch("BEGIN")?;
        for row in 1..=100_i64 {
            connection.execute("INSERT INTO t VALUES(?1 || zeroblob(3000))", [row])?;
            let sum: f64 = connection.query_row("SELECT total(v) FROM t", [], |row| row.get(0))?;
            assert_eq!(sum as i64, row * (row + 1) / 2);
        }
        connection.execute_batch("COMMIT")
    }

    #[test]
    fn a_transaction_reads_its_own_frames_that_are_not_written_yet() {
        let folder = std::env::temp_dir().join(format!("asyncdictsqlite-vfs-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let done = insert_and_read(&folder.join("store.db"));
        std::fs::remove_dir_all(&folder).unwrap();
        done.unwrap();
    }
}
