//! Arguments of a vectorcall.
#![allow(unsafe_code)]

use super::reference::Ref;
use pyo3::exceptions::PyTypeError;
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;

/// Borrowed for the time of the call: made by the method descriptor alone.
#[derive(Clone, Copy)]
pub struct Arguments {
    items: *const *mut PyObject,
    count: usize,
    names: *mut PyObject, // a tuple or null
}

impl Arguments {
    /// # Safety
    /// As CPython's vectorcall: `count` positional ones, then one for each of `names`; alive while this is used.
    #[inline(always)]
    pub unsafe fn new(items: *const *mut PyObject, count: usize, names: *mut PyObject) -> Self {
        Self { items, count, names }
    }

    /// The argument, where there is just one, by position.
    #[inline(always)]
    pub fn only(&self) -> Option<*mut PyObject> {
        // SAFETY: by `new`.
        (self.count == 1 && self.names.is_null()).then(|| unsafe { *self.items })
    }

    #[inline(always)]
    pub fn has_no_names(&self) -> bool {
        self.names.is_null()
    }

    #[inline(always)]
    pub fn positional(&self) -> &[*mut PyObject] {
        // SAFETY: by `new`.
        if self.count == 0 { &[] } else { unsafe { std::slice::from_raw_parts(self.items, self.count) } }
    }

    /// (name, argument)
    pub fn keywords(&self) -> impl Iterator<Item = (*mut PyObject, *mut PyObject)> + use<> {
        let this = *self;
        // SAFETY: by `new`.
        let named = if this.names.is_null() { 0 } else { unsafe { ffi::PyTuple_GET_SIZE(this.names) } };
        // SAFETY: as above.
        (0..named).map(move |index| unsafe {
            (ffi::PyTuple_GET_ITEM(this.names, index), *this.items.add(this.count + index as usize))
        })
    }
}

/// Match arguments to two parameters, the first `required` of which must be given.
pub fn parse(
    py: Python<'_>,
    function: &str,
    parameters: [&str; 2],
    required: usize,
    arguments: Arguments,
) -> PyResult<[Option<Ref>; 2]> {
    let mut found = [None, None];
    let positional = arguments.positional();
    if positional.len() > found.len() {
        let message =
            format!("{function}() takes 2 arguments ({}), but {} were given", parameters.join(", "), positional.len());
        return Err(PyTypeError::new_err(message));
    }
    for (slot, &object) in found.iter_mut().zip(positional) {
        // SAFETY: GIL held; alive during the call.
        *slot = unsafe { Ref::new(object) };
    }
    for (name, object) in arguments.keywords() {
        // SAFETY: as above; names are strs.
        let (name, object) = unsafe { (Borrowed::from_ptr(py, name).to_string(), Ref::new(object)) };
        let index = parameters.iter().position(|parameter| *parameter == name);
        match index.map(|index| &mut found[index]) {
            Some(slot) if slot.is_none() => *slot = object,
            Some(_) => return Err(PyTypeError::new_err(format!("{function}() got two values for {name:?}"))),
            None => return Err(PyTypeError::new_err(format!("{function}() has no parameter {name:?}"))),
        }
    }
    if let Some(missing) = (0..required).find(|&index| found[index].is_none()) {
        return Err(PyTypeError::new_err(format!("{function}() misses its argument {:?}", parameters[missing])));
    }
    Ok(found)
}
