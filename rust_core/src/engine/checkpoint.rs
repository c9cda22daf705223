//! When the WAL is written back to the database, so that it is used again from its start: cheaper than letting it grow.
use super::wal_index::Header;
use rusqlite::Connection;

/// Frames that make a checkpoint worth while when nothing else is to do, and frames that force one.
const IDLE_FRAMES: u32 = 1000;
const FORCED_FRAMES: u32 = 16_000;

#[derive(Default)]
pub struct Checkpoints {
    /// Frames at the last attempt, which readers may have kept from finishing.
    tried_at: u32,
}

impl Checkpoints {
    pub fn is_due(&self, header: Header, idle: bool) -> bool {
        let (frames, backfilled) = header.frames();
        let enough = if idle { IDLE_FRAMES } else { FORCED_FRAMES };
        let grown = frames < self.tried_at || frames - self.tried_at >= IDLE_FRAMES;
        frames.saturating_sub(backfilled) >= enough && grown
    }

    /// Write back what no reader still needs to see in the WAL; waits for nobody.
    pub fn run(&mut self, connection: &Connection, header: Header) -> rusqlite::Result<()> {
        self.tried_at = header.frames().0;
        connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
    }
}
