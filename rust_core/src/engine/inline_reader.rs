//! Reads on the calling thread, as long as no disk and no lock is in the way.
use super::failure::Failure;
use super::nowait::{self, Wait};
use super::shared::Shared;
use super::statement::{Bind, Columns, Session, Verb};
use std::sync::PoisonError;

/// What an inline read found.
#[derive(Debug)]
pub enum Now<T> {
    Found(T),
    Missing,
    /// Ask the reader thread: a page is not in memory, the value is long, a lock is in the way, or something is wrong.
    WouldBlock,
    /// The engine takes nothing any more.
    Failed(Failure),
}

pub struct InlineReader {
    session: Session,
}

impl InlineReader {
    pub fn new(session: Session) -> Self {
        Self { session }
    }

    /// Try whether this system and this file can tell what is in memory.
    pub fn reason_off(&self) -> Option<String> {
        if !cfg!(target_os = "linux") {
            return Some("this system has no RWF_NOWAIT".into());
        }
        if !nowait::install() {
            return Some("SQLite was built without USE_PREAD".into());
        }
        let _ = self.session.connection().release_memory(); // so that the probe reads from the file
        let probe = || self.session.connection().query_row("PRAGMA schema_version", [], |_| Ok(()));
        match nowait::attempt(probe).1 {
            Wait::Unsupported(errno) => Some(reason(errno)),
            Wait::None | Wait::Would => None,
        }
    }

    fn get<T>(&mut self, table: &str, key: &[u8], found: impl FnOnce(&[u8]) -> T) -> rusqlite::Result<Now<T>> {
        let select = self.session.statement(Verb::SelectShort, table)?;
        let short = |row: &Columns<'_>| if row.is_null(0) { Now::WouldBlock } else { Now::Found(found(row.bytes(0))) };
        Ok(select.first(&[Bind::Text(key)], short)?.unwrap_or(Now::Missing))
    }
}

pub fn read<J: 'static, T>(shared: &Shared<J>, table: &str, key: &[u8], found: impl FnOnce(&[u8]) -> T) -> Now<T> {
    let Ok(mut guard) = shared.inline.try_lock() else { return Now::WouldBlock };
    let Some(reader) = guard.as_mut() else { return Now::WouldBlock };
    let (result, wait) = nowait::attempt(|| reader.get(table, key, found));
    if let Wait::Unsupported(errno) = wait {
        *guard = None;
        *shared.nowait_off.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason(errno));
    }
    match result {
        Ok(now) => {
            shared.counters.cold_inline.add(u64::from(!matches!(now, Now::WouldBlock)));
            now
        }
        Err(_) => Now::WouldBlock, // the reader thread gives the verdict
    }
}

fn reason(errno: i32) -> String {
    format!("preadv2(RWF_NOWAIT): {}", std::io::Error::from_raw_os_error(errno))
}
