//! The reader thread: reads that would have blocked their caller, pages and counts.
use super::api::{Answer, Job, Outcome, Row, Scan};
use super::failure::Failure;
use super::inbox::{Batch, Call, Request, Took};
use super::shared::{Shared, State};
use super::statement::{Bind, Session, Verb};
use super::switches::Place;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

/// A read of more keys than this asks for them in key order.
const SORTED_ABOVE: usize = 1000;

pub fn start<J: Job>(shared: &Arc<Shared<J>>, session: Session) -> std::io::Result<JoinHandle<()>> {
    let mut reader = Reader { shared: Arc::clone(shared), session };
    std::thread::Builder::new().name("asyncdictsqlite-reader".into()).spawn(move || reader.serve())
}

struct Reader<J: Job> {
    shared: Arc<Shared<J>>,
    session: Session,
}

impl<J: Job> Reader<J> {
    fn serve(&mut self) {
        let (mut batch, mut done) = (Batch::default(), Vec::new());
        while self.shared.to_reader.take(&mut batch, None) == Took::Work {
            let mut waiting = batch.requests.drain(..).peekable();
            while waiting.peek().is_some() {
                let together = if self.shared.injected.is_armed() { 1 } else { usize::MAX };
                self.answer_all(waiting.by_ref().take(together), &mut done);
                self.shared.sink.deliver(&mut done);
                done.clear();
            }
        }
    }

    /// Answer these in one read transaction.
    fn answer_all(&mut self, requests: impl Iterator<Item = Request<J>>, done: &mut Vec<(J, Outcome)>) {
        let epoch = self.shared.epoch(); // before the snapshot is taken: what is found is at least of this epoch
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
            Call::Scan(scan) => Ok(Answer::Rows(page(&mut self.session, scan)?)),
            Call::Count(table) => {
                let count = self.session.statement(Verb::Count, table)?.first(&[], |row| row.int(0))?;
                Ok(Answer::Count(count.unwrap_or(0) as u64))
            }
            _ => self.read(&request.job, epoch),
        }
    }

    fn read(&mut self, job: &J, epoch: u64) -> rusqlite::Result<Answer> {
        let mut values = vec![None; job.len()];
        let mut order: Vec<usize> = (0..job.len()).collect();
        if order.len() > SORTED_ABOVE {
            order.sort_by(|&a, &b| job.key(a).cmp(job.key(b)));
        }
        let select = self.session.statement(Verb::Select, job.table())?;
        for index in order {
            values[index] = select.first(&[Bind::Text(job.key(index))], |row| row.bytes(0).to_vec())?;
        }
        self.shared.counters.cold_thread.add(job.len() as u64);
        Ok(Answer::Values { values, epoch })
    }

    fn failure(&self, error: &rusqlite::Error) -> Failure {
        self.session.failure(error, &self.shared.settings.path)
    }
}

fn page(session: &mut Session, scan: &Scan) -> rusqlite::Result<Vec<Row>> {
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
    let (mut rows, mut size) = (Vec::new(), 0);
    session.statement(verb, &scan.table)?.run(&binds, |row| {
        let row = Row { key: row.bytes(0).to_vec(), value: scan.values.then(|| row.bytes(1).to_vec()) };
        size += row.key.len() + row.value.as_ref().map_or(0, Vec::len);
        rows.push(row);
        size < scan.size_bytes
    })?;
    Ok(rows)
}
