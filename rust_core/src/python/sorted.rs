//! Memory mode: the keys of one table in order, kept between the pages of an iteration.
#![allow(unsafe_code)]

use super::cache::Cache;
use super::reference::Ref;
use pyo3::ffi;
use std::cmp::Ordering;

pub struct Sorted {
    table: u32,
    version: u64,
    pub keys: Vec<Ref>,
}

impl Sorted {
    pub fn of(cache: &Cache, table: u32) -> Self {
        let mut keys: Vec<Ref> = cache.keys(table).cloned().collect();
        keys.sort_unstable_by(compare);
        Self { table, version: cache.version, keys }
    }

    pub fn is_current(&self, cache: &Cache, table: u32) -> bool {
        self.table == table && self.version == cache.version
    }

    /// The index of the first key that is not less than `bound`.
    pub fn position(&self, bound: &Ref) -> usize {
        self.keys.partition_point(|key| compare(key, bound) == Ordering::Less)
    }
}

/// By code points, as SQLite compares their UTF-8.
fn compare(a: &Ref, b: &Ref) -> Ordering {
    // SAFETY: GIL held; exact strs: comparing runs no Python code and cannot fail.
    unsafe { ffi::PyUnicode_Compare(a.as_ptr(), b.as_ptr()) }.cmp(&0)
}
