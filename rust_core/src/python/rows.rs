//! Pages of an iteration.
use super::call::Page;
use super::core::Core;
use super::engine::Engine;
use super::key::{Key, OwnedKey};
use super::reference::{Exact, Ref};
use super::sorted::Sorted;
use super::value;
use crate::engine::Packed;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};
use std::ops::Range;

const META: &str = "adsq_meta";

/// A list of (key, encoded value or None).
pub fn of_file(py: Python<'_>, rows: &Packed) -> PyResult<Ref> {
    let make = |row: usize| -> PyResult<_> {
        let key = PyString::from_bytes(py, rows.get(2 * row).unwrap_or_default())?; // the reader has seen that it is UTF-8
        let value = match rows.get(2 * row + 1) {
            Some(data) => Some(value::copy(data).ok_or_else(|| PyErr::fetch(py))?.into_bound(py)),
            None => None,
        };
        (key, value).into_pyobject(py)
    };
    let list = (0..rows.len() / 2).map(make).collect::<PyResult<Vec<_>>>()?;
    Ok(PyList::new(py, list)?.into())
}

pub fn memory_count(engine: &Bound<'_, Engine>, table: u32) -> PyResult<Ref> {
    let core = engine.get().core(engine.py());
    let count = core.cache.count(table);
    Ok(count.into_pyobject(engine.py())?.into_any().into())
}

pub fn memory_page(engine: &Bound<'_, Engine>, page: &Page) -> PyResult<Ref> {
    let py = engine.py();
    if &*engine.get().core(py).tables[page.table as usize].name == META {
        return meta_page(engine, page);
    }
    let found = collect(engine.get().core(py), page);
    engine.get().sweep(py);
    let make = |(key, value): (Ref, Option<Ref>)| (key.into_bound(py), value.map(|value| value.into_bound(py)));
    Ok(PyList::new(py, found.into_iter().map(make))?.into())
}

fn collect(core: &mut Core, page: &Page) -> Vec<(Ref, Option<Ref>)> {
    let sorted = match core.sorted.take() {
        Some(sorted) if sorted.is_current(&core.cache, page.table) => sorted,
        old => {
            core.cache.trash.extend(old.into_iter().flat_map(|old| old.keys).map(Ref::untyped));
            Sorted::of(&core.cache, page.table)
        }
    };
    let range = range(&sorted, page);
    let mut found = Vec::new();
    let mut size_bytes = 0;
    for at in 0..range.len().min(page.rows) {
        let index = if page.reverse { range.end - 1 - at } else { range.start + at };
        let Some(row) = row(core, page, &sorted.keys[index]) else { continue };
        size_bytes += row.1;
        found.push(row.0);
        if size_bytes >= page.size_bytes {
            break;
        }
    }
    core.sorted = Some(sorted);
    found
}

fn range(sorted: &Sorted, page: &Page) -> Range<usize> {
    let start = sorted.position(&page.start);
    let end = page.end.as_ref().map_or(sorted.keys.len(), |end| sorted.position(end));
    start..end.max(start)
}

/// One row and its size.
fn row(core: &Core, page: &Page, key: &Ref<Exact>) -> Option<((Ref, Option<Ref>), usize)> {
    let entry = core.cache.find(page.table, &Key::of_text(key))?;
    let size_bytes = entry.size_bytes() + entry.key_bytes();
    if !page.values {
        return Some(((key.clone().untyped(), None), entry.key_bytes()));
    }
    let kind = core.tables[page.table as usize].kind();
    Some(((key.clone().untyped(), core.found(entry, &Key::of_text(key)).encoded(kind)), size_bytes))
}

/// The tables that were created, as rows of `adsq_meta`.
fn meta_page(engine: &Bound<'_, Engine>, page: &Page) -> PyResult<Ref> {
    let py = engine.py();
    let text = |key: &OwnedKey| String::from_utf8_lossy(key.bytes()).into_owned();
    let (start, end) = (text(&page.start), page.end.as_ref().map(text));
    let core = engine.get().core(py);
    let known = core.tables.iter().filter_map(|table| Some((table.name.to_string(), table.storage_mode.clone()?)));
    let mut rows: Vec<_> =
        known.filter(|(name, _)| *name >= start && end.as_ref().is_none_or(|end| name < end)).collect();
    rows.sort_unstable();
    if page.reverse {
        rows.reverse();
    }
    rows.truncate(page.rows);
    let mut packed = Packed::default();
    for (name, mode) in &rows {
        packed.push(Some(name.as_bytes()));
        packed.push(page.values.then(|| mode.as_bytes()));
    }
    of_file(py, &packed)
}
