//! persist_mode="memory": the memory is the data.
use super::core::{Core, Phase};
use super::decide::{Decision, Homes, decide};
use super::engine::Engine;
use super::entry::{ENTRY_BYTES, State};
use super::job::{Change, Commit};
use super::reference::Ref;
use super::{errors, read, result};
use crate::engine::Kind;
use pyo3::prelude::*;
use pyo3::types::PyDict;

pub fn open(engine: &Bound<'_, Engine>) -> Ref {
    let core = engine.get().core(engine.py());
    core.phase = Phase::Open;
    core.settle();
    PyDict::new(engine.py()).into()
}

pub fn close(engine: &Bound<'_, Engine>) -> Ref {
    let core = engine.get().core(engine.py());
    core.phase = Phase::Closed;
    core.settle();
    core.cache.clear();
    core.sorted = None;
    engine.get().sweep_all(engine.py());
    Ref::none()
}

pub fn no_backup(py: Python<'_>) -> PyErr {
    errors::named(py, "ConfigError", "persist_mode='memory' has no file to back up: iterate over items() instead")
}

pub fn commit(engine: &Bound<'_, Engine>, commit: &Commit) -> PyResult<Ref> {
    let py = engine.py();
    let core = engine.get().core(py);
    let decision = decide(core, &commit.changes, &Homes::default(), commit.wants_old);
    if !core.options.evict && overflows(core, &commit.changes, &decision) {
        let (entries, bytes) = (core.cache.len(), core.cache.bytes);
        let (most, most_bytes) = core.cache.limits();
        let message = format!(
            "{}: memory is full ({entries} entries of capacity={most}, {bytes} bytes of capacity_bytes={most_bytes}); \
             nothing was applied: delete some, raise the limit, or let evict=True forget the coldest",
            core.path
        );
        return Err(errors::named(py, "CapacityExceededError", &message));
    }
    for &index in &decision.effects {
        apply(core, &commit.changes[index]);
    }
    engine.get().sweep(py);
    result::of_commit(py, decision.was, commit.tells)
}

/// Set one key, if that needs no decision; false: go the long way (which may refuse it).
pub fn put(core: &mut Core, change: &Change) -> bool {
    let (Some(key), Some(value)) = (&change.key, &change.value) else { return false };
    let size = super::job::bytes(Some(value)).len() + key.bytes().len() + ENTRY_BYTES;
    let old = core.cache.cost_of(change.table, &key.borrow());
    let bytes = size as isize - old.unwrap_or(0) as isize;
    if !core.options.evict && core.cache.would_overflow(isize::from(old.is_none()), bytes) {
        return false;
    }
    apply(core, change);
    true
}

fn apply(core: &mut Core, change: &Change) {
    let table = change.table;
    match (change.kind, &change.key, &change.value) {
        (Kind::Put | Kind::PutIfAbsent | Kind::PutIfEqual, Some(key), Some(value)) => {
            let kept = read::kept(core.tables[table as usize].kind(), change.object.clone(), value.clone());
            core.cache.set(table, key, kept, State::Saved, 0);
        }
        (Kind::Delete, Some(key), _) => {
            core.cache.remove(table, &key.borrow());
        }
        (Kind::Clear, ..) => core.cache.remove_table(table),
        (Kind::Create, ..) => result::created(&mut core.tables[table as usize], change),
        (Kind::Drop, ..) => {
            core.cache.remove_table(table);
            core.tables[table as usize].storage_mode = None;
        }
        _ => {}
    }
}

/// Whether the effects would leave more than the limits allow. What a CLEAR frees is not counted for its own call.
fn overflows(core: &Core, changes: &[Change], decision: &Decision) -> bool {
    let (mut entries, mut bytes) = (0isize, 0isize);
    for &index in &decision.last_effects {
        let change = &changes[index];
        let Some(key) = &change.key else { continue };
        if let Some(old) = core.cache.cost_of(change.table, &key.borrow()) {
            entries -= 1;
            bytes -= old as isize;
        }
        if change.kind != Kind::Delete {
            let size = super::job::bytes(change.value.as_ref()).len();
            entries += 1;
            bytes += (size + key.bytes().len() + ENTRY_BYTES) as isize;
        }
    }
    (entries > 0 || bytes > 0) && core.cache.would_overflow(entries, bytes)
}
