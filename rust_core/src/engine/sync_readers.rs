//! Reads on the threads of sync callers, who hold no GIL meanwhile and may wait for a disk.
use super::connection;
use super::inline_reader::Now;
use super::opening::INLINE_PAGES_KIB;
use super::shared::{Shared, State};
use super::statement::{Bind, Session, Verb};
use super::wal_index::Header;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How many threads may read at a time, each by a connection of its own that is opened at first need.
const MOST: usize = 4;

struct SyncReader {
    session: Session,
    header: Option<Header>,
}

#[derive(Default)]
pub struct SyncReaders([Mutex<Option<SyncReader>>; MOST]);

impl SyncReaders {
    /// Close the connections, when nobody reads any more. The engine's state must forbid further reads by then.
    pub fn close(&self) {
        for slot in &self.0 {
            slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
    }
}

impl SyncReader {
    fn open<J: 'static>(shared: &Shared<J>) -> rusqlite::Result<Self> {
        let connection = connection::open_reading(&shared.settings, Duration::ZERO)?;
        connection.pragma_update(None, "cache_size", INLINE_PAGES_KIB)?;
        let header = Header::of(&connection);
        Ok(Self { session: Session::new(connection, &shared.reading_watch()), header })
    }
}

/// Read a key; waits for what was read to be published. `WouldBlock`: ask the reader thread, which gives the verdict.
pub fn read<J: 'static>(shared: &Shared<J>, table: &str, key: &[u8]) -> Now<Vec<u8>> {
    let Some(mut slot) = shared.sync_readers.0.iter().find_map(|slot| slot.try_lock().ok()) else {
        return Now::WouldBlock;
    };
    if shared.state() != State::Open || shared.injected.is_armed() {
        return Now::WouldBlock; // looked at with the lock: who closes waits for it afterwards
    }
    let mut attempt = || -> rusqlite::Result<_> {
        let reader = match &mut *slot {
            Some(reader) => reader,
            none => none.insert(SyncReader::open(shared)?),
        };
        let select = reader.session.statement(Verb::Select, table)?;
        let value = select.first(&[Bind::Text(key)], |row| row.bytes(0).to_vec())?;
        shared.unpublished.wait(reader.header);
        Ok(value)
    };
    let Ok(Ok(value)) = catch_unwind(AssertUnwindSafe(&mut attempt)) else { return Now::WouldBlock };
    shared.counters.cold_inline.add(1);
    value.map_or(Now::Missing, Now::Found)
}
