//! `abatch_get`, `abatch_set` and their sync twins where memory has all that is asked for; all else is the generic way.
//!
//! No Python code runs between the first look at the cache (or at the argument's items) and the last.
use super::arguments::Arguments;
use super::call::{Call, submit};
use super::core::{Core, Mode};
use super::entry::{Form, Kept, State};
use super::hot::{This, change, done, encode_atom, finish, unopened};
use super::job::Commit;
use super::key::{Key, OwnedKey};
use super::reference::{NewList, Object, Ref, all_items, all_pairs, sequence_len};
use super::store::View;
use super::value::Kind;
use super::{awaitable, completion, lazy, plain_pickle, read};
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
        if !entry.shows_object(|| epoch) {
            let is_true = !core.checked || entry.is_valid(epoch);
            match entry.form() {
                Form::Encoded | Form::Plain if is_true && view.kind == Kind::Pickle => {
                    let known = entry.form() == Form::Plain;
                    encoded.push((index, (!known).then(|| entry.key().clone())));
                }
                _ => return false,
            }
        }
        entry.visit();
        index += 1;
        list.push(entry.value().clone())
    });
    if !is_there {
        return None;
    }
    let table = view.table;
    for (index, unknown) in encoded {
        // May run Python code: `core` is not used any more.
        let encoded = list.get(index)?;
        let object = match unknown {
            None => plain_pickle::loads_known(py, &encoded)?,
            Some(key) => {
                let object = plain_pickle::loads(py, &encoded)?;
                let view = this.get().view(py).filter(|view| view.table == table)?;
                read::learn(&view.engine_object(py), table, &Key::of_text(&key), &encoded, &object, true);
                object
            }
        };
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

/// The items of a dict, or of a list or tuple of pairs, of usual keys, and values that need no codec or are plain
/// containers; None: go the generic way. May run Python code.
fn items(view: &View, given: Object<'_, '_>) -> Option<Vec<Item>> {
    let (kind, most) = (view.kind, view.max_value_bytes);
    let dict = given.cast_exact::<PyDict>().ok();
    let mut items = Vec::with_capacity(dict.map(|dict| dict.len()).or_else(|| sequence_len(given))?);
    let mut containers = Vec::new();
    let mut add = |key: Object<'_, '_>, value: Object<'_, '_>| {
        let Some(key) = Key::of(key).and_then(|key| OwnedKey::ascii(&key)) else { return false };
        let encoded = encode_atom(value, kind);
        if encoded.is_none() {
            containers.push(items.len());
        }
        let encoded = encoded.unwrap_or_else(|| Ref::of(&value)); // of a container: for the time being
        let size_bytes = encoded.bytes().len();
        items.push(Item { key, kept: Kept::object(Ref::of(&value), size_bytes), encoded });
        size_bytes <= most && (containers.is_empty() || kind == Kind::Pickle)
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
    if !are_usual || items.is_empty() {
        return None;
    }
    // Containers are looked at when the walk is over: what the codec runs could change what is walked.
    for index in containers {
        let encoded = plain_pickle::dumps(items[index].encoded.bind(given.py()))?;
        if encoded.bytes().len() > most {
            return None;
        }
        items[index].kept = Kept::encoded(encoded.clone());
        items[index].encoded = encoded;
    }
    Some(items)
}

/// None: go the generic way; nothing was changed.
fn put_all<'py>(this: This<'_, 'py>, arguments: Arguments<'_, '_>) -> Option<PyResult<Bound<'py, PyAny>>> {
    let py = this.py();
    let given = arguments.only()?;
    completion::drain(py);
    let (items, table) = {
        let view = this.get().view(py)?;
        (items(view, given)?, view.table)
    };
    let view = this.get().view(py).filter(|view| view.table == table)?; // it may have run Python code: look again
    let core = view.engine().core(py);
    if !core.direct {
        return None;
    }
    let engine = view.engine_object(py);
    match core.mode {
        Mode::Memory if fits(core, table, &items) => {
            for Item { key, kept, .. } in &items {
                core.cache.set(table, key, kept.clone(), State::Saved, 0);
            }
        }
        Mode::Lazy if lazy::takes_puts(core) => {
            let bytes = items.iter().map(|item| item.key.bytes().len() + item.encoded.bytes().len()).sum();
            if lazy::might_fill(core, items.len(), bytes) {
                return None;
            }
            drop(lazy::put_all(&engine, table, items.into_iter().map(|item| (item.key, item.kept, item.encoded))));
        }
        Mode::Writethrough => {
            let put = |item: Item| change(view, py, item.key, item.kept.into_object(), item.encoded);
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
        bytes += kept.cost(key) as isize - old.unwrap_or(0) as isize;
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
