//! `abatch_get`, `abatch_set` and their sync twins where memory has all that is asked for; all else is the generic way.
//!
//! No Python code runs between the first look at the cache (or at the argument's items) and the last.
use super::arguments::Arguments;
use super::cache::{Cache, Kept, State};
use super::call::{Call, submit};
use super::core::{Core, Mode};
use super::hot::{This, change, done, encode_atom, finish, unopened};
use super::job::Commit;
use super::key::{Key, OwnedKey};
use super::reference::{NewList, Object, Ref, all_items, all_pairs, sequence_len};
use super::store::View;
use super::value::Kind;
use super::{awaitable, completion, lazy, plain_pickle};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

/// A list of the values, if memory holds the object of each key. None, without an exception: go the generic way.
fn hits(this: This<'_, '_>, keys: Object<'_, '_>) -> Option<Ref> {
    let py = this.py();
    let count = sequence_len(keys)?;
    completion::drain(py);
    // It may collect garbage, and so run Python code: hence before the look at the cache.
    let Some(mut list) = NewList::new(py, count) else {
        drop(PyErr::take(py));
        return None;
    };
    let view = this.get().view(py)?;
    let core = view.engine().core(py);
    if !core.direct {
        return None;
    }
    let epoch = core.epoch();
    let (mut index, mut encoded) = (0, Vec::new());
    let is_there = all_items(keys, |&key| {
        let Some(entry) = Key::of(key).and_then(|key| core.cache.find(view.table, &key)) else { return false };
        if core.checked && entry.state == State::Saved && entry.epoch != epoch {
            return false;
        }
        entry.visit();
        let object = entry.kept.object.as_ref().or_else(|| {
            encoded.push(index);
            entry.kept.encoded.as_ref().filter(|_| view.kind == Kind::Pickle)
        });
        index += 1;
        object.is_some_and(|object| list.push(object.clone()))
    });
    if !is_there {
        return None;
    }
    for index in encoded {
        let object = plain_pickle::loads(py, &list.get(index)?)?; // may run Python code: `core` is not used any more
        list.replace(index, object);
    }
    this.get().view(py)?.engine().core(py).hits += count as u64;
    list.finish()
}

/// `abatch_get(keys, default=None)`
pub fn abatch_get<'py>(this: This<'_, 'py>, arguments: Arguments<'_, 'py>) -> Option<Ref> {
    match arguments.only().and_then(|keys| hits(this, keys)) {
        Some(found) => awaitable::resolved(this.py(), found),
        None => finish(this.py(), unopened(this, "abatch_get", arguments)),
    }
}

/// `batch_get(keys, default=None)`
pub fn batch_get<'py>(this: This<'_, 'py>, arguments: Arguments<'_, 'py>) -> Option<Ref> {
    let found = arguments.only().and_then(|keys| hits(this, keys));
    found.or_else(|| finish(this.py(), unopened(this, "batch_get", arguments)))
}

/// A key with what memory keeps of its value and what the file gets.
struct Item {
    key: OwnedKey,
    kept: Kept,
    encoded: Ref,
}

/// The items of a dict, or of a list or tuple of pairs, of usual keys and atoms; None: go the generic way.
fn items(view: &View, given: Object<'_, '_>) -> Option<Vec<Item>> {
    let dict = given.cast_exact::<PyDict>().ok();
    let mut items = Vec::with_capacity(dict.map(|dict| dict.len()).or_else(|| sequence_len(given))?);
    let mut add = |key: Object<'_, '_>, value: Object<'_, '_>| {
        let item = item(view, key, value);
        let is_usual = item.is_some();
        items.extend(item);
        is_usual
    };
    let are_usual = match dict {
        Some(_) => all_pairs(given, add),
        None => all_items(given, |two| match two.cast_exact::<PyTuple>() {
            Ok(pair) if pair.len() == 2 => match (pair.get_item(0), pair.get_item(1)) {
                (Ok(key), Ok(value)) => add(key.as_borrowed(), value.as_borrowed()),
                _ => false,
            },
            _ => false,
        }),
    };
    (are_usual && !items.is_empty()).then_some(items)
}

#[inline(always)]
fn item(view: &View, key: Object<'_, '_>, value: Object<'_, '_>) -> Option<Item> {
    let key = OwnedKey::ascii(&Key::of(key)?)?;
    let encoded = encode_atom(value, view.kind)?;
    let size_bytes = encoded.bytes().len();
    let kept = Kept { object: Some(Ref::of(&value)), encoded: None, size_bytes, plain: false };
    (size_bytes <= view.max_value_bytes).then_some(Item { key, kept, encoded })
}

/// None: go the generic way; nothing was changed.
fn put_all<'py>(this: This<'_, 'py>, arguments: Arguments<'_, '_>) -> Option<PyResult<Bound<'py, PyAny>>> {
    let py = this.py();
    let given = arguments.only()?;
    completion::drain(py);
    let view = this.get().view(py)?;
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
pub fn abatch_set<'py>(this: This<'_, 'py>, arguments: Arguments<'_, 'py>) -> Option<Ref> {
    let result = put_all(this, arguments);
    finish(this.py(), result.unwrap_or_else(|| unopened(this, "abatch_set", arguments)))
}

/// `batch_set(items)`
pub fn batch_set<'py>(this: This<'_, 'py>, arguments: Arguments<'_, 'py>) -> Option<Ref> {
    let result = put_all(this, arguments).map(|operation| operation.and_then(|made| made.call_method0("wait")));
    finish(this.py(), result.unwrap_or_else(|| unopened(this, "batch_set", arguments)))
}
