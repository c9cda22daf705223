//! `aget`, `aset`, `get` and `set` as plain C functions, past pyo3's trampoline.
//!
//! # Safety (the whole file)
//! The method descriptor calls these with the GIL held and has checked that `this` is a Store; the arguments live as
//! long as the call. No panic may leave them: all that can fail returns a PyResult.
#![allow(unsafe_code, unsafe_op_in_unsafe_fn)]

use super::arguments::{Arguments, parse};
use super::cache::Kept;
use super::call::{Call, submit};
use super::core::{Core, Mode};
use super::engine::Engine;
use super::job::{Change, Commit};
use super::key::{Key, OwnedKey};
use super::reference::Ref;
use super::store::{Store, View};
use super::value::{self, Kind};
use super::{awaitable, completion, lazy, memory};
use crate::engine;
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use std::ptr;

const AGET: [&str; 2] = ["key", "default"];
const ASET: [&str; 2] = ["key", "value"];

#[inline(always)]
pub unsafe fn store<'a>(py: Python<'a>, this: &'a *mut PyObject) -> &'a Store {
    Bound::ref_from_ptr(py, this).cast_unchecked::<Store>().get()
}

/// The object in memory, if a hit on it is true. Borrowed.
#[inline(always)]
unsafe fn hit(py: Python<'_>, this: *mut PyObject, key: *mut PyObject) -> *mut PyObject {
    completion::drain(py);
    let Some(view) = store(py, &this).view(py) else { return ptr::null_mut() };
    let Some(key) = Key::of(key) else { return ptr::null_mut() };
    let core = view.engine().core(py);
    if !core.direct {
        return ptr::null_mut();
    }
    let Some(entry) = core.find(view.table, &key) else { return ptr::null_mut() };
    let Some(object) = &entry.kept.object else { return ptr::null_mut() };
    entry.visit();
    let object = object.as_ptr();
    core.hits += 1;
    object
}

/// `aget(key, default=None)`
pub unsafe fn aget(this: *mut PyObject, arguments: Arguments) -> *mut PyObject {
    let py = Python::assume_attached();
    if let Some(key) = arguments.only() {
        let found = hit(py, this, key);
        if !found.is_null() {
            ffi::Py_INCREF(found);
            return awaitable::resolved(found);
        }
    }
    finish(py, aget_slow(py, this, arguments))
}

/// `get(key, default=None)`
pub unsafe fn get(this: *mut PyObject, arguments: Arguments) -> *mut PyObject {
    let py = Python::assume_attached();
    if let Some(key) = arguments.only() {
        let found = hit(py, this, key);
        if !found.is_null() {
            ffi::Py_INCREF(found);
            return found;
        }
    }
    finish(py, aget_slow(py, this, arguments).and_then(|operation| operation.call_method0("wait")))
}

/// Set a key where memory decides alone and nothing needs a codec. False: go the long way.
#[inline(always)]
unsafe fn put_at_once(py: Python<'_>, this: *mut PyObject, arguments: Arguments) -> bool {
    let [key, value] = *arguments.positional() else { return false };
    completion::drain(py);
    let (Some(view), Some(key)) = (store(py, &this).view(py), Key::of(key)) else { return false };
    let core = view.engine().core(py);
    match core.mode {
        Mode::Memory if core.direct => replace(core, view, &key, value),
        Mode::Lazy if lazy::takes_puts(core) => put_lazily(py, view, &key, value),
        _ => false,
    }
}

/// Memory mode: give a key that is there another value.
#[inline(always)]
unsafe fn replace(core: &mut Core, view: &View, key: &Key, value: *mut PyObject) -> bool {
    let Some(size_bytes) = value::encoded_size(value, view.kind).filter(|size| *size <= view.max_value_bytes) else {
        return false;
    };
    let Some(object) = Ref::new(value) else { return false };
    let mut kept = Kept { object: Some(object), encoded: None, size_bytes };
    core.cache.replace_in_place(view.table, key, &mut kept)
    // `kept` is dropped with nothing borrowed any more
}

/// Lazy mode: put an atom under a usual key.
#[inline(always)]
unsafe fn put_lazily(py: Python<'_>, view: &View, key: &Key, value: *mut PyObject) -> bool {
    let Some(encoded) = encode_atom(value, view.kind) else { return false };
    let size_bytes = value::content(encoded.as_ptr()).len();
    let (Some(key), Some(object)) = (OwnedKey::ascii(key), Ref::new(value)) else { return false };
    if size_bytes > view.max_value_bytes || lazy::might_fill(view.engine().core(py), 1, key.bytes().len() + size_bytes)
    {
        return false;
    }
    // The object is enough: the encoder gives these same bytes again.
    let engine = view.engine_object(py);
    let kept = Kept { object: Some(object), encoded: None, size_bytes };
    drop(lazy::put(&engine, view.table, key, kept, encoded));
    engine.get().sweep(py);
    true
}

/// The bytes of a value that needs no codec.
#[inline(always)]
pub unsafe fn encode_atom(value: *mut PyObject, kind: Kind) -> Option<Ref> {
    match kind {
        Kind::Bytes if ffi::PyBytes_CheckExact(value) != 0 => Ref::new(value),
        Kind::Pickle => value::pickle(value),
        Kind::Bytes | Kind::Other => None,
    }
}

/// `aset(key, value)`
pub unsafe fn aset(this: *mut PyObject, arguments: Arguments) -> *mut PyObject {
    let py = Python::assume_attached();
    if arguments.has_no_names() && put_at_once(py, this, arguments) {
        return awaitable::resolved(Ref::none().into_ptr());
    }
    finish(py, put(py, this, arguments))
}

/// `set(key, value)`
pub unsafe fn set(this: *mut PyObject, arguments: Arguments) -> *mut PyObject {
    let py = Python::assume_attached();
    if arguments.has_no_names() && put_at_once(py, this, arguments) {
        return Ref::none().into_ptr();
    }
    finish(py, put(py, this, arguments).and_then(|operation| operation.call_method0("wait")))
}

pub fn finish(py: Python<'_>, result: PyResult<Bound<'_, PyAny>>) -> *mut PyObject {
    match result {
        Ok(object) => object.into_ptr(),
        Err(error) => {
            error.restore(py);
            ptr::null_mut()
        }
    }
}

#[cold]
#[inline(never)]
unsafe fn aget_slow(py: Python<'_>, this: *mut PyObject, arguments: Arguments) -> PyResult<Bound<'_, PyAny>> {
    let [key, default] = parse(py, "aget", AGET, 1, arguments)?;
    let (Some(key), default) = (key, default.unwrap_or_else(Ref::none)) else {
        return unopened(py, this, "aget", arguments);
    };
    if store(py, &this).view(py).is_none() {
        return unopened(py, this, "aget", arguments);
    }
    let key = OwnedKey::check(&key.bind(py))?;
    let Some(view) = store(py, &this).view(py) else { return unopened(py, this, "aget", arguments) };
    let call = Call::Get { table: view.table, key, codec: view.codec.clone(), default };
    submit(&view.engine_object(py), call)
}

/// Let the Python side park the call, or say why it cannot be made.
#[cold]
pub unsafe fn unopened<'py>(
    py: Python<'py>,
    this: *mut PyObject,
    name: &str,
    arguments: Arguments,
) -> PyResult<Bound<'py, PyAny>> {
    let this = Borrowed::from_ptr(py, this);
    let positional = PyTuple::new(py, arguments.positional().iter().map(|&object| Borrowed::from_ptr(py, object)))?;
    let keywords = PyDict::new(py);
    for (name, object) in arguments.keywords() {
        keywords.set_item(Borrowed::from_ptr(py, name), Borrowed::from_ptr(py, object))?;
    }
    let keywords = (!keywords.is_empty()).then_some(keywords);
    this.call_method1("_unopened", (name, positional, keywords))
}

unsafe fn put(py: Python<'_>, this: *mut PyObject, arguments: Arguments) -> PyResult<Bound<'_, PyAny>> {
    let [Some(key), Some(value)] = parse(py, "aset", ASET, 2, arguments)? else {
        return unopened(py, this, "aset", arguments);
    };
    if store(py, &this).view(py).is_none() {
        return unopened(py, this, "aset", arguments);
    }
    let key = OwnedKey::check(&key.bind(py))?;
    let Some(view) = store(py, &this).view(py) else { return unopened(py, this, "aset", arguments) };
    let (kind, codec, most) = (view.kind, view.codec.clone(), view.max_value_bytes);
    let (object, encoded) = encode(py, kind, &codec, most, &value)?;
    completion::drain(py);
    let Some(view) = store(py, &this).view(py) else { return unopened(py, this, "aset", arguments) };
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
        && !lazy::might_fill(core, 1, change.size_bytes())
    {
        let change = lazy::remember(core, change);
        lazy::queue_up(engine, vec![change], &Ref::none());
        engine.get().sweep(py);
        return done(py);
    }
    submit(engine, commit(change))
}

pub fn done(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: GIL held.
    unsafe { Bound::from_owned_ptr_or_err(py, awaitable::resolved(Ref::none().into_ptr())) }
}

/// Encode at the call: what memory may keep of the value, and its bytes.
fn encode(py: Python<'_>, kind: Kind, codec: &Ref, most: usize, value: &Ref) -> PyResult<(Option<Ref>, Ref)> {
    // SAFETY: GIL held; `value` is an argument, alive during the call.
    let (may_stay, encoded) = unsafe {
        let may_stay = value::may_stay(value.as_ptr(), kind);
        (may_stay, encode_atom(value.as_ptr(), kind).filter(|encoded| value::content(encoded.as_ptr()).len() <= most))
    };
    let object = may_stay.then(|| value.clone());
    if let Some(encoded) = encoded {
        return Ok((object, encoded));
    }
    let encoded = codec.bind(py).call_method1("encode", (value.bind(py),))?;
    Ok((object, encoded.cast_into_exact::<PyBytes>()?.into()))
}
