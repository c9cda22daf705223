//! The writer thread: all transactions, flushes, checkpoints and backups of an engine, one after the other.
use super::api::{Answer, Job, Notice, Outcome, Was};
use super::backup;
use super::checkpoint::{Checkpoints, Due};
use super::failure::{Class, Failure};
use super::group;
use super::inbox::{Batch, Call, Request, Took};
use super::opening::Writing;
use super::shared::{Shared, State};
use super::transaction::{Failed, Transactions};
use super::wal_index::Header;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Before the first retry of a failed flush.
pub const FIRST_PAUSE: Duration = Duration::from_millis(100);

pub struct Writer<J: Job> {
    pub(super) shared: Arc<Shared<J>>,
    pub(super) transactions: Transactions<J>,
    pub(super) header: Option<Header>,
    pub(super) checkpoints: Checkpoints,
    pub(super) reader: Option<JoinHandle<()>>,
    /// After a failed flush, until the next try.
    pub(super) pause: Duration,
    /// Calls per transaction lately: the largest group, halved by each one after it.
    pub(super) load: usize,
    /// Commits that no sync has covered yet ("normal").
    pub(super) unsynced: bool,
    /// The calls of `close`, and what came of it: ends the thread.
    pub(super) closed: Option<(Vec<J>, Outcome)>,
}

impl<J: Job> Writer<J> {
    pub fn new(shared: Arc<Shared<J>>, opened: Writing, reader: JoinHandle<()>) -> Self {
        Self {
            transactions: Transactions::new(Arc::clone(&shared), opened.session, opened.queue, opened.header),
            shared,
            header: opened.header,
            checkpoints: Checkpoints::default(),
            reader: Some(reader),
            pause: FIRST_PAUSE,
            load: 0,
            unsynced: false,
            closed: None,
        }
    }

    /// Serve until closed; returns the calls of `close` and what to tell them once the connection is gone.
    pub fn serve(&mut self) -> (Vec<J>, Outcome) {
        let mut batch = Batch::default();
        loop {
            if let Some(end) = self.closed.take() {
                return end;
            }
            let patience = match self.checkpoint_due() {
                Due::Now => {
                    self.checkpoint_or_stop();
                    None
                }
                Due::After(pause) => Some(pause),
                Due::No => None,
            };
            match self.shared.to_writer.take(&mut batch, patience) {
                Took::Work => {}
                Took::Nothing => {
                    self.checkpoint_or_stop();
                    continue;
                }
                Took::End => return (Vec::new(), Ok(Answer::Done)),
            }
            if catch_unwind(AssertUnwindSafe(|| self.serve_batch(&mut batch))).is_err() {
                self.after_panic(&mut batch);
                self.shared.unpublished.end();
            }
        }
    }

    fn serve_batch(&mut self, batch: &mut Batch<J>) {
        let closes = matches!(batch.requests.first().map(|request| &request.call), Some(Call::Close));
        if self.shared.state() == State::Stopped {
            self.refuse(batch, &self.shared.refusal(), closes);
        } else if !batch.lazy.is_empty()
            && let Err(failure) = self.flush(&mut batch.lazy)
        {
            return self.flush_failed(batch, failure);
        }
        match batch.requests.first().map(|request| &request.call) {
            None => {}
            Some(Call::Commit) => self.commit(batch),
            Some(Call::Flush) => {
                let outcome = self.sync();
                self.finish(batch, outcome);
            }
            Some(Call::Backup(target)) => {
                let outcome = backup::write(&self.transactions.session, target).map(|()| Answer::Done);
                self.finish(batch, outcome);
            }
            Some(Call::Close) => self.close(batch),
            Some(Call::Read | Call::Scan(_) | Call::Count(_)) => self.send_on(batch),
        }
    }

    /// Answer the one request of the batch.
    fn finish(&self, batch: &mut Batch<J>, outcome: Outcome) {
        if let Some(request) = batch.requests.pop() {
            self.shared.deliver_one(request.job, outcome);
        }
    }

    fn send_on(&self, batch: &mut Batch<J>) {
        for request in batch.requests.drain(..) {
            if let Err(request) = self.shared.to_reader.send(request) {
                self.shared.deliver_one(request.job, Err(self.shared.refusal()));
            }
        }
    }

    fn commit(&mut self, batch: &mut Batch<J>) {
        let outcomes = if self.shared.settings.readonly {
            batch.requests.iter().map(|_| Err(Failure::readonly(&self.shared.settings.path))).collect()
        } else {
            self.outcomes_of(&batch.requests)
        };
        let was_locked =
            outcomes.last().is_some_and(|last| matches!(last, Err(failure) if failure.class == Class::Locked));
        let jobs = batch.requests.drain(..).map(|request| request.job);
        self.shared.publish(&mut jobs.zip(outcomes).collect());
        if was_locked {
            self.withdraw_late();
        }
    }

    /// Commit these calls as one transaction; a call that fails by its own fault is left out and the others tried again.
    fn outcomes_of(&mut self, requests: &[Request<J>]) -> Vec<Outcome> {
        drop(self.shared.spare_was.take());
        let path = self.shared.settings.path.clone();
        let mut failures: Vec<Option<Failure>> = vec![None; requests.len()];
        let mut met: (Vec<Vec<Was>>, u64) = (Vec::new(), 0);
        loop {
            let left: Vec<usize> = (0..requests.len()).filter(|&index| failures[index].is_none()).collect();
            let Some(&first) = left.first() else { break };
            let calls: Vec<&J> = left.iter().map(|&index| &requests[index].job).collect();
            match self.transactions.run(requests[first].since, |session| group::apply(session, &path, &calls)) {
                Ok(done) => {
                    self.load = calls.len().max(self.load / 2);
                    self.count_commit(calls.iter().map(|call| call.len()).sum());
                    met = done;
                    break;
                }
                Err(Failed::OfCall(call, failure)) => failures[left[call]] = Some(failure),
                Err(Failed::NotApplied(failure)) => {
                    self.shared.note(&failure);
                    fail_all(&mut failures, &failure);
                }
                Err(Failed::Unknown(failure)) => {
                    self.shared.stop(&failure);
                    fail_all(&mut failures, &failure);
                }
            }
        }
        let (mut was, epoch) = (met.0.into_iter(), met.1);
        let mut committed = || Ok(Answer::Committed { was: was.next().unwrap_or_default(), epoch });
        failures.into_iter().map(|failure| failure.map_or_else(&mut committed, Err)).collect()
    }

    pub(super) fn count_commit(&mut self, changes: usize) {
        self.shared.counters.commits.add(1);
        self.shared.counters.writes.add(changes as u64);
        self.unsynced = true;
    }

    /// Fail the calls that have waited for `busy_timeout` behind those that others kept waiting.
    fn withdraw_late(&self) {
        let Some(limit) = Instant::now().checked_sub(self.shared.settings.busy_timeout) else { return };
        for request in self.shared.to_writer.withdraw(limit) {
            self.shared.deliver_one(request.job, Err(super::opening::locked(&self.shared.settings.path)));
        }
    }

    /// Send everything home with this failure; `but_first`: except the first request.
    pub(super) fn refuse(&self, batch: &mut Batch<J>, failure: &Failure, but_first: bool) {
        self.forget_unsaved(&batch.lazy);
        self.send_home(&mut batch.lazy, || Err(failure.clone()));
        for request in batch.requests.drain(usize::from(but_first)..) {
            self.shared.deliver_one(request.job, Err(failure.clone()));
        }
    }

    fn after_panic(&mut self, batch: &mut Batch<J>) {
        let path = &self.shared.settings.path;
        if !self.transactions.abort() {
            let failure = Failure::unknown(path, "a thread of the engine panicked");
            self.shared.stop(&failure);
            return self.refuse(batch, &failure, false);
        }
        let failure = Failure::panicked(path);
        self.shared.note(&failure);
        if !batch.lazy.is_empty() {
            self.shared.to_writer.put_back(&mut batch.lazy, self.pause);
            if batch.requests.is_empty() {
                self.shared.sink.notice(Notice::FlushFailed(failure.clone().of_flush()));
            }
        }
        self.refuse(batch, &failure, false);
    }
}

/// Give this failure to all that have none of their own.
fn fail_all(failures: &mut [Option<Failure>], failure: &Failure) {
    for place in failures.iter_mut().filter(|place| place.is_none()) {
        *place = Some(failure.clone());
    }
}

/// Name the file in what a failed open says.
pub fn no_thread(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        Class::Storage,
        format!("{}: no thread could be started ({error}); nothing was opened", path.display()),
    )
}
