//! Calls: what was asked of an engine, and how each is carried out at once or handed to a thread.
use super::awaitable;
use super::core::{Mode, Phase};
use super::engine::Engine;
use super::job::{Change, Commit, Job, Work, complete};
use super::key::OwnedKey;
use super::reference::Ref;
use super::{completion, errors, lazy, memory, read, rows};
use crate::engine::{Failure, Scan};
use pyo3::prelude::*;
use std::path::PathBuf;

pub enum Call {
    Open,
    Get { table: u32, key: OwnedKey, codec: Ref, default: Ref },
    Read { table: u32, keys: Vec<OwnedKey> },
    Commit(Commit),
    Page(Page),
    Count { table: u32 },
    Flush,
    Backup { path: PathBuf },
    Close,
}

/// One page of an iteration.
pub struct Page {
    pub table: u32,
    pub start: OwnedKey,
    pub end: Option<OwnedKey>,
    pub reverse: bool,
    pub rows: usize,
    pub size_bytes: usize,
    pub values: bool,
}

impl Page {
    pub fn of_file(&self, table_name: &str) -> Scan {
        Scan {
            table: table_name.to_owned(),
            start: self.start.bytes().to_vec(),
            end: self.end.as_ref().map(|end| end.bytes().to_vec()),
            reverse: self.reverse,
            rows: self.rows,
            size_bytes: self.size_bytes,
            values: self.values,
        }
    }
}

impl Call {
    /// The keys it reads or writes; None: more than single keys.
    pub fn keys(&self) -> Option<Vec<(u32, OwnedKey)>> {
        match self {
            Self::Get { table, key, .. } => Some(vec![(*table, key.clone())]),
            Self::Read { table, keys } => Some(keys.iter().map(|key| (*table, key.clone())).collect()),
            Self::Commit(commit) => commit.changes.iter().map(of_one_key).collect(),
            _ => None,
        }
    }

    pub fn is_write(&self) -> bool {
        matches!(self, Self::Commit(_) | Self::Flush | Self::Close)
    }
}

fn of_one_key(change: &Change) -> Option<(u32, OwnedKey)> {
    change.key.clone().filter(|_| change.kind.is_of_one_key()).map(|key| (change.table, key))
}

/// Hand a call over; what it returns is finished where the answer is in memory.
pub fn submit<'py>(engine: &Bound<'py, Engine>, call: Call) -> PyResult<Bound<'py, PyAny>> {
    let py = engine.py();
    completion::drain(py);
    let awaitable = awaitable::pending(py)?;
    admit(engine, call, Ref::of(&awaitable));
    Ok(awaitable)
}

/// Refuse it, park it, or carry it out.
fn admit(engine: &Bound<'_, Engine>, call: Call, awaitable: Ref) {
    let py = engine.py();
    let core = engine.get().core(py);
    let is_possible = matches!(
        (&call, core.phase),
        (Call::Open, Phase::Fresh)
            | (Call::Close, Phase::Fresh | Phase::Closed | Phase::Stopped | Phase::Closing)
            | (_, Phase::Open)
    );
    if !is_possible {
        let refusal = core.refusal();
        return complete(py, &awaitable, Err(errors::named(py, refusal.0, &refusal.1)));
    }
    let failure = match &call {
        Call::Commit(_) if core.options.readonly => Some(Failure::readonly(core.path.as_ref())),
        _ if call.is_write() => core.flush_failure.take(),
        _ => None,
    };
    if let Some(failure) = failure {
        return complete(py, &awaitable, Err(errors::exception(py, &failure)));
    }
    if engine.get().core(py).mode == Mode::Lazy {
        lazy::admit(engine, call, awaitable);
    } else {
        carry_out(engine, call, awaitable);
    }
}

pub fn carry_out(engine: &Bound<'_, Engine>, call: Call, awaitable: Ref) {
    let py = engine.py();
    let result = match (call, engine.get().core(py).mode) {
        (Call::Get { table, key, codec, default }, _) => {
            return read::get(engine, table, key, codec, default, awaitable);
        }
        (Call::Read { table, keys }, _) => return read::many(engine, table, keys, awaitable),
        (Call::Open, Mode::Memory) => Ok(memory::open(engine)),
        (Call::Commit(commit), Mode::Memory) => memory::commit(engine, &commit),
        (Call::Page(page), Mode::Memory) => rows::memory_page(engine, &page),
        (Call::Count { table }, Mode::Memory) => rows::memory_count(engine, table),
        (Call::Flush, Mode::Memory) => Ok(Ref::none()),
        (Call::Backup { .. }, Mode::Memory) => Err(memory::no_backup(py)),
        (Call::Close, Mode::Memory) => Ok(memory::close(engine)),
        (Call::Commit(commit), Mode::Lazy) => return lazy::commit(engine, commit, awaitable),
        (call, _) => return hand_to_thread(engine, call, awaitable),
    };
    complete(py, &awaitable, result);
}

/// The calls that the file's own threads carry out.
fn hand_to_thread(engine: &Bound<'_, Engine>, call: Call, awaitable: Ref) {
    let py = engine.py();
    let core = engine.get().core(py);
    let Some(file) = core.engine.clone() else { return };
    let name = |table: u32| engine.get().core(py).tables[table as usize].name.to_string();
    let job = |work| Job::new(engine, awaitable, work);
    match call {
        Call::Open => file.open(job(Work::Open)),
        Call::Commit(commit) => file.commit(job(Work::Commit(commit))),
        Call::Page(page) => file.scan(job(Work::Scan), page.of_file(&name(page.table))),
        Call::Count { table } => file.count(job(Work::Count), name(table)),
        Call::Flush => file.flush(job(Work::Other)),
        Call::Backup { path } => file.backup(job(Work::Other), path),
        Call::Close => {
            let core = engine.get().core(py);
            if core.phase == Phase::Open {
                core.phase = Phase::Closing;
                core.settle();
            }
            file.close(job(Work::Close));
        }
        Call::Get { .. } | Call::Read { .. } => {} // `carry_out` knows them
    }
}
