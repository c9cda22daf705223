//! Reads on the calling thread, as long as no disk and no lock is in the way.
use super::failure::Failure;
use super::shared::Shared;
use super::statement::{Bind, Columns, Session, Verb};
use super::unpublished::Unpublished;
use super::vfs::{self, Wait};
use super::wal_index::{Header, Words};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// What an inline read found.
#[derive(Debug)]
pub enum Now<T> {
    Found(T),
    Missing,
    /// Ask the reader thread: a page is not in memory, the value is long, a lock is in the way, or something is wrong.
    WouldBlock,
    /// Ask the reader thread, which waits until what was seen is published.
    Unpublished,
    /// The engine takes nothing any more.
    Failed(Failure),
}

pub struct InlineReader {
    session: Session,
    /// None: each read has a transaction of its own.
    header: Option<Header>,
    /// A read transaction is open, and these were the words of the wal-index before it began.
    held: Option<Words>,
}

impl InlineReader {
    pub fn new(session: Session, header: Option<Header>) -> Self {
        Self { session, header, held: None }
    }

    /// Try whether this system and this file can tell what is in memory.
    pub fn reason_off(&self) -> Option<String> {
        if !cfg!(target_os = "linux") {
            return Some("this system has no RWF_NOWAIT".into());
        }
        if !vfs::install() {
            return Some("SQLite was built without USE_PREAD".into());
        }
        let _ = self.session.connection().release_memory(); // so that the probe reads from the file
        let probe = || self.session.connection().query_row("PRAGMA schema_version", [], |_| Ok(()));
        match vfs::attempt(probe).1 {
            Wait::Unsupported(errno) => Some(reason(errno)),
            Wait::None | Wait::Would => None,
        }
    }

    /// Have a read transaction open that sees every commit that has returned, of whichever process. `words`: of the
    /// wal-index, before the snapshot is taken: a commit in between ends it at the next read.
    fn hold(&mut self, words: Option<Words>) -> rusqlite::Result<()> {
        if words.is_some() && self.held != words {
            self.end();
            self.session.control(Verb::Begin)?;
            self.held = words;
        }
        Ok(())
    }

    /// End the read transaction that is held, if any.
    pub fn end(&mut self) {
        if self.held.take().is_some() && self.session.in_transaction() {
            let _ = self.session.control(Verb::Rollback);
        }
    }

    fn get<T>(
        &mut self,
        unpublished: &Unpublished,
        table: &str,
        key: &[u8],
        found: impl FnOnce(&[u8]) -> T,
    ) -> rusqlite::Result<Now<T>> {
        let header = self.header;
        let select = self.session.statement(Verb::SelectShort, table)?;
        let see = |row: &Columns<'_>| match row.is_null(0) {
            _ if unpublished.may_be_seen(header) => Now::Unpublished,
            true => Now::WouldBlock,
            false => Now::Found(found(row.bytes(0))),
        };
        let now = select.first(&[Bind::Text(key)], see)?;
        let missing = || if unpublished.may_be_seen(header) { Now::Unpublished } else { Now::Missing };
        Ok(now.unwrap_or_else(missing))
    }
}

/// `hold`: share a read transaction with the reads to come, until `end` or anybody's commit.
pub fn read<J: 'static, T>(
    shared: &Shared<J>,
    table: &str,
    key: &[u8],
    hold: bool,
    found: impl FnOnce(&[u8]) -> T,
) -> Now<T> {
    attempt(shared, hold, |reader, words| {
        if hold {
            reader.hold(words)?;
        } else {
            reader.end();
        }
        reader.get(&shared.unpublished, table, key, found)
    })
    .unwrap_or(Now::WouldBlock)
}

/// How long many keys may be read on the calling thread: as long as gathering so many single reads.
const LONGEST: Duration = Duration::from_millis(1);

/// Read these keys in one transaction, for a millisecond at most, until one would block or `found` refuses. Returns
/// how many were read, and whether the next one would block.
pub fn read_many<'a, J: 'static>(
    shared: &Shared<J>,
    table: &str,
    keys: impl Iterator<Item = &'a [u8]>,
    hold: bool,
    mut found: impl FnMut(usize, Option<&[u8]>) -> bool,
) -> (usize, bool) {
    let (mut count, began) = (0, Instant::now());
    let whole = attempt(shared, hold, |reader, words| {
        reader.hold(words)?;
        let mut now = Now::Found(());
        for key in keys {
            let go_on = match reader.get(&shared.unpublished, table, key, |value| found(count, Some(value)))? {
                Now::Found(go_on) => go_on,
                Now::Missing => found(count, None),
                Now::Unpublished => {
                    now = Now::Unpublished;
                    break;
                }
                Now::WouldBlock | Now::Failed(_) => {
                    now = Now::WouldBlock;
                    break;
                }
            };
            count += 1;
            if !go_on || (count % 16 == 0 && began.elapsed() > LONGEST) {
                break;
            }
        }
        if !hold {
            reader.end();
        }
        Ok(now)
    });
    let was_counted = matches!(whole, Some(Now::Found(()))); // one of them, by `attempt`
    shared.counters.cold_inline.add(count as u64 - u64::from(was_counted));
    (count, !matches!(whole, Some(Now::Found(()) | Now::Unpublished)))
}

/// End the read transaction that is held, at once; false: try again soon, a thread is in the way.
pub fn end_now<J>(shared: &Shared<J>) -> bool {
    let Ok(mut guard) = shared.inline.try_lock() else { return false };
    match guard.as_mut().filter(|reader| reader.held.is_some()) {
        None => true,
        Some(reader) => shared.index.try_lock().is_ok_and(|_turn| {
            reader.end();
            true
        }),
    }
}

/// The same, unless a read is just made. For the writer thread.
pub fn end<J>(shared: &Shared<J>) {
    if let Ok(mut guard) = shared.inline.try_lock()
        && let Some(reader) = guard.as_mut()
    {
        let _turn = shared.index.lock().unwrap_or_else(PoisonError::into_inner);
        reader.end();
    }
}

/// None: ask the reader thread, which gives the verdict.
fn attempt<J: 'static, T>(
    shared: &Shared<J>,
    hold: bool,
    read: impl FnOnce(&mut InlineReader, Option<Words>) -> rusqlite::Result<Now<T>>,
) -> Option<Now<T>> {
    let mut guard = shared.inline.try_lock().ok()?;
    let reader = guard.as_mut()?;
    let words = reader.header.map(Header::words);
    // A transaction that is held and stays needs no lock of the wal-index; all else does.
    let stays = hold && reader.held.is_some() && reader.held == words;
    let turn = if stays { None } else { Some(shared.index.try_lock().ok()?) };
    let (result, wait) = vfs::attempt(|| read(reader, words));
    if result.is_err() && turn.is_some() {
        reader.end();
    }
    drop(turn);
    if let Wait::Unsupported(errno) = wait {
        *guard = None;
        *shared.nowait_off.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason(errno));
    }
    let now = result.ok()?;
    shared.counters.cold_inline.add(u64::from(matches!(now, Now::Found(_) | Now::Missing)));
    Some(now)
}

fn reason(errno: i32) -> String {
    format!("preadv2(RWF_NOWAIT): {}", std::io::Error::from_raw_os_error(errno))
}
