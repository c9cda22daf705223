//! `abatch_get`, `abatch_set` and their sync twins where memory has all that is asked for; all else is the generic way.
//!
//! # Safety (the whole file)
//! As in `hot`. No Python code runs between the first look at the cache (or at the argument's items) and the last.
#![allow(unsafe_code, unsafe_op_in_unsafe_fn)]

use super::arguments::Arguments;
use super::cache::{Cache, Kept, State};
use super::call::{Call, submit};
use super::core::{Core, Mode};
use super::hot::{change, done, encode_atom, finish, store, unopened};
use super::job::Commit;
use super::key::{Key, OwnedKey};
use super::reference::Ref;
use super::store::View;
use super::value;
use super::{awaitable, completion, lazy};
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use std::ptr;

/// A list of the values, if memory holds the object of each key. Null, without an exception: go the generic way.
unsafe fn hits(py: Python<'_>, this: *mut PyObject, keys: *mut PyObject) -> *mut PyObject {
    if ffi::PyList_CheckExact(keys) == 0 && ffi::PyTuple_CheckExact(keys) == 0 {
        return ptr::null_mut();
    }
    completion::drain(py);
    let count = ffi::Py_SIZE(keys);
    let list = ffi::PyList_New(count); // may collect garbage, and so run Python code: hence before the look at the cache
    if list.is_null() {
        ffi::PyErr_Clear();
        return list;
    }
    if ffi::Py_SIZE(keys) == count && fill(py, this, keys, list) {
        return list;
    }
    ffi::Py_DECREF(list);
    ptr::null_mut()
}

unsafe fn fill(py: Python<'_>, this: *mut PyObject, keys: *mut PyObject, list: *mut PyObject) -> bool {
    let Some(view) = store(py, &this).view(py) else { return false };
    let core = view.engine().core(py);
    if !core.direct {
        return false;
    }
    let epoch = core.epoch();
    let is_list = ffi::PyList_CheckExact(keys) != 0;
    let count = ffi::Py_SIZE(keys);
    for index in 0..count {
        let key = if is_list { ffi::PyList_GET_ITEM(keys, index) } else { ffi::PyTuple_GET_ITEM(keys, index) };
        let Some(entry) = Key::of(key).and_then(|key| core.cache.find(view.table, &key)) else { return false };
        let Some(object) = &entry.kept.object else { return false };
        if core.checked && entry.state == State::Saved && entry.epoch != epoch {
            return false;
        }
        entry.visit();
        ffi::PyList_SET_ITEM(list, index, object.clone().into_ptr());
    }
    core.hits += count as u64;
    true
}

/// `abatch_get(keys, default=None)`
pub unsafe fn abatch_get(this: *mut PyObject, arguments: Arguments) -> *mut PyObject {
    let py = Python::assume_attached();
    match arguments.only().map_or(ptr::null_mut(), |keys| hits(py, this, keys)) {
        found if found.is_null() => finish(py, unopened(py, this, "abatch_get", arguments)),
        found => awaitable::resolved(found),
    }
}

/// `batch_get(keys, default=None)`
pub unsafe fn batch_get(this: *mut PyObject, arguments: Arguments) -> *mut PyObject {
    let py = Python::assume_attached();
    match arguments.only().map_or(ptr::null_mut(), |keys| hits(py, this, keys)) {
        found if found.is_null() => finish(py, unopened(py, this, "batch_get", arguments)),
        found => found,
    }
}

/// A key with what memory keeps of its value and what the file gets.
struct Item {
    key: OwnedKey,
    kept: Kept,
    encoded: Ref,
}

/// The items of a dict of usual keys and atoms; None: go the generic way.
unsafe fn items(view: &View, given: *mut PyObject) -> Option<Vec<Item>> {
    if ffi::PyDict_CheckExact(given) == 0 {
        return None;
    }
    let mut items = Vec::with_capacity(ffi::PyDict_Size(given) as usize);
    let (mut position, mut key, mut value) = (0, ptr::null_mut(), ptr::null_mut());
    while ffi::PyDict_Next(given, &raw mut position, &raw mut key, &raw mut value) != 0 {
        let key = OwnedKey::ascii(&Key::of(key)?)?;
        let encoded = encode_atom(value, view.kind)?;
        let size_bytes = value::content(encoded.as_ptr()).len();
        if size_bytes > view.max_value_bytes {
            return None;
        }
        items.push(Item { key, kept: Kept { object: Ref::new(value), encoded: None, size_bytes }, encoded });
    }
    (!items.is_empty()).then_some(items)
}

/// None: go the generic way; nothing was changed.
unsafe fn put_all(py: Python<'_>, this: *mut PyObject, arguments: Arguments) -> Option<PyResult<Bound<'_, PyAny>>> {
    let given = arguments.only()?;
    completion::drain(py);
    let view = store(py, &this).view(py)?;
    let core = view.engine().core(py);
    if !core.direct {
        return None;
    }
    let items = items(view, given)?;
    let (engine, table) = (view.engine_object(py), view.table);
    match core.mode {
        Mode::Memory if fits(core, table, &items) => {
            for Item { key, kept, .. } in &items {
                core.cache.set(table, key, kept.clone(), State::Saved, 0, 0);
            }
        }
        Mode::Lazy if lazy::takes_puts(core) => {
            let bytes = items.iter().map(|item| item.key.bytes().len() + item.kept.size_bytes).sum();
            if lazy::might_fill(core, items.len(), bytes) {
                return None;
            }
            lazy::put_all(&engine, table, bytes, items.into_iter().map(|item| (item.key, item.kept, item.encoded)));
        }
        Mode::Writethrough => {
            let put = |item: Item| change(view, py, item.key, item.kept.object, item.encoded);
            let changes = items.into_iter().map(put).collect();
            return Some(submit(&engine, Call::Commit(Commit { changes, wants_old: false, tells: false })));
        }
        Mode::Memory | Mode::Lazy => return None,
    }
    engine.get().sweep(py);
    Some(done(py))
}

/// Whether memory mode may take these without forgetting or refusing anything it should not.
fn fits(core: &Core, table: u32, items: &[Item]) -> bool {
    let (mut entries, mut bytes) = (0isize, 0isize);
    for Item { key, kept, .. } in items {
        let old = core.cache.cost_of(table, &key.borrow());
        entries += isize::from(old.is_none());
        bytes += Cache::cost(key, kept) as isize - old.unwrap_or(0) as isize;
    }
    core.options.evict || !core.cache.would_overflow(entries, bytes)
}

/// `abatch_set(items)`
pub unsafe fn abatch_set(this: *mut PyObject, arguments: Arguments) -> *mut PyObject {
    let py = Python::assume_attached();
    let result = put_all(py, this, arguments);
    finish(py, result.unwrap_or_else(|| unopened(py, this, "abatch_set", arguments)))
}

/// `batch_set(items)`
pub unsafe fn batch_set(this: *mut PyObject, arguments: Arguments) -> *mut PyObject {
    let py = Python::assume_attached();
    let result = put_all(py, this, arguments).map(|operation| operation.and_then(|made| made.call_method0("wait")));
    finish(py, result.unwrap_or_else(|| unopened(py, this, "batch_set", arguments)))
}
