//! Types made by `PyType_FromSpec`, where pyo3's classes are not fast enough.
#![allow(unsafe_code)]

use pyo3::ffi::{self, PyObject, PyTypeObject};
use pyo3::prelude::*;
use std::ffi::{CStr, c_int, c_ulong, c_void};
use std::ptr;

pub const fn method(name: &'static CStr, call: ffi::PyMethodDefPointer, flags: c_int) -> ffi::PyMethodDef {
    ffi::PyMethodDef { ml_name: name.as_ptr(), ml_meth: call, ml_flags: flags, ml_doc: ptr::null() }
}

pub fn attribute(name: &'static CStr, get: ffi::getter, set: Option<ffi::setter>) -> ffi::PyGetSetDef {
    ffi::PyGetSetDef { name: name.as_ptr(), get: Some(get), set, doc: ptr::null(), closure: ptr::null_mut() }
}

pub fn slot(slot: c_int, pfunc: *mut c_void) -> ffi::PyType_Slot {
    ffi::PyType_Slot { slot, pfunc }
}

/// Make a garbage-collected type of instances of `size` bytes; it lives for ever.
///
/// # Safety
/// Each slot holds a function (or table) of the kind that its number asks for, alive for ever; the functions keep
/// the rules of a heap type (visit and release the type).
pub unsafe fn make(
    py: Python<'_>,
    name: &'static CStr,
    size: usize,
    flags: c_ulong,
    mut slots: Vec<ffi::PyType_Slot>,
    bases: *mut PyObject,
) -> PyResult<*mut PyTypeObject> {
    slots.push(slot(0, ptr::null_mut()));
    let mut spec = ffi::PyType_Spec {
        name: name.as_ptr(),
        basicsize: c_int::try_from(size)?,
        itemsize: 0,
        flags: (ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_HAVE_GC | flags) as _,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: the spec is read during the call only; what it points to is the caller's word.
    let made = unsafe { ffi::PyType_FromSpecWithBases(&raw mut spec, bases) };
    if made.is_null() { Err(PyErr::fetch(py)) } else { Ok(made.cast()) }
}
