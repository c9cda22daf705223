//! The reader thread: reads that would have blocked their caller, pages and counts.
use super::api::{Answer, Job, Outcome, Scan};
use super::failure::{Failure, sqlite_error};
use super::inbox::{Batch, Call, Request, Took};
use super::packed::Packed;
use super::second_reader::SecondReader;
use super::shared::{Shared, State};
use super::statement::{Bind, Session, Verb};
use super::switches::Place;
use super::wal_index::{Header, Words};
use super::{connection, order, os};
use rusqlite::ffi;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

/// A read of more keys than this asks for them in key order.
const SORTED_ABOVE: usize = 100;
/// A read of more keys than this is shared with a second thread.
const SHARED_ABOVE: usize = 500;

pub fn start<J: Job>(
    shared: &Arc<Shared<J>>,
    session: Session,
    header: Option<Header>,
) -> std::io::Result<JoinHandle<()>> {
    let mut reader = Reader { shared: Arc::clone(shared), session, header, second: None, words: None };
    std::thread::Builder::new().name("asyncdictsqlite-reader".into()).spawn(move || reader.serve())
}

struct Reader<J: Job> {
    shared: Arc<Shared<J>>,
    session: Session,
    header: Option<Header>,
    /// For the other half of a long read; opened at first need.
    second: Option<SecondReader>,
    /// The wal-index before the snapshot of `session` was taken.
    words: Option<Words>,
}

impl<J: Job> Reader<J> {
    fn serve(&mut self) {
        let (mut batch, mut done) = (Batch::default(), Vec::new());
        while self.shared.to_reader.take(&mut batch, None) == Took::Work {
            let mut waiting = batch.requests.drain(..).peekable();
            while waiting.peek().is_some() {
                let together = if self.shared.injected.is_armed() { 1 } else { usize::MAX };
                self.answer_all(waiting.by_ref().take(together), &mut done);
                self.shared.unpublished.wait(self.header);
                self.shared.deliver(&mut done);
                done.clear();
            }
        }
    }

    /// Answer these in one read transaction.
    fn answer_all(&mut self, requests: impl Iterator<Item = Request<J>>, done: &mut Vec<(J, Outcome)>) {
        let epoch = self.shared.epoch(); // before the snapshot is taken: what is found is at least of this epoch
        self.words = self.header.map(Header::words);
        let begun = self.session.control(Verb::Begin);
        for request in requests {
            let answer = catch_unwind(AssertUnwindSafe(|| match &begun {
                Ok(()) => self.answer(&request, epoch),
                Err(error) => Err(self.failure(error)),
            }));
            done.push((request.job, answer.unwrap_or_else(|_| Err(Failure::panicked(&self.shared.settings.path)))));
        }
        if self.session.in_transaction() && self.session.control(Verb::Commit).is_err() {
            let _ = self.session.control(Verb::Rollback);
        }
    }

    fn answer(&mut self, request: &Request<J>, epoch: u64) -> Outcome {
        if self.shared.state() == State::Stopped {
            return Err(self.shared.refusal());
        }
        let shared = Arc::clone(&self.shared);
        shared.injected.delay(Place::Reader);
        let answer = match shared.injected.fault(Place::Reader) {
            Some(fault) => Err(fault.raise()),
            None => self.look_up(request, epoch),
        };
        shared.injected.delay(Place::Reader);
        answer.map_err(|error| {
            let failure = self.failure(&error);
            shared.note(&failure);
            failure
        })
    }

    fn look_up(&mut self, request: &Request<J>, epoch: u64) -> rusqlite::Result<Answer> {
        match &request.call {
            Call::Scan(scan) => {
                let mut rows = self.shared.spare_packed();
                page(&mut self.session, scan, &mut rows)?;
                Ok(Answer::Rows(rows))
            }
            Call::Count(table) => {
                let count = self.session.statement(Verb::Count, table)?.first(&[], |row| row.int(0))?;
                Ok(Answer::Count(count.unwrap_or(0) as u64))
            }
            _ => self.read(&request.job, epoch),
        }
    }

    fn read(&mut self, job: &J, epoch: u64) -> rusqlite::Result<Answer> {
        let mut values = self.shared.spare_packed();
        if job.len() > SORTED_ABOVE {
            self.read_sorted(job, &mut values)?;
        } else {
            select(&mut self.session, job.table(), (0..job.len()).map(|index| job.key(index)), &mut values)?;
        }
        self.shared.counters.cold_thread.add(job.len() as u64);
        Ok(Answer::Values { values, epoch })
    }

    fn read_sorted(&mut self, job: &J, values: &mut Packed) -> rusqlite::Result<()> {
        let sorted = SortedKeys::of(job.keys());
        let order = if let Some(mut second) = self.begin_second(job.len()) {
            let order = second.read(&mut self.session, job.table(), sorted, values);
            self.second = Some(second);
            order?
        } else {
            select(&mut self.session, job.table(), sorted.iter(0..sorted.len()), values)?;
            sorted.order
        };
        values.arrange(&order);
        Ok(())
    }

    /// The second reader, which sees just what this one sees, if so many keys are worth it and nobody commits meanwhile.
    fn begin_second(&mut self, keys: usize) -> Option<SecondReader> {
        let (header, words) = (self.header?, self.words?);
        if keys <= SHARED_ABOVE || os::processors() < 2 {
            return None;
        }
        let mut second = match self.second.take() {
            Some(second) => second,
            None => self.start_second()?,
        };
        let see = |session: &mut Session| session.statement(Verb::Version, "")?.first(&[], |_| ());
        if see(&mut self.session).is_ok() && second.begin(see) && header.words() == words {
            return Some(second);
        }
        second.end();
        self.second = Some(second);
        None
    }

    fn start_second(&self) -> Option<SecondReader> {
        let connection = connection::open_another(&self.shared, self.shared.settings.busy_timeout)?;
        SecondReader::start(Session::new(connection, &self.shared.reading_watch())).ok()
    }

    fn failure(&self, error: &rusqlite::Error) -> Failure {
        self.session.failure(error, &self.shared.settings.path)
    }
}

/// The keys of a read, and in which order they lie in the file.
pub struct SortedKeys {
    keys: Arc<Packed>,
    pub order: Vec<u32>,
}

impl SortedKeys {
    fn of(keys: Arc<Packed>) -> Self {
        let mut order: Vec<u32> = (0..keys.len() as u32).collect();
        order::by_key(&mut order, |index| keys.get(index as usize).unwrap_or_default());
        Self { keys, order }
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Some of them, in order.
    pub fn iter(&self, range: Range<usize>) -> impl Iterator<Item = &[u8]> {
        self.order[range].iter().map(|&index| self.keys.get(index as usize).unwrap_or_default())
    }
}

pub fn select<'a>(
    session: &mut Session,
    table: &str,
    keys: impl Iterator<Item = &'a [u8]>,
    values: &mut Packed,
) -> rusqlite::Result<()> {
    let select = session.statement(Verb::Select, table)?;
    for key in keys {
        if select.first(&[Bind::Text(key)], |row| values.push(Some(row.bytes(0))))?.is_none() {
            values.push(None);
        }
    }
    Ok(())
}

fn page(session: &mut Session, scan: &Scan, rows: &mut Packed) -> rusqlite::Result<()> {
    let verb = match (scan.values, scan.reverse, scan.end.is_some()) {
        (true, false, true) => Verb::Page,
        (true, false, false) => Verb::PageToEnd,
        (true, true, true) => Verb::PageReverse,
        (true, true, false) => Verb::PageReverseToEnd,
        (false, false, true) => Verb::KeysPage,
        (false, false, false) => Verb::KeysPageToEnd,
        (false, true, true) => Verb::KeysPageReverse,
        (false, true, false) => Verb::KeysPageReverseToEnd,
    };
    let mut binds = vec![Bind::Text(&scan.start), Bind::Int(scan.rows.min(i32::MAX as usize) as i64)];
    binds.extend(scan.end.as_deref().map(Bind::Text));
    let mut broken = false;
    session.statement(verb, &scan.table)?.run(&binds, |row| {
        let Some(key) = row.text(0) else {
            broken = true; // and where it stands in the order of keys is not known
            return false;
        };
        rows.push(Some(key));
        rows.push(scan.values.then(|| row.bytes(1)));
        rows.size_bytes() < scan.size_bytes
    })?;
    if broken {
        let what = format!("a key of {} is no text", scan.table);
        return Err(sqlite_error(ffi::SQLITE_CORRUPT, Some(what)));
    }
    Ok(())
}
