//! The lazy queue on the writer thread: one transaction for all of it, kept and tried again where it surely did not apply.
use super::api::{Answer, Job, Notice, Outcome};
use super::failure::{Class, Failure};
use super::group;
use super::inbox::Batch;
use super::transaction::Failed;
use super::writer::{FIRST_PAUSE, Writer};
use std::time::{Duration, Instant};

const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl<J: Job> Writer<J> {
    /// Commit the lazy queue. On failure it is put back, or, when its outcome is unknown, sent home.
    pub(super) fn flush(&mut self, jobs: &mut Vec<J>) -> Result<(), Failure> {
        let result = self.flush_all(jobs);
        self.shared.unpublished.end();
        result
    }

    fn flush_all(&mut self, jobs: &mut Vec<J>) -> Result<(), Failure> {
        let path = self.shared.settings.path.clone();
        let calls: Vec<&J> = jobs.iter().collect();
        let result = self.transactions.run(Instant::now(), |session| group::apply_blindly(session, &path, &calls));
        match result {
            Ok((dropped, epoch)) => {
                if !dropped.is_empty() {
                    self.shared.sink.notice(Notice::Dropped(dropped));
                }
                let changes = self.forget_unsaved(jobs);
                self.load /= 2;
                self.count_commit(changes);
                self.shared.counters.flushes.add(1);
                self.pause = FIRST_PAUSE;
                let flush = self.shared.counters.flushes.get();
                self.send_home(jobs, || Ok(Answer::Flushed { flush, epoch }));
                Ok(())
            }
            Err(Failed::NotApplied(failure) | Failed::OfCall(_, failure)) => {
                let failure = failure.of_flush();
                self.shared.note(&failure);
                self.shared.to_writer.put_back(jobs, self.pause);
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                Err(failure)
            }
            Err(Failed::Unknown(failure)) => {
                self.shared.stop(&failure);
                self.forget_unsaved(jobs);
                self.send_home(jobs, || Err(failure.clone()));
                Err(failure)
            }
        }
    }

    pub(super) fn forget_unsaved(&self, jobs: &[J]) -> usize {
        let (changes, bytes) = jobs.iter().map(Job::size).fold((0, 0), |sum, size| (sum.0 + size.0, sum.1 + size.1));
        self.shared.to_writer.saved(changes, bytes);
        changes
    }

    pub(super) fn send_home(&self, jobs: &mut Vec<J>, outcome: impl Fn() -> Outcome) {
        if !jobs.is_empty() {
            self.shared.publish(&mut jobs.drain(..).map(|job| (job, outcome())).collect());
        }
    }

    pub(super) fn flush_failed(&self, batch: &mut Batch<J>, failure: Failure) {
        if batch.requests.is_empty() && failure.class == Class::FlushFailed {
            return self.shared.sink.notice(Notice::FlushFailed(failure));
        }
        self.refuse(batch, &failure, false);
    }
}
