//! A second thread for reads of very many keys. It and the reader thread take turns at taking some of them, so that
//! nobody waits for a second thread that has not come to run.
use super::os::ThreadId;
use super::packed::Packed;
use super::reader::{SortedKeys, select};
use super::statement::{Session, Verb};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// Keys that are taken at once: they are read faster than a thread wakes.
const SOME: usize = 64;

/// What both read.
struct Shared {
    table: String,
    sorted: SortedKeys,
    next: AtomicUsize,
}

impl Shared {
    fn take_some(&self) -> Option<Range<usize>> {
        let start = self.next.fetch_add(SOME, Ordering::Relaxed);
        (start < self.sorted.len()).then(|| start..self.sorted.len().min(start + SOME))
    }

    fn read(&self, session: &mut Session, range: Range<usize>, values: &mut Packed) -> rusqlite::Result<()> {
        select(session, &self.table, self.sorted.iter(range), values)
    }
}

type Read = (Range<usize>, rusqlite::Result<Packed>);

/// What the second thread gets.
struct Task {
    session: Session,
    shared: Arc<Shared>,
    done: Sender<Read>,
}

pub struct SecondReader {
    /// None while the second thread has it.
    session: Option<Session>,
    to_thread: Option<Sender<Task>>,
    sessions: Receiver<Session>,
    id: ThreadId,
    thread: Option<JoinHandle<()>>,
}

impl SecondReader {
    pub fn start(session: Session) -> std::io::Result<Self> {
        let (to_thread, tasks) = channel::<Task>();
        let (home, sessions) = channel();
        let (tell, told) = channel();
        let serve = move || {
            let _ = tell.send(ThreadId::current());
            for mut task in tasks {
                while let Some(range) = task.shared.take_some() {
                    let mut values = Packed::default();
                    let read = task.shared.read(&mut task.session, range.clone(), &mut values);
                    let _ = task.done.send((range, read.map(|()| values)));
                }
                end(&mut task.session);
                let _ = home.send(task.session);
            }
        };
        let thread = std::thread::Builder::new().name("asyncdictsqlite-reader-2".into()).spawn(serve)?;
        let id = told.recv().map_err(std::io::Error::other)?;
        Ok(Self { session: Some(session), to_thread: Some(to_thread), sessions, id, thread: Some(thread) })
    }

    /// Begin a read transaction, whose snapshot `see` takes. False where it cannot, or is still at work.
    pub fn begin(&mut self, see: impl FnOnce(&mut Session) -> rusqlite::Result<Option<()>>) -> bool {
        if self.session.is_none() {
            self.session = self.sessions.try_recv().ok();
        }
        let Some(session) = &mut self.session else { return false };
        session.control(Verb::Begin).is_ok() && see(session).is_ok()
    }

    pub fn end(&mut self) {
        self.session.iter_mut().for_each(end);
    }

    /// Read these keys in the transaction that has begun, together with `first`, whose transaction sees the same.
    /// Returns whose values came, one after the other.
    pub fn read(
        &mut self,
        first: &mut Session,
        table: &str,
        sorted: SortedKeys,
        values: &mut Packed,
    ) -> rusqlite::Result<Vec<u32>> {
        let count = sorted.len();
        let shared = Arc::new(Shared { table: table.to_owned(), sorted, next: AtomicUsize::new(0) });
        let (done, read_there) = channel();
        if let (Some(session), Some(to_thread)) = (self.session.take(), &self.to_thread) {
            self.id.keep_apart();
            let unsent = to_thread.send(Task { session, shared: Arc::clone(&shared), done }).err();
            self.session = unsent.map(|unsent| unsent.0.session);
        }
        let mut order = Vec::new();
        while let Some(range) = shared.take_some() {
            shared.read(first, range.clone(), values)?;
            order.push(range);
        }
        // All is taken: what is not here is read there, or was being read when that thread was lost.
        let mut missing = count.div_ceil(SOME) - order.len();
        while missing > 0
            && let Ok((range, read)) = read_there.recv()
        {
            values.append(&read?);
            order.push(range);
            missing -= 1;
        }
        for start in (0..count).step_by(SOME).filter(|_| missing > 0) {
            if order.iter().all(|range| range.start != start) {
                let range = start..count.min(start + SOME);
                shared.read(first, range.clone(), values)?;
                order.push(range);
            }
        }
        Ok(order.into_iter().flat_map(|range: Range<usize>| &shared.sorted.order[range]).copied().collect())
    }
}

fn end(session: &mut Session) {
    if session.in_transaction() {
        let _ = session.control(Verb::Rollback);
    }
}

impl Drop for SecondReader {
    fn drop(&mut self) {
        self.to_thread = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // its panic cost nobody an answer
        }
    }
}
