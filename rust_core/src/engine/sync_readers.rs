//! Reads on the threads of sync callers, who hold no GIL meanwhile and may wait for a disk.
use super::connection;
use super::inline_reader::Now;
use super::opening::INLINE_PAGES_KIB;
use super::shared::{Shared, State};
use super::statement::{Bind, Session, Verb};
use super::wal_index::Header;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How many threads may read at a time, each by a connection of its own that is opened at first need.
const MOST: usize = 4;

struct SyncReader {
    session: Session,
    header: Header,
}

#[derive(Default)]
pub struct SyncReaders {
    slots: [Mutex<Option<SyncReader>>; MOST],
    /// One could not be opened: there will be none.
    off: AtomicBool,
}

impl SyncReaders {
    /// Whether it is worth to ask.
    pub fn are_on(&self) -> bool {
        !self.off.load(Ordering::Relaxed)
    }

    /// Close the connections, when nobody reads any more. The engine's state must forbid further reads by then.
    pub fn close(&self) {
        for slot in &self.slots {
            slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
    }
}

impl SyncReader {
    /// None: there can be none, or there is another file by that name now.
    fn open<J: 'static>(shared: &Shared<J>) -> Option<Self> {
        let connection = connection::open_another(shared, Duration::ZERO)?;
        connection.pragma_update(None, "cache_size", INLINE_PAGES_KIB).ok()?;
        let header = Header::of(&connection)?;
        Some(Self { session: Session::new(connection, &shared.reading_watch()), header })
    }

    fn read<J: 'static>(&mut self, shared: &Shared<J>, table: &str, key: &[u8]) -> rusqlite::Result<Option<Vec<u8>>> {
        let select = self.session.statement(Verb::Select, table)?;
        let value = select.first(&[Bind::Text(key)], |row| row.bytes(0).to_vec())?;
        shared.unpublished.wait(Some(self.header));
        Ok(value)
    }
}

/// Read a key; waits for what was read to be published. `WouldBlock`: ask the reader thread, which gives the verdict.
pub fn read<J: 'static>(shared: &Shared<J>, table: &str, key: &[u8]) -> Now<Vec<u8>> {
    let Some(mut slot) = shared.sync_readers.slots.iter().find_map(|slot| slot.try_lock().ok()) else {
        return Now::WouldBlock;
    };
    if shared.state() != State::Open || shared.injected.is_armed() {
        return Now::WouldBlock; // looked at with the lock: who closes waits for it afterwards
    }
    let Some(mut reader) = slot.take().or_else(|| SyncReader::open(shared)) else {
        shared.sync_readers.off.store(true, Ordering::Relaxed);
        return Now::WouldBlock;
    };
    let read = catch_unwind(AssertUnwindSafe(|| reader.read(shared, table, key)));
    let Ok(read) = read else { return Now::WouldBlock }; // without that reader
    *slot = Some(reader);
    let Ok(value) = read else { return Now::WouldBlock };
    shared.counters.cold_inline.add(1);
    value.map_or(Now::Missing, Now::Found)
}
