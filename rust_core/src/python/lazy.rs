//! persist_mode="lazy": decided in memory, queued for the flush, in strict order per key.
use super::cache::Cache;
use super::call::{Call, carry_out};
use super::core::{Core, Mode, Phase, Table, WaitsForRoom};
use super::decide::{Homes, cold_keys, decide};
use super::engine::Engine;
use super::entry::{Kept, State};
use super::gates::Parked;
use super::job::{Asker, Change, Commit, Job, Put, Puts, Work, complete};
use super::key::OwnedKey;
use super::reference::Ref;
use super::{errors, read, result};
use crate::engine::{Kind, Queue};
use pyo3::prelude::*;

/// Carry a call out, or let it queue behind those that it must not overtake.
pub fn admit(engine: &Bound<'_, Engine>, call: Call, awaitable: Ref) {
    let core = engine.get().core(engine.py());
    if core.gates.is_empty() {
        return carry_out(engine, call, awaitable);
    }
    if core.gates.line.is_empty() {
        return place(engine, call, awaitable);
    }
    core.gates.line.push_back((call, awaitable));
}

fn place(engine: &Bound<'_, Engine>, call: Call, awaitable: Ref) {
    let core = engine.get().core(engine.py());
    match call.keys() {
        None if core.gates.has_parked() => core.gates.line.push_back((call, awaitable)),
        Some(keys) if core.gates.are_gated(&keys) => park(engine, call, awaitable, keys),
        _ => carry_out(engine, call, awaitable),
    }
}

/// Decide and apply a commit, or park it until its cold keys are home.
pub fn commit(engine: &Bound<'_, Engine>, commit: Commit, awaitable: Ref) {
    let core = engine.get().core(engine.py());
    if commit.changes.iter().any(|change| matches!(change.kind, Kind::Create | Kind::Drop)) {
        if let Some(file) = core.engine.clone() {
            file.commit(Job::new(engine, awaitable, Work::Commit(commit))); // it flushes first
        }
        return;
    }
    if core.misses_tables
        && let Some(change) = commit.changes.iter().find(|change| {
            core.tables[change.table as usize].storage_mode.is_none() // no flush could save it
        })
    {
        let what = format!("table {:?} is not in the file (dropped?); nothing was applied", change.table_name);
        let (py, message) = (engine.py(), format!("{}: {what}", core.path));
        return complete(py, &awaitable, Err(errors::named(py, "SchemaMismatchError", &message)));
    }
    let homes = Homes::default();
    let is_cold = !cold_keys(core, &commit.changes, &homes, commit.wants_old).is_empty();
    let call = Call::Commit(commit);
    match (call.keys().filter(|_| is_cold), call) {
        (Some(keys), call) => park(engine, call, awaitable, keys),
        (None, Call::Commit(commit)) => apply(engine, commit, &homes, awaitable),
        (None, _) => {}
    }
}

fn park(engine: &Bound<'_, Engine>, call: Call, awaitable: Ref, keys: Vec<(u32, OwnedKey)>) {
    let core = engine.get().core(engine.py());
    let (number, is_first) = core.gates.park(call, awaitable, keys);
    core.settle();
    if is_first {
        attempt(engine, number);
    }
}

/// Carry out a parked call that nothing is before, and those that it held up.
pub fn attempt(engine: &Bound<'_, Engine>, number: u64) {
    let mut ready = vec![number];
    while let Some(number) = ready.pop() {
        let core = engine.get().core(engine.py());
        let Some(parked) = core.gates.take(number) else { continue };
        let is_open = core.phase == Phase::Open;
        if let Some(cold) = asks_for(core, &parked).filter(|_| is_open) {
            fetch(engine, number, parked, cold);
            continue;
        }
        let Parked { call, awaitable, keys, homes, .. } = parked;
        match call {
            _ if !is_open => refuse(engine, &awaitable),
            Call::Commit(commit) => apply(engine, commit, &homes, awaitable),
            call => carry_out(engine, call, awaitable),
        }
        ready.extend(open_gates(engine, &keys));
    }
    move_line(engine);
}

/// The engine stopped, or closed, while the call waited for its turn.
fn refuse(engine: &Bound<'_, Engine>, awaitable: &Ref) {
    let py = engine.py();
    let (name, message) = engine.get().core(py).refusal();
    complete(py, awaitable, Err(errors::named(py, name, &message)));
}

/// A parked call cannot be carried out.
pub fn give_up(engine: &Bound<'_, Engine>, number: u64, error: PyErr) {
    let py = engine.py();
    let Some(parked) = engine.get().core(py).gates.take(number) else { return };
    complete(py, &parked.awaitable, Err(error));
    for number in open_gates(engine, &parked.keys) {
        attempt(engine, number);
    }
    move_line(engine);
}

fn open_gates(engine: &Bound<'_, Engine>, keys: &[(u32, OwnedKey)]) -> Vec<u64> {
    let core = engine.get().core(engine.py());
    let (ready, released) = core.gates.open(keys);
    core.settle();
    drop(released);
    ready
}

fn asks_for(core: &Core, parked: &Parked) -> Option<Vec<(u32, OwnedKey)>> {
    let Call::Commit(commit) = &parked.call else { return None };
    let cold = cold_keys(core, &commit.changes, &parked.homes, commit.wants_old);
    (!cold.is_empty()).then_some(cold)
}

/// Ask the file for the cold keys of a parked call, one read for each table.
fn fetch(engine: &Bound<'_, Engine>, number: u64, mut parked: Parked, mut cold: Vec<(u32, OwnedKey)>) {
    parked.waits_for = cold.len();
    let awaitable = parked.awaitable.clone();
    engine.get().core(engine.py()).gates.put_back(number, parked);
    while let Some(&(table, _)) = cold.first() {
        let (these, others): (Vec<_>, Vec<_>) = cold.into_iter().partition(|(of, _)| *of == table);
        let keys = these.into_iter().map(|(_, key)| key).collect();
        read::ask_reader(engine, table, keys, Asker::Parked { call: number }, awaitable.clone());
        cold = others;
    }
}

/// What the line's first call waited for may be over.
fn move_line(engine: &Bound<'_, Engine>) {
    let py = engine.py();
    let core = engine.get().core(py);
    if std::mem::replace(&mut core.gates.line_moves, true) {
        return;
    }
    loop {
        let core = engine.get().core(py);
        let held = core.gates.has_parked();
        if core.gates.line.front().is_some_and(|(call, _)| held && call.keys().is_none()) {
            break;
        }
        let Some((call, awaitable)) = core.gates.line.pop_front() else { break };
        let core = engine.get().core(py);
        if core.phase == Phase::Open {
            place(engine, call, awaitable);
        } else {
            refuse(engine, &awaitable);
        }
    }
    let core = engine.get().core(py);
    core.gates.line_moves = false;
    core.settle();
}

fn apply(engine: &Bound<'_, Engine>, commit: Commit, homes: &Homes, awaitable: Ref) {
    let py = engine.py();
    let core = engine.get().core(py);
    let decision = decide(core, &commit.changes, homes, commit.wants_old);
    let mut takes_effect = decision.effects.iter().copied().peekable();
    let mut queue = Vec::with_capacity(decision.effects.len());
    let mut rest = Vec::new();
    for (index, change) in commit.changes.into_iter().enumerate() {
        if takes_effect.next_if_eq(&index).is_some() {
            queue.push(remember(core, change));
        } else {
            rest.push(change);
        }
    }
    let is_full = queue_up(engine, queue, &awaitable);
    drop(rest);
    engine.get().sweep(py);
    match result::of_commit(py, decision.was, commit.tells) {
        Ok(result) if is_full => engine.get().core(py).waits_for_room.push(WaitsForRoom { awaitable, result }),
        result => complete(py, &awaitable, result),
    }
}

/// Make a change visible; what comes back is the unconditional form of it, for the flush.
pub fn remember(core: &mut Core, mut change: Change) -> Change {
    change.generation = core.next_generation();
    let (table, generation) = (change.table, change.generation);
    match (&change.key, &change.value) {
        (Some(key), value) if change.kind.is_of_one_key() => {
            let is_delete = change.kind == Kind::Delete;
            let value = value.clone().filter(|_| !is_delete);
            let kind = core.tables[table as usize].kind();
            let kept = value.map_or_else(Kept::nothing, |value| read::kept(kind, change.object.take(), value));
            let state = if is_delete { State::UnsavedAbsent } else { State::Unsaved };
            core.flights.publish(table, key);
            core.cache.set(table, key, kept, state, generation);
            change.kind = if is_delete { Kind::Delete } else { Kind::Put };
        }
        _ => {
            core.cache.remove_table(table);
            core.flights.publish_table(table);
            core.tables[table as usize].mask = generation;
        }
    }
    change
}

/// Queue changes for the flush; tells whether the queue is so full that the acknowledgement must wait.
pub fn queue_up(engine: &Bound<'_, Engine>, changes: Vec<Change>, awaitable: &Ref) -> bool {
    let core = engine.get().core(engine.py());
    let (Some(file), false) = (core.engine.clone(), changes.is_empty()) else { return false };
    core.unsaved.add(changes.len(), changes.iter().map(Change::size_bytes).sum());
    file.queue(Job::new(engine, awaitable.clone(), Work::Queue(changes)));
    is_full(engine.get().core(engine.py()))
}

/// What came of a put.
struct Applied {
    /// To queue. None: one that waits in the queue has got the value.
    put: Option<Put>,
    /// By how many bytes the queue grew so.
    more_bytes: usize,
    /// To release when nothing is borrowed.
    displaced: [Option<Ref>; 2],
}

/// Put a key in memory, and in its put where that still waits in the queue: all of the queue is one transaction, so
/// nobody can tell when a value in it came.
#[inline(always)]
fn apply_put(
    queue: &mut Queue<'_, Job>,
    (cache, last): (&mut Cache, &mut u64),
    table: u32,
    key: OwnedKey,
    mut kept: Kept,
    mut value: Ref,
) -> Applied {
    if let Some((slot, generation)) = cache.unsaved_put(table, &key.borrow())
        && let Some(job) = queue.last_of(|job| job.begins_by(generation))
        && let Some(more_bytes) = job.replace(generation, &mut value)
    {
        cache.overwrite_at(slot, &mut kept, generation);
        return Applied { put: None, more_bytes, displaced: [Some(kept.value), Some(value)] };
    }
    *last += 1;
    let (slot, old) = match cache.overwrite(table, &key.borrow(), &mut kept, *last) {
        Some(slot) => (slot, Some(kept.value)),
        None => (cache.set(table, &key, kept, State::Unsaved, *last), None),
    };
    let put = Put { key, value, generation: *last, slot };
    Applied { more_bytes: put.size_bytes(), put: Some(put), displaced: [old, None] }
}

/// Put one key at once, as `remember` and `queue_up` do; only where `takes_puts`. Returns what to release when nothing
/// is borrowed; the rest waits in the trash.
#[inline(always)]
pub fn put(engine: &Bound<'_, Engine>, table: u32, key: OwnedKey, kept: Kept, value: Ref) -> [Option<Ref>; 2] {
    let core = engine.get().core(engine.py());
    let Some(file) = &core.engine else { return [None, None] };
    core.flights.publish(table, &key);
    let (tables, memory) = (&core.tables, (&mut core.cache, &mut core.generation));
    let (mut displaced, mut more_bytes) = ([None, None], 0);
    let _ = file.append(|queue| {
        let applied = apply_put(queue, memory, table, key, kept, value);
        (displaced, more_bytes) = (applied.displaced, applied.more_bytes);
        if let Some(put) = applied.put {
            match queue.newest().and_then(|job| job.puts_with_room(table)) {
                Some(puts) => puts.push(put),
                None => queue.push(job_of(engine, table, &tables[table as usize], vec![put])),
            }
        }
        (1, more_bytes)
    });
    core.unsaved.add(1, more_bytes);
    displaced
}

/// Put many keys at once, all in one flush; as `put`.
pub fn put_all(
    engine: &Bound<'_, Engine>,
    table: u32,
    items: impl ExactSizeIterator<Item = (OwnedKey, Kept, Ref)>,
) -> Vec<Ref> {
    let core = engine.get().core(engine.py());
    let Some(file) = &core.engine else { return Vec::new() };
    let count = items.len();
    let (mut displaced, mut more_bytes) = (Vec::with_capacity(count), 0_usize);
    let _ = file.append(|queue| {
        let mut puts = Vec::with_capacity(count);
        for (key, kept, value) in items {
            core.flights.publish(table, &key);
            let applied = apply_put(queue, (&mut core.cache, &mut core.generation), table, key, kept, value);
            displaced.extend(applied.displaced.into_iter().flatten());
            more_bytes = more_bytes.wrapping_add(applied.more_bytes);
            puts.extend(applied.put);
        }
        if !puts.is_empty() {
            queue.push(job_of(engine, table, &core.tables[table as usize], puts));
        }
        (count, more_bytes)
    });
    core.unsaved.add(count, more_bytes);
    displaced
}

#[cold]
fn job_of(engine: &Bound<'_, Engine>, number: u32, table: &Table, items: Vec<Put>) -> Job {
    let (operations, bytes) = (items.len(), items.iter().map(Put::size_bytes).sum());
    let (table_name, is_text) = (table.name.clone(), table.is_text());
    Job::new(engine, Ref::none(), Work::Puts(Puts { table: number, table_name, is_text, items, operations, bytes }))
}

/// Whether a put can be applied and acknowledged at once.
#[inline(always)]
pub fn takes_puts(core: &Core) -> bool {
    core.mode == Mode::Lazy
        && core.direct
        && !core.options.readonly
        && core.flush_failure.is_none()
        && !core.misses_tables
        && core.engine.as_ref().is_some_and(|file| !file.refuses())
}

/// A flush of puts is over.
pub fn puts_flushed(engine: &Bound<'_, Engine>, puts: &Puts, epoch: Option<u64>) {
    let core = engine.get().core(engine.py());
    for put in &puts.items {
        if let Some(epoch) = epoch {
            core.cache.saved_at(put.slot, put.generation, core.stamp(epoch));
        }
    }
    core.unsaved.remove(puts.operations, puts.bytes);
    engine.get().sweep(engine.py());
    make_room(engine);
}

/// A flush is over: forget what it made durable, and acknowledge what waited for room.
pub fn flushed(engine: &Bound<'_, Engine>, changes: &[Change], epoch: Option<u64>) {
    let py = engine.py();
    let core = engine.get().core(py);
    debug_assert!(core.mode == Mode::Lazy);
    for change in changes {
        match (&change.key, epoch) {
            (Some(key), Some(epoch)) if change.kind.is_of_one_key() => {
                core.cache.saved(change.table, &key.borrow(), change.generation, core.stamp(epoch));
            }
            (_, Some(_)) => {
                let table = &mut core.tables[change.table as usize];
                if table.mask == change.generation {
                    table.mask = 0;
                }
            }
            (_, None) => {} // the engine has stopped, memory is empty
        }
    }
    core.unsaved.remove(changes.len(), changes.iter().map(Change::size_bytes).sum());
    engine.get().sweep(py);
    make_room(engine);
}

/// Whether what is queued, or on its way to the file, is at twice a limit.
fn is_full(core: &Core) -> bool {
    core.unsaved.operations >= core.options.max_unsaved.saturating_mul(2)
        || core.unsaved.bytes >= core.options.max_unsaved_bytes.saturating_mul(2)
}

/// Whether so many more operations and bytes might find it full.
#[inline(always)]
pub fn might_fill(core: &Core, operations: usize, bytes: usize) -> bool {
    core.unsaved.operations + operations >= core.options.max_unsaved.saturating_mul(2)
        || core.unsaved.bytes + bytes >= core.options.max_unsaved_bytes.saturating_mul(2)
}

fn make_room(engine: &Bound<'_, Engine>) {
    let py = engine.py();
    let core = engine.get().core(py);
    if is_full(core) || core.waits_for_room.is_empty() {
        return;
    }
    for waits in std::mem::take(&mut core.waits_for_room) {
        complete(py, &waits.awaitable, Ok(waits.result));
    }
}
