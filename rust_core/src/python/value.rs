//! What memory keeps of a value, and a pickler for the few kinds that need none.
//!
//! Memory keeps the decoded object only where the codec returns it unchanged: exact bytes, str, int, float, bool, None,
//! and in pickle mode tuples of these. All else stays encoded and is decoded at each hit.
#![allow(unsafe_code)]

use super::reference::{Object, Ref, all_items, sequence_len};
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyFloat, PyInt, PyString, PyTuple};
use std::ptr;

/// From this size on pickle leaves data outside of its frames.
const FRAME_SIZE_TARGET: usize = 64 * 1024;

/// Most items, shared ones as often as they occur, that are looked at one by one: what holds itself a few times over can
/// have 2**60.
pub const MOST_NODES: usize = 1000;

/// How a table's values are encoded, as far as this file knows better than a Python codec.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Bytes,
    Pickle,
    /// json, jsonb: by the codec alone.
    Other,
}

impl Kind {
    pub fn of_mode(storage_mode: &str) -> Self {
        match storage_mode {
            "bytes" => Self::Bytes,
            "pickle" => Self::Pickle,
            _ => Self::Other,
        }
    }
}

/// Whether a decoded value may stay in memory as it is.
pub fn may_stay(value: Object<'_, '_>, kind: Kind) -> bool {
    match kind {
        Kind::Bytes => value.is_exact_instance_of::<PyBytes>(),
        Kind::Other => is_atom(value) && !value.is_exact_instance_of::<PyBytes>(),
        Kind::Pickle => is_atom(value) || is_tuple_of_atoms(value, &mut { MOST_NODES }),
    }
}

pub fn is_atom(value: Object<'_, '_>) -> bool {
    value.is_exact_instance_of::<PyString>()
        || value.is_exact_instance_of::<PyInt>()
        || value.is_exact_instance_of::<PyFloat>()
        || value.is_exact_instance_of::<PyBytes>()
        || value.is_exact_instance_of::<PyBool>()
        || value.is_none()
}

fn is_tuple_of_atoms(value: Object<'_, '_>, nodes: &mut usize) -> bool {
    value.is_exact_instance_of::<PyTuple>()
        && sequence_len(value).is_some_and(|items| takes(items, nodes))
        && all_items(value, |&item| is_atom(item) || is_tuple_of_atoms(item, nodes))
}

/// Count so many items; false where there are too many in all.
pub fn takes(items: usize, nodes: &mut usize) -> bool {
    let left = nodes.checked_sub(items);
    left.inspect(|left| *nodes = *left).is_some()
}

/// Exactly what `pickle.dumps(value, 5)` gives, for None, bool, int (64 bits), float, str and bytes; None for all else.
#[inline(always)]
pub fn pickle(value: &Ref) -> Option<Ref> {
    // SAFETY: alive; the boundary runs with the GIL.
    unsafe { pickle_raw(value.as_ptr()) }
}

/// The same for an argument.
#[inline(always)]
pub fn pickle_argument(value: Object<'_, '_>) -> Option<Ref> {
    // SAFETY: alive, GIL held.
    unsafe { pickle_raw(value.as_ptr()) }
}

/// # Safety
/// GIL held, `value` is alive.
unsafe fn pickle_raw(value: *mut PyObject) -> Option<Ref> {
    // SAFETY: as stated; each branch has checked the exact type.
    unsafe {
        if ffi::PyBytes_CheckExact(value) != 0 {
            let data: *const u8 = ffi::PyBytes_AS_STRING(value).cast();
            let data = std::slice::from_raw_parts(data, ffi::PyBytes_Size(value) as usize);
            return sized(data, b'C', b'B');
        }
        if ffi::PyUnicode_CheckExact(value) != 0 {
            let mut size = 0;
            let data: *const u8 = ffi::PyUnicode_AsUTF8AndSize(value, &raw mut size).cast();
            if data.is_null() {
                ffi::PyErr_Clear(); // a lone surrogate: the pickler has a way
                return None;
            }
            return sized(std::slice::from_raw_parts(data, size as usize), 0x8c, b'X');
        }
        if value == ffi::Py_None() {
            return new_bytes(&[b"\x80\x05N."]);
        }
        if ffi::PyBool_Check(value) != 0 {
            return new_bytes(&[b"\x80\x05", if value == ffi::Py_True() { b"\x88" } else { b"\x89" }, b"."]);
        }
        if ffi::PyLong_CheckExact(value) != 0 {
            return integer(value);
        }
        if ffi::PyFloat_CheckExact(value) != 0 {
            return framed(&[b"G", &ffi::PyFloat_AS_DOUBLE(value).to_be_bytes(), b"."]);
        }
        None
    }
}

/// The length of what a table of that kind stores for a value, where that needs no encoding.
#[inline]
pub fn encoded_size(value: Object<'_, '_>, kind: Kind) -> Option<usize> {
    let value = value.as_ptr();
    // SAFETY: GIL held, `value` is alive; each branch has checked the exact type.
    unsafe {
        let is_bytes = ffi::PyBytes_CheckExact(value) != 0;
        match kind {
            Kind::Bytes if is_bytes => Some(content(value).len()),
            Kind::Pickle if is_bytes => Some(pickled_size(content(value).len())),
            Kind::Pickle if ffi::PyUnicode_CheckExact(value) != 0 => {
                let ascii = (*value.cast::<ffi::PyASCIIObject>()).ascii() != 0;
                ascii.then(|| pickled_size((*value.cast::<ffi::PyASCIIObject>()).length as usize))
            }
            _ => None,
        }
    }
}

/// PROTO 2, FRAME 9, opcode and length 2 or 5, MEMOIZE and STOP 2.
fn pickled_size(size: usize) -> usize {
    match size {
        0..=0xff => size + 15,
        0x100..FRAME_SIZE_TARGET => size + 18,
        _ => size + 9,
    }
}

/// bytes or str: opcode, length, data, MEMOIZE, STOP.
fn sized(data: &[u8], short: u8, long: u8) -> Option<Ref> {
    if let Ok(size) = u8::try_from(data.len()) {
        return framed(&[&[short, size], data, b"\x94."]);
    }
    let size = u32::try_from(data.len()).ok()?.to_le_bytes();
    if data.len() < FRAME_SIZE_TARGET {
        return framed(&[&[long], &size, data, b"\x94."]);
    }
    new_bytes(&[b"\x80\x05", &[long], &size, data, b"\x94."])
}

/// # Safety
/// GIL held, `value` is an exact int.
unsafe fn integer(value: *mut PyObject) -> Option<Ref> {
    let mut overflow = 0;
    // SAFETY: as stated: nothing but an overflow can go wrong.
    let number: i64 = unsafe { ffi::PyLong_AsLongLongAndOverflow(value, &raw mut overflow) };
    if overflow != 0 {
        return None;
    }
    let little = number.to_le_bytes();
    match number {
        0..=0xff => new_bytes(&[b"\x80\x05K", &little[..1], b"."]),
        0x100..=0xffff => framed(&[b"M", &little[..2], b"."]),
        -0x8000_0000..=0x7fff_ffff => framed(&[b"J", &little[..4], b"."]),
        _ => {
            let size = (1..8).find(|&size| fits(number, size)).unwrap_or(8);
            framed(&[b"\x8a", &[size], &little[..usize::from(size)], b"."])
        }
    }
}

/// Whether a number fits in `size` bytes of two's complement.
fn fits(number: i64, size: u8) -> bool {
    let spare = 64 - 8 * u32::from(size);
    (number << spare) >> spare == number
}

fn framed(parts: &[&[u8]]) -> Option<Ref> {
    let size: usize = parts.iter().map(|part| part.len()).sum();
    let head = [b"\x80\x05\x95".as_slice(), &(size as u64).to_le_bytes()];
    match parts {
        [a, b, c] => new_bytes(&[head[0], head[1], a, b, c]),
        [a, b, c, d] => new_bytes(&[head[0], head[1], a, b, c, d]),
        _ => None,
    }
}

/// A bytes object; None (no exception set) where memory is short: the pickler will say so.
fn new_bytes(parts: &[&[u8]]) -> Option<Ref> {
    let size: usize = parts.iter().map(|part| part.len()).sum();
    // SAFETY: GIL held; a fresh bytes object of just that size, seen by nobody yet.
    unsafe {
        let Some(object) = Ref::own(ffi::PyBytes_FromStringAndSize(ptr::null(), size as isize)) else {
            ffi::PyErr_Clear();
            return None;
        };
        let mut target: *mut u8 = ffi::PyBytes_AS_STRING(object.as_ptr()).cast_mut().cast();
        for part in parts {
            ptr::copy_nonoverlapping(part.as_ptr(), target, part.len());
            target = target.add(part.len());
        }
        Some(object)
    }
}

/// A bytes object with a copy of `data`; None: MemoryError is set.
pub fn copy(data: &[u8]) -> Option<Ref> {
    // SAFETY: GIL held; runs no Python code.
    unsafe { Ref::own(ffi::PyBytes_FromStringAndSize(data.as_ptr().cast(), data.len() as isize)) }
}

/// The bytes of a bytes object, good as long as it lives.
///
/// # Safety
/// GIL held, `object` is a live bytes object.
#[inline(always)]
unsafe fn content<'a>(object: *mut PyObject) -> &'a [u8] {
    // SAFETY: as stated: a bytes object never changes.
    unsafe { std::slice::from_raw_parts(ffi::PyBytes_AS_STRING(object).cast(), ffi::Py_SIZE(object) as usize) }
}
