//! When the WAL is written back to the database, so that it is used again from its start: cheaper than letting it grow.
use super::wal_index::Header;
use rusqlite::Connection;
use std::time::Duration;

/// Frames that make a checkpoint worth while, and frames at which even many waiting calls have to wait for it.
const ENOUGH_FRAMES: u32 = 1000;
const FORCED_FRAMES: u32 = 16_000;
/// Under a load of more calls per transaction the next one comes soon: the checkpoint waits for a pause.
const FEW_CALLS: usize = 4;
const PAUSE: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    No,
    Now,
    /// When nothing comes for so long.
    After(Duration),
}

#[derive(Default)]
pub struct Checkpoints {
    /// Frames at the last attempt, which readers may have kept from finishing.
    tried_at: u32,
}

impl Checkpoints {
    /// When the next one is due under a load of so many calls per transaction.
    pub fn due(&self, header: Header, load: usize) -> Due {
        let (frames, backfilled) = header.frames();
        let left = frames.saturating_sub(backfilled);
        let grown = frames < self.tried_at || frames - self.tried_at >= ENOUGH_FRAMES;
        if left < ENOUGH_FRAMES || !grown {
            Due::No
        } else if load <= FEW_CALLS || left >= FORCED_FRAMES {
            Due::Now
        } else {
            Due::After(PAUSE)
        }
    }

    /// Write back what no reader still needs to see in the WAL; waits for nobody.
    pub fn run(&mut self, connection: &Connection, header: Header) -> rusqlite::Result<()> {
        self.tried_at = header.frames().0;
        connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
    }
}
