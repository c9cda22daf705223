//! Our own copy of SQLite's methods of an open file: counts syncs, and notes the moment before the write lock is given up.
#![allow(unsafe_code)]
use super::coherence::Coherence;
use super::wal_index::main_file;
use rusqlite::{Connection, ffi};
use std::ffi::c_int;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What the writer's files told.
#[derive(Default)]
pub struct Watch {
    pub syncs: AtomicU64,
    /// A sync failed: what it should have made durable is unknown from then on.
    pub sync_failed: AtomicBool,
    /// Test switch: let the next sync fail.
    pub fail_sync: AtomicBool,
    /// Told before the write lock goes; None where no other process can be there.
    pub coherence: Option<Arc<Coherence>>,
}

#[repr(C)] // `methods` first: a file's method pointer is the pointer to this
struct Table {
    methods: ffi::sqlite3_io_methods,
    original: *const ffi::sqlite3_io_methods,
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
        let files = which.into_iter().filter_map(|which| main_file(connection, which));
        Self(files.map(|file| replace_methods(file, watch)).collect())
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

fn replace_methods(file: *mut ffi::sqlite3_file, watch: &Arc<Watch>) -> *mut Table {
    // SAFETY: `file` is open, so its methods are there, for ever (they are static in os_unix.c); a struct of function
    // pointers is copied, and the copy lives until the connection is closed (contract of `Watched`).
    unsafe {
        let original = (*file).pMethods;
        let mut methods = std::ptr::read(original);
        methods.xSync = Some(sync);
        if methods.iVersion >= 2 {
            methods.xShmLock = Some(shm_lock);
        }
        let table = Box::into_raw(Box::new(Table { methods, original, watch: Arc::clone(watch) }));
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

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: only files with our methods come here; forwards to the method that was replaced.
    unsafe {
        let table = table(file);
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
        if offset == WRITE_LOCK
            && giving_up
            && let Some(coherence) = &table.watch.coherence
        {
            coherence.end_write();
        }
        match (*table.original).xShmLock {
            Some(original) => original(file, offset, n, flags),
            None => ffi::SQLITE_IOERR_SHMLOCK,
        }
    }
}
