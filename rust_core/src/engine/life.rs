//! The life of an engine's threads, from open to close.
use super::api::{Answer, Job, Outcome, TableInfo};
use super::failure::Failure;
use super::inbox::{Batch, Call};
use super::shared::{Shared, State};
use super::writer::{Writer, no_thread};
use super::{opening, reader};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

/// Start the writer thread, which opens the file and then serves until closed.
pub fn start<J: Job>(shared: &Arc<Shared<J>>, job: J) {
    shared.set_state(State::Opening);
    let slot = Arc::new(Mutex::new(Some(job))); // a thread that does not start must not keep the job
    let (slot_there, shared_there) = (Arc::clone(&slot), Arc::clone(shared));
    let run = move || {
        if let Some(job) = take(&slot_there) {
            live(&shared_there, job);
        }
    };
    let started = std::thread::Builder::new().name("asyncdictsqlite-writer".into()).spawn(run);
    if let Err(error) = started
        && let Some(job) = take(&slot)
    {
        give_up(shared, job, no_thread(&shared.settings.path, &error));
    }
}

fn take<J>(slot: &Mutex<Option<J>>) -> Option<J> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn live<J: Job>(shared: &Arc<Shared<J>>, job: J) {
    let opened = catch_unwind(AssertUnwindSafe(|| open(shared)));
    match opened.unwrap_or_else(|_| Err(Failure::panicked(&shared.settings.path))) {
        Err(failure) => give_up(shared, job, failure),
        Ok((mut writer, tables)) => {
            shared.set_state(State::Open);
            shared.deliver_one(job, Ok(Answer::Opened(tables)));
            let (jobs, outcome) = writer.serve();
            drop(writer); // the connection, too: who learns of the close finds the file free
            for job in jobs {
                shared.deliver_one(job, copy(&outcome));
            }
        }
    }
}

fn open<J: Job>(shared: &Arc<Shared<J>>) -> Result<(Writer<J>, Vec<TableInfo>), Failure> {
    let opened = opening::open(shared)?;
    let header = opened.writing.header;
    let reader =
        reader::start(shared, opened.reading, header).map_err(|error| no_thread(&shared.settings.path, &error))?;
    Ok((Writer::new(Arc::clone(shared), opened.writing, reader), opened.tables))
}

/// The open failed: nothing that was handed over meanwhile is lost.
fn give_up<J: Job>(shared: &Shared<J>, job: J, failure: Failure) {
    shared.set_state(State::Closed);
    shared.inline.lock().unwrap_or_else(PoisonError::into_inner).take();
    shared.coherence.detach();
    let mut rest = Batch::default();
    for inbox in [&shared.to_writer, &shared.to_reader] {
        inbox.shut();
        inbox.drain(&mut rest);
    }
    shared.note(&failure);
    shared.deliver_one(job, Err(failure));
    for request in rest.requests {
        let closes = matches!(request.call, Call::Close);
        shared.deliver_one(request.job, if closes { Ok(Answer::Done) } else { Err(shared.refusal()) });
    }
    for job in rest.lazy {
        shared.deliver_one(job, Err(shared.refusal()));
    }
}

fn copy(outcome: &Outcome) -> Outcome {
    match outcome {
        Ok(_) => Ok(Answer::Done),
        Err(failure) => Err(failure.clone()),
    }
}
