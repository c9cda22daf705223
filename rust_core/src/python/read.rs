//! Reads: from memory, else from the file: on this thread where that needs no disk, else on the reader's.
use super::core::{Core, Found, Known, Phase};
use super::engine::Engine;
use super::entry::{Form, Kept, State};
use super::flights::MANY;
use super::job::{Asker, Job, Read, Work, complete};
use super::key::{Key, OwnedKey};
use super::reference::Ref;
use super::value::{self, Kind};
use super::{awaitable, completion, detached, plain_pickle, turn};
use crate::engine::Now;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyList;
use std::sync::Arc;

/// Inline reads that are skipped after one that would have blocked: out of the OS cache they gain nothing.
const INLINE_PAUSE: u32 = 32;
/// Most keys of one call that are read inline, some 0.5 ms: more of them the thread reads in one go, the loop free meanwhile.
const MOST_INLINE: usize = 256;

/// A cold value, or where to get it.
enum Cold {
    /// Encoded; None where it is missing.
    Here(Option<Ref>),
    Elsewhere,
    Failed(PyErr),
}

pub fn get(engine: &Bound<'_, Engine>, table: u32, key: OwnedKey, codec: Ref, default: Ref, awaitable: Ref) {
    let py = engine.py();
    let known = count(engine.get().core(py), table, &key);
    let result = match known {
        Known::There(found) => decode_found(engine, table, &key, &codec, found),
        Known::Missing => Ok(default),
        Known::Cold => match read_inline(engine, table, &key) {
            Cold::Here(Some(encoded)) => decode(engine, table, &key, &codec, encoded),
            Cold::Here(None) => Ok(default),
            Cold::Failed(error) => Err(error),
            Cold::Elsewhere => {
                return ask_reader(engine, table, vec![key], Asker::Get { codec, default }, awaitable);
            }
        },
    };
    complete(py, &awaitable, result);
}

/// A cold read for a caller that blocks for it: on its own thread, without the GIL. None: nothing is cold, or it takes
/// another thread.
pub fn get_here(
    engine: &Bound<'_, Engine>,
    table: u32,
    key: &OwnedKey,
    codec: &Ref,
    default: &Ref,
) -> Option<PyResult<Ref>> {
    let py = engine.py();
    completion::drain(py);
    let core = engine.get().core(py);
    if !core.direct
        || detached::stays()
        || !matches!(core.known(table, key), Known::Cold)
        || awaitable::running_loop(py).is_some()
    {
        return None;
    }
    let core = engine.get().core(py);
    let file = core.engine.clone().filter(|file| file.reads_here())?;
    let (epoch, name) = (core.epoch(), core.tables[table as usize].name.clone());
    let ticket = core.flights.depart(table, std::slice::from_ref(key));
    let bytes = key.bytes();
    let now = detached::read(py, || file.read_here(&name, bytes));

    let found = match &now {
        Now::Found(value) => Some(value::copy(value)),
        _ => None,
    };
    let core = engine.get().core(py);
    let (is_newest, landed) = core.flights.arrive(table, key, ticket);
    if let Some(Some(encoded)) = &found
        && is_newest
        && core.phase == Phase::Open
    {
        keep(core, table, key, encoded, epoch);
    }
    let published = core.flights.land(ticket);
    core.misses += u64::from(matches!(now, Now::Found(_) | Now::Missing));
    drop((landed, published));
    engine.get().sweep(py);
    match (now, found) {
        (Now::Found(_), Some(Some(encoded))) => Some(decode(engine, table, key, codec, encoded)),
        (Now::Found(_), _) => Some(Err(PyErr::fetch(py))),
        (Now::Missing, _) => Some(Ok(default.clone())),
        (Now::WouldBlock | Now::Unpublished | Now::Failed(_), _) => None,
    }
}

fn count(core: &mut Core, table: u32, key: &OwnedKey) -> Known {
    let known = core.known(table, key);
    match known {
        Known::There(_) => core.hits += 1,
        Known::Missing | Known::Cold => core.misses += 1,
    }
    known
}

/// Read many keys of a table: a list of bytes and None.
pub fn many(engine: &Bound<'_, Engine>, table: u32, keys: Vec<OwnedKey>, awaitable: Ref) {
    let py = engine.py();
    let list = PyList::new(py, keys.iter().map(|_| py.None()));
    let list = match list {
        Ok(list) => list,
        Err(error) => return complete(py, &awaitable, Err(error)),
    };
    let (mut cold, mut holes) = (Vec::new(), Vec::new());
    for (index, key) in keys.into_iter().enumerate() {
        let core = engine.get().core(py);
        match count(core, table, &key) {
            Known::There(found) => {
                if let Some(encoded) = found.encoded(core.tables[table as usize].kind()) {
                    fill(&list, index, encoded);
                }
            }
            Known::Missing => {}
            Known::Cold => {
                cold.push(key);
                holes.push(index);
            }
        }
    }
    if (1..=MOST_INLINE).contains(&cold.len()) {
        match read_many_inline(engine, table, &cold, &holes, &list) {
            Ok(count) => {
                cold.drain(..count);
                holes.drain(..count);
            }
            Err(error) => return complete(py, &awaitable, Err(error)),
        }
    }
    if cold.is_empty() {
        return complete(py, &awaitable, Ok(list.into()));
    }
    ask_reader(engine, table, cold, Asker::Many { list: Ref::of_class(&list), holes }, awaitable);
}

/// Read from the first key on what needs no disk; returns how many that were.
fn read_many_inline(
    engine: &Bound<'_, Engine>,
    table: u32,
    keys: &[OwnedKey],
    holes: &[usize],
    list: &Bound<'_, PyList>,
) -> PyResult<usize> {
    let py = engine.py();
    if pauses(engine.get().core(py)) {
        return Ok(0);
    }
    let hold = turn::shares(engine);
    let core = engine.get().core(py);
    let Some(file) = core.engine.clone() else { return Ok(0) };
    let epoch = core.epoch();
    let name = core.tables[table as usize].name.clone();
    let mut failed = false;
    let bytes = keys.iter().map(OwnedKey::bytes);
    let (count, blocked) = file.read_many_now(&name, bytes, hold, |index, value| {
        core.flights.publish(table, &keys[index]);
        let Some(value) = value else { return true };
        let Some(encoded) = value::copy(value) else {
            failed = true;
            return false;
        };
        keep(core, table, &keys[index], &encoded, epoch);
        fill(list, holes[index], encoded);
        true
    });
    if blocked {
        core.inline_pause = INLINE_PAUSE;
    }
    engine.get().sweep(py);
    if failed { Err(PyErr::fetch(py)) } else { Ok(count) }
}

/// Whether an inline read would not be worth the attempt.
fn pauses(core: &mut Core) -> bool {
    let pauses = core.inline_pause > 0;
    core.inline_pause -= u32::from(pauses);
    pauses
}

pub fn fill(list: &Bound<'_, PyList>, index: usize, item: Ref) {
    let _ = list.set_item(index, item.into_bound(list.py())); // a list of ours, long enough
}

fn read_inline(engine: &Bound<'_, Engine>, table: u32, key: &OwnedKey) -> Cold {
    let py = engine.py();
    if pauses(engine.get().core(py)) {
        return Cold::Elsewhere;
    }
    let hold = turn::shares(engine);
    let core = engine.get().core(py);
    let Some(file) = &core.engine else { return Cold::Here(None) };
    let epoch = core.epoch();
    let now = file.read_now(&core.tables[table as usize].name, key.bytes(), hold, value::copy);
    if matches!(now, Now::Found(_) | Now::Missing) {
        core.flights.publish(table, key); // a read in flight may come home with something older
    }
    match now {
        Now::Found(Some(encoded)) => {
            keep(core, table, key, &encoded, epoch);
            engine.get().sweep(py);
            Cold::Here(Some(encoded))
        }
        Now::Found(None) => Cold::Failed(PyErr::fetch(py)),
        Now::Missing => Cold::Here(None),
        Now::WouldBlock => {
            core.inline_pause = INLINE_PAUSE;
            Cold::Elsewhere
        }
        Now::Unpublished => Cold::Elsewhere,
        Now::Failed(failure) => Cold::Failed(super::errors::exception(py, &failure)),
    }
}

/// Keep what the file holds, unless memory holds something newer.
pub fn keep(core: &mut Core, table: u32, key: &OwnedKey, encoded: &Ref, epoch: u64) {
    let newer = core.cache.find(table, &key.borrow()).is_some_and(|entry| entry.state() != State::Saved);
    if !newer {
        let kept = kept(core.tables[table as usize].kind(), None, encoded.clone());
        core.cache.set(table, key, kept, State::Saved, core.stamp(epoch));
    }
}

/// What memory keeps of a value: `object` is one that `may_stay`.
pub fn kept(kind: Kind, object: Option<Ref>, encoded: Ref) -> Kept {
    let size_bytes = encoded.bytes().len();
    match (object, kind) {
        (_, Kind::Bytes) => Kept::object(encoded, size_bytes),
        (None, _) => Kept::encoded(encoded),
        // The object alone will do where it can be encoded again without its codec.
        (Some(object), Kind::Pickle)
            if value::pickle(&object).is_some_and(|again| again.bytes() == encoded.bytes()) =>
        {
            Kept::object(object, size_bytes)
        }
        (Some(object), _) => Kept::both(object, encoded),
    }
}

pub fn ask_reader(engine: &Bound<'_, Engine>, table: u32, keys: Vec<OwnedKey>, asker: Asker, awaitable: Ref) {
    let core = engine.get().core(engine.py());
    let Some(file) = core.engine.clone() else { return };
    let ticket = core.flights.depart(table, &keys);
    let table_name = core.tables[table as usize].name.clone();
    let packed = (keys.len() > MANY).then(|| Arc::new(keys.iter().map(OwnedKey::bytes).collect()));
    let read = Read { table, table_name, keys, packed, ticket, asker };
    file.read(Job::new(engine, awaitable, Work::Read(read)));
}

fn decode_found(engine: &Bound<'_, Engine>, table: u32, key: &OwnedKey, codec: &Ref, found: Found) -> PyResult<Ref> {
    match (found.object, found.encoded) {
        (Some(object), _) => Ok(object),
        (None, Some(encoded)) => decode(engine, table, key, codec, encoded),
        (None, None) => Ok(Ref::none()), // no entry is like that
    }
}

/// A codec knows no keys: name the one whose value is broken.
fn with_key(engine: &Bound<'_, Engine>, table: u32, key: &OwnedKey, error: PyErr) -> PyErr {
    let py = engine.py();
    if !error.is_instance_of::<PyValueError>(py) {
        return error;
    }
    let core = engine.get().core(py);
    let (path, name) = (core.path.clone(), core.tables[table as usize].name.clone());
    let key: String = String::from_utf8_lossy(key.bytes()).chars().take(80).collect();
    let message = format!("{path}, table {name:?}, key {key:?}: {}", error.value(py));
    match error.value(py).setattr("args", (message,)) {
        Ok(()) => error,
        Err(other) => other,
    }
}

/// Decode a value, a plain pickle without its codec.
pub fn decode(engine: &Bound<'_, Engine>, table: u32, key: &OwnedKey, codec: &Ref, encoded: Ref) -> PyResult<Ref> {
    let py = engine.py();
    let kind = engine.get().core(py).tables[table as usize].kind();
    if kind == Kind::Bytes {
        return Ok(encoded);
    }
    let plain = if kind == Kind::Pickle { plain_pickle::loads(py, &encoded) } else { None };
    let is_plain = plain.is_some();
    let object = if let Some(object) = plain {
        object
    } else {
        let decoded = codec.bind(py).call_method1("decode", (encoded.bind(py),));
        decoded.map_err(|error| with_key(engine, table, key, error))?.into()
    };
    learn(engine, table, &key.borrow(), &encoded, &object, is_plain);
    Ok(object)
}

/// What memory learns from decoding: an object that may stay takes the place of the bytes it came from, and the next hit
/// on a plain pickle takes no look at its opcodes.
pub fn learn(engine: &Bound<'_, Engine>, table: u32, key: &Key<'_>, encoded: &Ref, object: &Ref, is_plain: bool) {
    let py = engine.py();
    let core = engine.get().core(py);
    let kind = core.tables[table as usize].kind();
    let Some(entry) = core.cache.find_mut(table, key) else { return };
    if entry.form() != Form::Encoded || entry.value().as_ptr() != encoded.as_ptr() {
        return;
    }
    if value::may_stay(object.bind(py), kind) {
        core.cache.decoded(table, key, kept(kind, Some(object.clone()), encoded.clone()));
        engine.get().sweep(py);
    } else if is_plain {
        entry.become_plain();
    }
}
