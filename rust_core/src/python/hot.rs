//! `aget`, `aset`, `get` and `set` as plain C functions, past pyo3's trampoline.
//!
//! Called by the method descriptor. No panic may leave them: all that can fail returns a PyResult; what is given back to
//! CPython is a reference, or None where an exception is set.
use super::arguments::{Arguments, parse};
use super::call::{Call, submit};
use super::core::{Core, Mode};
use super::engine::Engine;
use super::entry::{Form, Kept};
use super::job::{Change, Commit};
use super::key::{Key, OwnedKey};
use super::reference::{Object, Ref};
use super::store::{Store, View};
use super::value::{self, Kind};
use super::{awaitable, completion, lazy, memory, plain_pickle, read};
use crate::engine;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

/// The object a method is called on.
pub type This<'a, 'py> = Borrowed<'a, 'py, Store>;

const AGET: [&str; 2] = ["key", "default"];
const ASET: [&str; 2] = ["key", "value"];

/// The object in memory, if a hit on it is true.
#[inline(always)]
fn hit(this: This<'_, '_>, key: Object<'_, '_>) -> Option<Ref> {
    let py = this.py();
    completion::drain(py);
    let view = this.get().view(py)?;
    let key = Key::of(key)?;
    let core = view.engine().core(py);
    if !core.direct {
        return None;
    }
    let entry = core.cache.find(view.table, &key)?;
    if !entry.shows_object(|| core.epoch()) {
        if !core.is_valid(entry) {
            return None;
        }
        entry.visit();
        let (value, form) = (entry.value().clone(), entry.form());
        return load(this, &key, value, form);
    }
    entry.visit();
    let object = entry.value().clone();
    core.hits += 1;
    Some(object)
}

/// The value of a hit that memory keeps encoded, where that takes no codec.
#[inline(never)]
fn load(this: This<'_, '_>, key: &Key<'_>, value: Ref, form: Form) -> Option<Ref> {
    let py = this.py();
    let view = this.get().view(py)?;
    match form {
        Form::Plain | Form::Object => {
            view.engine().core(py).hits += 1;
            return if form == Form::Object { Some(value) } else { plain_pickle::loads_known(py, &value) };
        }
        Form::Encoded if view.kind == Kind::Pickle => {}
        Form::Encoded | Form::Nothing => return None,
    }
    let table = view.table;
    let object = plain_pickle::loads(py, &value)?; // may run Python code: look again
    let view = this.get().view(py).filter(|view| view.table == table)?;
    read::learn(&view.engine_object(py), table, key, &value, &object, true);
    this.get().view(py)?.engine().core(py).hits += 1;
    Some(object)
}

/// `aget(key, default=None)`
pub fn aget<'py>(this: This<'_, 'py>, arguments: Arguments<'_, 'py>) -> Option<Ref> {
    if let Some(found) = arguments.first_of_two().and_then(|key| hit(this, key)) {
        return awaitable::resolved(this.py(), found);
    }
    finish(this.py(), aget_slow(this, arguments))
}

/// `get(key, default=None)`
pub fn get<'py>(this: This<'_, 'py>, arguments: Arguments<'_, 'py>) -> Option<Ref> {
    if let Some(found) = arguments.first_of_two().and_then(|key| hit(this, key)) {
        return Some(found);
    }
    finish(this.py(), get_slow(this, arguments))
}

#[cold]
#[inline(never)]
fn get_slow<'py>(this: This<'_, 'py>, arguments: Arguments<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
    let py = this.py();
    if this.get().view(py).is_some()
        && let [Some(key), default] = parse("get", AGET, 1, arguments)?
    {
        let key = OwnedKey::check(&key.bind(py))?; // may run Python code: look again
        if let Some(view) = this.get().view(py) {
            let (engine, table, codec) = (view.engine_object(py), view.table, view.codec.clone());
            let default = default.unwrap_or_else(Ref::none);
            if let Some(found) = read::get_here(&engine, table, &key, &codec, &default) {
                return found.map(|found| found.into_bound(py));
            }
        }
    }
    aget_slow(this, arguments)?.call_method0("wait")
}

/// Set a key where memory decides alone and nothing needs a codec. False: go the long way.
#[inline(always)]
fn put_at_once(this: This<'_, '_>, arguments: Arguments<'_, '_>) -> bool {
    let (py, Some([key, value])) = (this.py(), arguments.pair()) else { return false };
    completion::drain(py);
    let (Some(view), Some(key)) = (this.get().view(py), Key::of(key)) else { return false };
    let core = view.engine().core(py);
    match core.mode {
        Mode::Memory if core.direct => {
            let there = view.kind == Kind::Pickle && core.cache.find(view.table, &key).is_some();
            replace(core, view, &key, value) || (there && put_plain(this, &key, value))
        }
        Mode::Lazy if lazy::takes_puts(core) => {
            let is_pickle = view.kind == Kind::Pickle;
            put_lazily(py, view, &key, value) || (is_pickle && put_plain(this, &key, value))
        }
        _ => false,
    }
}

/// The same for a plain container, which memory keeps encoded.
#[inline(never)]
fn put_plain(this: This<'_, '_>, key: &Key<'_>, value: Object<'_, '_>) -> bool {
    let py = this.py();
    let Some(encoded) = plain_pickle::dumps(value) else { return false };
    // That may have run Python code: look again.
    let Some(view) = this.get().view(py) else { return false };
    let (core, size_bytes) = (view.engine().core(py), encoded.bytes().len());
    let mut kept = Kept::encoded(encoded.clone());
    match core.mode {
        _ if size_bytes > view.max_value_bytes => false,
        Mode::Memory if core.direct => core.cache.replace_in_place(view.table, key, &mut kept),
        Mode::Lazy if lazy::takes_puts(core) => queue(py, view, key, kept, encoded),
        _ => false,
    }
}

/// Memory mode: give a key that is there another value.
#[inline(always)]
fn replace(core: &mut Core, view: &View, key: &Key<'_>, value: Object<'_, '_>) -> bool {
    let Some(size_bytes) = value::encoded_size(value, view.kind).filter(|size| *size <= view.max_value_bytes) else {
        return false;
    };
    let mut kept = Kept::object(Ref::of(&value), size_bytes);
    core.cache.replace_in_place(view.table, key, &mut kept)
    // `kept` is dropped with nothing borrowed any more
}

/// Lazy mode: put an atom under a usual key.
#[inline(always)]
fn put_lazily(py: Python<'_>, view: &View, key: &Key<'_>, value: Object<'_, '_>) -> bool {
    let Some(encoded) = encode_atom(value, view.kind) else { return false };
    let size_bytes = encoded.bytes().len();
    // The object is enough: the encoder gives these same bytes again.
    let kept = Kept::object(Ref::of(&value), size_bytes);
    size_bytes <= view.max_value_bytes && queue(py, view, key, kept, encoded)
}

#[inline(always)]
fn queue(py: Python<'_>, view: &View, key: &Key<'_>, kept: Kept, encoded: Ref) -> bool {
    let Some(key) = OwnedKey::ascii(key) else { return false };
    if lazy::might_fill(view.engine().core(py), 1, key.bytes().len() + encoded.bytes().len()) {
        return false;
    }
    let engine = view.engine_object(py);
    drop(lazy::put(&engine, view.table, key, kept, encoded));
    engine.get().sweep(py);
    true
}

/// The bytes of a value that needs no codec.
#[inline(always)]
pub fn encode_atom(value: Object<'_, '_>, kind: Kind) -> Option<Ref> {
    match kind {
        Kind::Bytes if value.is_exact_instance_of::<PyBytes>() => Some(Ref::of(&value)),
        Kind::Pickle => value::pickle_argument(value),
        Kind::Bytes | Kind::Other => None,
    }
}

/// `aset(key, value)`
pub fn aset<'py>(this: This<'_, 'py>, arguments: Arguments<'_, 'py>) -> Option<Ref> {
    if put_at_once(this, arguments) {
        return awaitable::resolved(this.py(), Ref::none());
    }
    finish(this.py(), put(this, arguments))
}

/// `set(key, value)`
pub fn set<'py>(this: This<'_, 'py>, arguments: Arguments<'_, 'py>) -> Option<Ref> {
    if put_at_once(this, arguments) {
        return Some(Ref::none());
    }
    finish(this.py(), put(this, arguments).and_then(|operation| operation.call_method0("wait")))
}

pub fn finish(py: Python<'_>, result: PyResult<Bound<'_, PyAny>>) -> Option<Ref> {
    result.map_err(|error| error.restore(py)).ok().map(Ref::from)
}

#[cold]
#[inline(never)]
fn aget_slow<'py>(this: This<'_, 'py>, arguments: Arguments<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
    let py = this.py();
    let [key, default] = parse("aget", AGET, 1, arguments)?;
    let (Some(key), default) = (key, default.unwrap_or_else(Ref::none)) else {
        return unopened(this, "aget", arguments);
    };
    if this.get().view(py).is_none() {
        return unopened(this, "aget", arguments);
    }
    let key = OwnedKey::check(&key.bind(py))?;
    let Some(view) = this.get().view(py) else { return unopened(this, "aget", arguments) };
    let call = Call::Get { table: view.table, key, codec: view.codec.clone(), default };
    submit(&view.engine_object(py), call)
}

/// Let the Python side park the call, or say why it cannot be made.
#[cold]
pub fn unopened<'py>(this: This<'_, 'py>, name: &str, arguments: Arguments<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
    let py = this.py();
    let positional = PyTuple::new(py, arguments.positional())?;
    let keywords = PyDict::new(py);
    for (name, object) in arguments.keywords() {
        keywords.set_item(name, object)?;
    }
    let keywords = (!keywords.is_empty()).then_some(keywords);
    this.call_method1("_unopened", (name, positional, keywords))
}

fn put<'py>(this: This<'_, 'py>, arguments: Arguments<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
    let py = this.py();
    let [Some(key), Some(value)] = parse("aset", ASET, 2, arguments)? else {
        return unopened(this, "aset", arguments);
    };
    if this.get().view(py).is_none() {
        return unopened(this, "aset", arguments);
    }
    let key = OwnedKey::check(&key.bind(py))?;
    let Some(view) = this.get().view(py) else { return unopened(this, "aset", arguments) };
    let (kind, codec, most) = (view.kind, view.codec.clone(), view.max_value_bytes);
    let (object, encoded) = encode(py, kind, &codec, most, &value)?;
    completion::drain(py);
    let Some(view) = this.get().view(py) else { return unopened(this, "aset", arguments) };
    let engine = view.engine_object(py);
    let change = change(view, py, key, object, encoded);
    put_change(&engine, change)
}

pub fn change(view: &View, py: Python<'_>, key: OwnedKey, object: Option<Ref>, encoded: Ref) -> Change {
    let table = &view.engine().core(py).tables[view.table as usize];
    Change {
        kind: engine::Kind::Put,
        table: view.table,
        table_name: table.name.clone(),
        is_text: table.is_text(),
        key: Some(key),
        value: Some(encoded),
        object,
        expected: None,
        generation: 0,
    }
}

/// Where memory decides alone and nothing is in the way, at once; else as any other call.
fn put_change<'py>(engine: &Bound<'py, Engine>, change: Change) -> PyResult<Bound<'py, PyAny>> {
    let py = engine.py();
    let core = engine.get().core(py);
    let commit = |change| Call::Commit(Commit { changes: vec![change], wants_old: false, tells: false });
    if core.mode == Mode::Memory && core.direct && memory::put(core, &change) {
        engine.get().sweep(py);
        return done(py);
    }
    if core.mode == Mode::Lazy
        && core.direct
        && !core.options.readonly
        && core.flush_failure.is_none()
        && !core.misses_tables
        && !lazy::might_fill(core, 1, change.size_bytes())
    {
        if let Change { table, key: Some(key), value: Some(value), object, .. } = change {
            let kept = read::kept(core.tables[table as usize].kind(), object, value.clone());
            drop(lazy::put(engine, table, key, kept, value));
        }
        engine.get().sweep(py);
        return done(py);
    }
    submit(engine, commit(change))
}

pub fn done(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    Ok(awaitable::resolved(py, Ref::none()).ok_or_else(|| PyErr::fetch(py))?.into_bound(py))
}

/// Encode at the call: what memory may keep of the value, and its bytes.
fn encode(py: Python<'_>, kind: Kind, codec: &Ref, most: usize, value: &Ref) -> PyResult<(Option<Ref>, Ref)> {
    let given = value.bind(py);
    let object = value::may_stay(given, kind).then(|| value.clone());
    let plain = || if kind == Kind::Pickle { plain_pickle::dumps(given) } else { None };
    if let Some(encoded) = encode_atom(given, kind).or_else(plain).filter(|encoded| encoded.bytes().len() <= most) {
        return Ok((object, encoded));
    }
    let encoded = codec.bind(py).call_method1("encode", (value.bind(py),))?;
    Ok((object, encoded.cast_into_exact::<PyBytes>()?.into()))
}
