//! Keys: exact strs with their cached hash, and the rules of what may be one.
#![allow(unsafe_code)]

use super::errors;
use super::reference::Ref;
use pyo3::exceptions::PyTypeError;
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::PyString;
use std::{ptr, slice};

const MOST_BYTES: usize = 64 * 1024;

/// A borrowed exact `str` (so that hashing and comparing run no Python code) with its hash.
#[derive(Clone, Copy)]
pub struct Key {
    pub object: *mut PyObject,
    pub hash: isize,
}

impl Key {
    /// None: not an exact str.
    ///
    /// # Safety
    /// GIL held, `object` is alive and stays so as long as the key is used.
    #[inline(always)]
    pub unsafe fn of(object: *mut PyObject) -> Option<Self> {
        // SAFETY: an exact str starts as a PyASCIIObject; its hash cannot fail.
        unsafe {
            if ffi::PyUnicode_CheckExact(object) == 0 {
                return None;
            }
            let mut hash = (*object.cast::<ffi::PyASCIIObject>()).hash;
            if hash == -1 {
                hash = ffi::PyObject_Hash(object);
            }
            Some(Self { object, hash })
        }
    }

    #[inline(always)]
    pub fn is(&self, object: *mut PyObject, hash: isize) -> bool {
        // SAFETY: both are live exact strs.
        self.object == object || (self.hash == hash && unsafe { is_equal(self.object, object) })
    }
}

/// # Safety
/// GIL held; both are live exact strs.
#[inline]
unsafe fn is_equal(one: *mut PyObject, other: *mut PyObject) -> bool {
    // SAFETY: as stated; compact ASCII has its text right behind its head; comparing strs runs no Python code.
    unsafe {
        let (a, b): (*const ffi::PyASCIIObject, *const ffi::PyASCIIObject) = (one.cast(), other.cast());
        if ffi::PyUnicode_IS_COMPACT_ASCII(one) == 0 || ffi::PyUnicode_IS_COMPACT_ASCII(other) == 0 {
            return ffi::PyUnicode_Compare(one, other) == 0;
        }
        let text =
            |text: *const ffi::PyASCIIObject| slice::from_raw_parts(text.add(1).cast::<u8>(), (*a).length as usize);
        (*a).length == (*b).length && text(a) == text(b)
    }
}

/// A key that was checked, and its UTF-8 (which the str itself keeps).
#[derive(Clone)]
pub struct OwnedKey {
    pub object: Ref,
    pub hash: isize,
    utf8: *const [u8],
}

// SAFETY: the bytes belong to `object`, never change, and are only read; `Ref` states its own rule.
unsafe impl Send for OwnedKey {}
// SAFETY: as above.
unsafe impl Sync for OwnedKey {}

impl OwnedKey {
    /// The usual key, with no call of the interpreter: an exact `str` of ASCII that is not too long.
    ///
    /// # Safety
    /// GIL held, `key` is alive.
    #[inline(always)]
    pub unsafe fn ascii(key: &Key) -> Option<Self> {
        // SAFETY: as stated; compact ASCII has its text, which is UTF-8, right behind its head.
        unsafe {
            let head: *const ffi::PyASCIIObject = key.object.cast_const().cast();
            if ffi::PyUnicode_IS_COMPACT_ASCII(key.object) == 0 || (*head).length as usize > MOST_BYTES {
                return None;
            }
            let utf8 = ptr::slice_from_raw_parts(head.add(1).cast(), (*head).length as usize);
            Some(Self { object: Ref::new(key.object)?, hash: key.hash, utf8 })
        }
    }

    /// Check a key as the contract says.
    pub fn check(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = object.py();
        // SAFETY: GIL held, alive.
        if let Some(key) = unsafe { Key::of(object.as_ptr()).and_then(|key| Self::ascii(&key)) } {
            return Ok(key);
        }
        let Ok(text) = object.cast::<PyString>() else {
            let kind = object.get_type();
            let shown: String = object.repr()?.to_string_lossy().chars().take(80).collect();
            return Err(PyTypeError::new_err(format!("key must be str, not {}: {shown}", kind.name()?)));
        };
        // SAFETY: a str; FromObject makes an exact one of a subclass.
        let exact: Bound<'_, PyAny> =
            unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyUnicode_FromObject(text.as_ptr()))? };
        let Ok(utf8) = utf8(&exact) else {
            let message = format!("key {} holds a lone surrogate, which UTF-8 cannot encode", shown(text)?);
            return Err(errors::named(py, "KeyEncodingError", &message));
        };
        if utf8.len() > MOST_BYTES {
            let message =
                format!("key {}... is {} bytes long in UTF-8: at most {MOST_BYTES}", shown(text)?, utf8.len());
            return Err(errors::named(py, "KeyTooLongError", &message));
        }
        let hash = exact.hash()?;
        Ok(Self { object: exact.into(), hash, utf8 })
    }

    pub fn borrow(&self) -> Key {
        Key { object: self.object.as_ptr(), hash: self.hash }
    }

    pub fn bytes(&self) -> &[u8] {
        // SAFETY: kept alive by `object`.
        unsafe { &*self.utf8 }
    }
}

/// The UTF-8 of an exact str, kept inside it: good as long as the str lives.
pub fn utf8(text: &Bound<'_, PyAny>) -> PyResult<*const [u8]> {
    let mut size = 0;
    // SAFETY: GIL held; a live object.
    let data = unsafe { ffi::PyUnicode_AsUTF8AndSize(text.as_ptr(), &raw mut size) };
    if data.is_null() {
        Err(PyErr::fetch(text.py()))
    } else {
        Ok(ptr::slice_from_raw_parts(data.cast(), size as usize))
    }
}

fn shown(text: &Bound<'_, PyString>) -> PyResult<String> {
    Ok(text.repr()?.to_string_lossy().chars().take(40).collect())
}
