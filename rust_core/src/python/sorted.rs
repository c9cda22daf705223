//! Memory mode: the keys of one table in order, kept between the pages of an iteration.
use super::cache::Cache;
use super::key::OwnedKey;
use super::reference::{Exact, Ref};
use std::cmp::Ordering;

pub struct Sorted {
    table: u32,
    version: u64,
    pub keys: Vec<Ref<Exact>>,
}

impl Sorted {
    pub fn of(cache: &Cache, table: u32) -> Self {
        let mut keys: Vec<Ref<Exact>> = cache.keys(table).cloned().collect();
        keys.sort_unstable_by(compare);
        Self { table, version: cache.version, keys }
    }

    pub fn is_current(&self, cache: &Cache, table: u32) -> bool {
        self.table == table && self.version == cache.version
    }

    /// The index of the first key that is not less than `bound`.
    pub fn position(&self, bound: &OwnedKey) -> usize {
        self.keys.partition_point(|key| compare(key, bound.text()) == Ordering::Less)
    }
}

/// By code points, as SQLite compares their UTF-8.
fn compare(a: &Ref<Exact>, b: &Ref<Exact>) -> Ordering {
    a.text().compare(b.text())
}
