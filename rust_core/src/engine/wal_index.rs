//! The header of the wal-index: shared memory that every commit of any process changes.
//!
//! Source: <https://sqlite.org/walformat.html#the_wal_index_file_format>: two copies of 48 bytes (change counter at 8, frames
//! at 16, checksum of the last frame at 24, salts at 32, checksum of the header at 40), then the frames backfilled at 96.
//! A writer writes the second copy first: who sees the first one unchanged sees no commit that has returned.
#![allow(unsafe_code)]
use rusqlite::{Connection, ffi};
use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

const WORDS: usize = 6;
pub type Words = [u64; WORDS];

/// What an engine without shared memory looks at: never changes.
static NOTHING: [AtomicU64; 16] = [const { AtomicU64::new(0) }; 16];

/// The address of the header. It stays mapped as long as a connection of this process has the file open.
#[derive(Clone, Copy)]
pub struct Header(*const AtomicU64);

// SAFETY: an address of memory that other processes write anyway; all access is atomic.
unsafe impl Send for Header {}
// SAFETY: as `Send`.
unsafe impl Sync for Header {}

impl Header {
    pub fn nothing() -> Self {
        Self(NOTHING.as_ptr())
    }

    pub fn is_nothing(self) -> bool {
        self.0 == NOTHING.as_ptr()
    }

    pub fn from_address(address: *mut AtomicU64) -> Self {
        Self(address)
    }

    pub fn address(self) -> *mut AtomicU64 {
        self.0.cast_mut()
    }

    /// None where the file has no wal-index (not in WAL mode, or nothing was read yet).
    ///
    /// Invariant of this module: looked at only while the engine's connections are open; closing swaps it for `nothing`.
    pub fn of(connection: &Connection) -> Option<Self> {
        let file = main_file(connection, ffi::SQLITE_FCNTL_FILE_POINTER)?;
        let mut region: *mut c_void = std::ptr::null_mut();
        // SAFETY: `file` is the open file of a live connection; region 0 has 32 KiB; extend = 0 creates nothing.
        unsafe {
            let methods = &*(*file).pMethods;
            if methods.iVersion < 2 || methods.xShmMap?(file, 0, 32768, 0, &raw mut region) != ffi::SQLITE_OK {
                return None;
            }
        }
        (!region.is_null()).then_some(Self(region.cast()))
    }

    #[inline]
    pub fn word(self, index: usize) -> u64 {
        debug_assert!(index < 16);
        // SAFETY: inside region 0 or `NOTHING`, both of at least 16 words and aligned to a page or a word.
        unsafe { (*self.0.add(index)).load(Ordering::Relaxed) }
    }

    pub fn words(self) -> Words {
        std::array::from_fn(|index| self.word(index))
    }

    /// Frames in the WAL, and how many of them the database already has.
    pub fn frames(self) -> (u32, u32) {
        let words: *const AtomicU32 = self.0.cast();
        // SAFETY: as `word`; the 32-bit words 4 and 24 lie in the first 128 bytes.
        unsafe { ((*words.add(4)).load(Ordering::Relaxed), (*words.add(24)).load(Ordering::Relaxed)) }
    }
}

/// The open file behind a connection's database or its WAL.
pub fn main_file(connection: &Connection, which: c_int) -> Option<*mut ffi::sqlite3_file> {
    let mut file: *mut ffi::sqlite3_file = std::ptr::null_mut();
    // SAFETY: these two controls write one pointer.
    let open = unsafe {
        let code = ffi::sqlite3_file_control(connection.handle(), c"main".as_ptr(), which, (&raw mut file).cast());
        code == ffi::SQLITE_OK && !file.is_null() && !(*file).pMethods.is_null()
    };
    open.then_some(file)
}
