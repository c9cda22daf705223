//! What finished jobs do when they come home: publish to memory first, acknowledge then, let go of references last.
use super::core::{Core, Phase};
use super::engine::{self, Engine};
use super::entry::State;
use super::job::{Asker, Change, Commit, Content, Read, Work, complete};
use super::key::OwnedKey;
use super::reference::Ref;
use super::{errors, lazy, read, result, rows, value};
use crate::engine::{Answer, Class, Failure, Kind, Notice, Outcome, Packed, TableInfo, Was};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

pub fn take_in(py: Python<'_>, content: Content, outcome: Outcome) {
    let Content { engine, awaitable, work } = content;
    let engine = &engine.bind(py);
    let result = match (work, outcome) {
        (Work::Read(read), outcome) => return read_home(engine, read, &awaitable, outcome),
        (Work::Queue(changes), outcome) => return lazy::flushed(engine, &changes, epoch_of_flush(&outcome)),
        (Work::Puts(puts), outcome) => return lazy::puts_flushed(engine, &puts, epoch_of_flush(&outcome)),
        (Work::Commit(commit), outcome) => commit_home(engine, &commit, outcome),
        (Work::Open, Ok(Answer::Opened(tables))) => open_home(engine, &tables),
        (Work::Scan, Ok(Answer::Rows(found))) => {
            let rows = rows::of_file(py, &found);
            give_back(engine, found);
            rows
        }
        (Work::Count, Ok(Answer::Count(count))) => Ok(Ref::of_int(py, count)),
        (Work::Close, outcome) => close_home(engine, outcome),
        (_, Ok(Answer::Done)) => Ok(Ref::none()),
        (_, Err(failure)) => Err(errors::exception(py, &failure)),
        (_, Ok(_)) => Err(PyRuntimeError::new_err("the engine gave an answer of another kind")),
    };
    complete(py, &awaitable, result);
}

pub fn notice(py: Python<'_>, engine: u64, notice: Notice) {
    let Some(engine) = engine::by_id(py, engine) else { return };
    let core = engine.get().core(py);
    match notice {
        Notice::FlushFailed(failure) => {
            core.last_error = Some(failure.message.clone());
            core.flush_failure = Some(failure);
        }
        Notice::Dropped(names) => {
            for name in names {
                let table = core.table(&name);
                core.cache.remove_table(table);
                core.flights.publish_table(table);
                let table = &mut core.tables[table as usize];
                (table.storage_mode, table.mask) = (None, 0);
            }
            core.misses_tables = true;
            engine.get().sweep(py);
        }
        Notice::Stopped(failure) => {
            core.last_error = Some(failure.message.clone());
            core.phase = Phase::Stopped;
            core.settle();
            core.cache.clear();
            let waits = std::mem::take(&mut core.waits_for_room);
            engine.get().sweep(py);
            for one in waits {
                complete(py, &one.awaitable, Err(errors::exception(py, &failure)));
            }
        }
    }
}

// ---- open and close ------------------------------------------------------------------------------------------------

fn open_home(engine: &Bound<'_, Engine>, tables: &[TableInfo]) -> PyResult<Ref> {
    let core = engine.get().core(engine.py());
    core.phase = Phase::Open;
    core.checked = core.engine.as_ref().is_some_and(|file| file.coherent());
    core.settle();
    for info in tables {
        let table = core.table(&info.name);
        core.tables[table as usize].storage_mode = Some(info.storage_mode.as_str().into());
    }
    result::of_open(engine.py(), tables)
}

fn close_home(engine: &Bound<'_, Engine>, outcome: Outcome) -> PyResult<Ref> {
    let py = engine.py();
    let core = engine.get().core(py);
    let failed = outcome.err().filter(|failure| failure.class != Class::Closed);
    core.phase = match (&failed, core.phase) {
        (_, Phase::Stopped) => Phase::Stopped,
        (Some(failure), _) if failure.class == Class::FlushFailed => Phase::Open,
        _ => Phase::Closed,
    };
    core.settle();
    if core.phase == Phase::Closed {
        core.cache.clear();
        engine.get().sweep_all(py);
    }
    failed.map_or_else(|| Ok(Ref::none()), |failure| Err(errors::exception(py, &failure)))
}

// ---- reads ---------------------------------------------------------------------------------------------------------

fn read_home(engine: &Bound<'_, Engine>, read: Read, awaitable: &Ref, outcome: Outcome) {
    let py = engine.py();
    let (values, epoch) = match outcome {
        Ok(Answer::Values { values, epoch }) => (values, epoch),
        outcome => {
            land(engine, &read, |_, _, _| {});
            let error = outcome.err().map(|failure| errors::exception(py, &failure));
            return fail(engine, &read, awaitable, error);
        }
    };
    let copies = |one: Option<&[u8]>| one.map(|data| value::copy(data).ok_or(())).transpose();
    let encoded: Result<Vec<_>, ()> = values.iter().map(copies).collect();
    give_back(engine, values);
    let Ok(encoded) = encoded else {
        let error = PyErr::fetch(py);
        land(engine, &read, |_, _, _| {});
        return fail(engine, &read, awaitable, Some(error));
    };
    land(engine, &read, |core, index, key| {
        if let Some(Some(encoded)) = encoded.get(index) {
            read::keep(core, read.table, key, encoded, epoch);
        }
    });
    answer(engine, read, awaitable, encoded);
}

fn give_back(engine: &Bound<'_, Engine>, packed: Packed) {
    if let Some(file) = &engine.get().core(engine.py()).engine {
        file.give_back(packed);
    }
}

/// Take all keys of a read out of the flights; `keep` is called for those whose value may be kept, but for those that
/// so many others would push out again.
fn land(engine: &Bound<'_, Engine>, read: &Read, mut keep: impl FnMut(&mut Core, usize, &OwnedKey)) {
    let py = engine.py();
    let core = engine.get().core(py);
    let mut landed = Vec::new();
    let kept_from = read.keys.len().saturating_sub(core.cache.limits().0);
    for (index, key) in read.keys.iter().enumerate() {
        let (is_newest, key_of_flight) = core.flights.arrive(read.table, key, read.ticket);
        landed.extend(key_of_flight);
        if is_newest && core.phase == Phase::Open && index >= kept_from {
            keep(core, index, key);
        }
    }
    let published = core.flights.land(read.ticket);
    drop((landed, published));
    engine.get().sweep(py);
}

fn answer(engine: &Bound<'_, Engine>, read: Read, awaitable: &Ref, encoded: Vec<Option<Ref>>) {
    let py = engine.py();
    let table = read.table;
    let result = match read.asker {
        Asker::Get { codec, default } => match encoded.into_iter().next().flatten() {
            Some(encoded) => read::decode(engine, table, &read.keys[0], &codec, encoded),
            None => Ok(default),
        },
        Asker::Many { list, holes } => {
            for (index, item) in holes.into_iter().zip(encoded) {
                if let Some(item) = item {
                    read::fill(&list.bind(py), index, item);
                }
            }
            Ok(list.untyped())
        }
        Asker::Parked { call } => {
            let Some(parked) = engine.get().core(py).gates.get_mut(call) else { return };
            parked.waits_for -= read.keys.len();
            let is_ready = parked.waits_for == 0;
            for (key, item) in read.keys.iter().zip(encoded) {
                parked.homes.insert(table, key, item);
            }
            if is_ready {
                lazy::attempt(engine, call);
            }
            return;
        }
    };
    complete(py, awaitable, result);
}

fn fail(engine: &Bound<'_, Engine>, read: &Read, awaitable: &Ref, error: Option<PyErr>) {
    let error = error.unwrap_or_else(|| PyRuntimeError::new_err("the engine gave an answer of another kind"));
    match read.asker {
        Asker::Parked { call } => lazy::give_up(engine, call, error),
        Asker::Get { .. } | Asker::Many { .. } => complete(engine.py(), awaitable, Err(error)),
    }
}

// ---- writes --------------------------------------------------------------------------------------------------------

/// None: it did not take place, the engine has stopped.
fn epoch_of_flush(outcome: &Outcome) -> Option<u64> {
    match outcome {
        Ok(Answer::Flushed { epoch, .. }) => Some(*epoch),
        _ => None,
    }
}

fn commit_home(engine: &Bound<'_, Engine>, commit: &Commit, outcome: Outcome) -> PyResult<Ref> {
    let py = engine.py();
    let (was, epoch) = match outcome {
        Ok(Answer::Committed { was, epoch }) => (was, epoch),
        Ok(_) => return Err(PyRuntimeError::new_err("the engine gave an answer of another kind")),
        Err(failure) => return Err(errors::exception(py, &with_key(failure, commit))),
    };
    let core = engine.get().core(py);
    let nothing = Was::default();
    for (index, change) in commit.changes.iter().enumerate() {
        publish(core, change, was.get(index).unwrap_or(&nothing), epoch);
    }
    engine.get().sweep(py);
    let decided = if commit.tells { result::decided(&was, commit.changes.len()) } else { Vec::new() };
    if let Some(file) = &engine.get().core(py).engine {
        file.give_back_was(was);
    }
    result::of_commit(py, decided, commit.tells)
}

/// Make a committed change visible in memory.
fn publish(core: &mut Core, change: &Change, was: &Was, epoch: u64) {
    let table = change.table;
    match (change.kind, &change.key) {
        (Kind::Put | Kind::PutIfAbsent | Kind::PutIfEqual | Kind::Delete, Some(key)) => {
            if change.kind == Kind::PutIfAbsent && was.there {
                return;
            }
            core.flights.publish(table, key);
            match (change.kind, &change.value) {
                (Kind::Put | Kind::PutIfAbsent, Some(value)) if core.phase == Phase::Open => {
                    let kind = core.tables[table as usize].kind();
                    let kept = read::kept(kind, change.object.clone(), value.clone());
                    core.cache.set(table, key, kept, State::Saved, core.stamp(epoch));
                }
                _ => drop(core.cache.remove(table, &key.borrow())), // PutIfEqual: the file knows
            }
        }
        (Kind::Create, _) => {
            let existing = was.old.as_deref().and_then(|mode| std::str::from_utf8(mode).ok());
            match existing.filter(|_| was.there) {
                Some(mode) => core.tables[table as usize].storage_mode = Some(mode.into()),
                None if !was.there => result::created(&mut core.tables[table as usize], change),
                None => {}
            }
        }
        (kind, _) => {
            core.flights.publish_table(table);
            core.cache.remove_table(table);
            if kind == Kind::Drop {
                core.tables[table as usize].storage_mode = None;
            }
        }
    }
}

/// The engine knows no keys: name the one whose value was too large.
fn with_key(failure: Failure, commit: &Commit) -> Failure {
    match (&failure.class, commit.changes.as_slice()) {
        (Class::ValueTooLarge, [Change { key: Some(key), .. }]) => {
            let key: String = String::from_utf8_lossy(key.bytes()).chars().take(40).collect();
            Failure { message: format!("key {key:?}: {}", failure.message), ..failure }
        }
        _ => failure,
    }
}
