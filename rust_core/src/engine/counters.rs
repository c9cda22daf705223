//! What `stats()` counts.
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Default)]
pub struct Counters {
    pub commits: Counter,
    pub writes: Counter,
    pub checkpoints: Counter,
    pub flushes: Counter,
    pub cold_inline: Counter,
    pub cold_thread: Counter,
}
