//! Syncs, checkpoints and the end, on the writer thread.
use super::api::{Answer, Job, Outcome, Synchronous};
use super::checkpoint::Due;
use super::connection::set_synchronous;
use super::failure::{Class, Failure};
use super::group::Trouble;
use super::inbox::{Batch, Call};
use super::inline_reader;
use super::shared::State;
use super::transaction::Failed;
use super::wal_index::Header;
use super::writer::Writer;
use rusqlite::config::DbConfig;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Instant;

impl<J: Job> Writer<J> {
    /// Make all commits durable: in "normal" by one real commit that waits for its sync.
    pub(super) fn sync(&mut self) -> Outcome {
        let settings = &self.shared.settings;
        if settings.synchronous == Synchronous::Full || settings.readonly || !self.unsynced {
            return Ok(Answer::Done);
        }
        let path = settings.path.clone();
        let set = |this: &Self, value| {
            set_synchronous(this.transactions.session.connection(), value)
                .map_err(|error| Failure::of_sqlite(&error, 0, &path))
        };
        set(self, Synchronous::Full)?;
        let done = self.transactions.run(Instant::now(), |session| {
            session.connection().execute_batch("PRAGMA user_version = 1").map_err(Trouble::OfAll)
        });
        self.shared.unpublished.end();
        set(self, Synchronous::Normal)?;
        match done {
            Ok(_) => {
                self.unsynced = false;
                Ok(Answer::Done)
            }
            Err(Failed::Unknown(failure)) => {
                self.shared.stop(&failure);
                Err(failure)
            }
            Err(Failed::NotApplied(failure) | Failed::OfCall(_, failure)) => Err(failure),
        }
    }

    pub(super) fn checkpoint_due(&self) -> Due {
        match self.header {
            Some(header) if !self.shared.settings.readonly && self.shared.state() == State::Open => {
                self.checkpoints.due(header, self.load)
            }
            _ => Due::No,
        }
    }

    pub(super) fn checkpoint_or_stop(&mut self) {
        if let Some(header) = self.header
            && let Err(failure) = self.checkpoint(header)
        {
            self.shared.stop(&failure);
        }
    }

    /// Fails only if a sync failed: then what was acknowledged in "normal" is unknown.
    fn checkpoint(&mut self, header: Header) -> Result<(), Failure> {
        inline_reader::end(&self.shared); // a loop that was stopped in the middle of its turn may have left it open
        let result = self.checkpoints.run(self.transactions.session.connection(), header);
        self.shared.counters.checkpoints.add(1);
        let path = &self.shared.settings.path;
        match result {
            Err(error) if self.shared.watch.sync_failed.load(Ordering::Relaxed) => {
                Err(Failure::unknown(path, &error.to_string()))
            }
            Err(error) => {
                self.shared.note(&self.transactions.session.failure(&error, path));
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    pub(super) fn close(&mut self, batch: &mut Batch<J>) {
        let mut rest = Batch::default();
        self.shared.to_writer.shut();
        self.shared.to_writer.drain(&mut rest);
        if self.shared.state() == State::Stopped {
            self.forget_unsaved(&rest.lazy);
            self.send_home(&mut rest.lazy, || Err(self.shared.refusal()));
        } else if !rest.lazy.is_empty()
            && let Err(failure) = self.flush(&mut rest.lazy)
            && failure.class == Class::FlushFailed
        {
            self.shared.to_writer.unshut();
            batch.requests.append(&mut rest.requests);
            return self.refuse(batch, &failure, false);
        }
        let (closes, others): (Vec<_>, Vec<_>) =
            rest.requests.into_iter().partition(|request| matches!(request.call, Call::Close));
        let outcome = self.end();
        for request in others {
            self.shared.deliver_one(request.job, Err(self.shared.refusal()));
        }
        let jobs = batch.requests.drain(..).chain(closes).map(|request| request.job).collect();
        self.closed = Some((jobs, outcome));
    }

    /// End the reader and everything but the writer's own connection.
    fn end(&mut self) -> Outcome {
        let stopped = self.shared.state() == State::Stopped;
        self.shared.set_state(State::Closed);
        self.shared.to_reader.shut();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join(); // a panic was answered where it happened
        }
        self.shared.inline.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.shared.sync_readers.close();
        self.shared.coherence.detach();
        if stopped {
            // A failed sync is never tried again: not by SQLite's own checkpoint at the last close either.
            let _ =
                self.transactions.session.connection().set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
            return Ok(Answer::Done);
        }
        match self.header {
            Some(header) if !self.shared.settings.readonly => self.checkpoint(header).map(|()| Answer::Done),
            _ => Ok(Answer::Done),
        }
    }
}
