//! An owned reference that is given back at once.
//!
//! pyo3's `Py<T>` defers its release where pyo3 did not attach the thread itself, as in raw slots. This one relies on
//! the rule of the whole boundary instead: all of it runs with the GIL, the workers know no Python.
#![allow(unsafe_code)]

use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use std::ptr::NonNull;

/// Make, clone and drop it with the GIL held. A drop may run Python code: leave the owner consistent before.
#[repr(transparent)]
pub struct Ref(NonNull<PyObject>);

// SAFETY: only moved between threads inside things that are opened with the GIL held (`GilCell`, jobs that came home).
unsafe impl Send for Ref {}
// SAFETY: as above.
unsafe impl Sync for Ref {}

impl Ref {
    /// A new reference to a live object; None for null.
    ///
    /// # Safety
    /// GIL held; `object` is alive or null.
    #[inline(always)]
    pub unsafe fn new(object: *mut PyObject) -> Option<Self> {
        // SAFETY: as stated.
        unsafe { ffi::Py_XINCREF(object) };
        NonNull::new(object).map(Self)
    }

    /// Take over a reference that the caller owns; None for null.
    ///
    /// # Safety
    /// `object` is an owned reference or null.
    #[inline(always)]
    pub unsafe fn own(object: *mut PyObject) -> Option<Self> {
        NonNull::new(object).map(Self)
    }

    pub fn of<T>(object: &Bound<'_, T>) -> Self {
        object.clone().into()
    }

    pub fn none() -> Self {
        // SAFETY: None is alive; the boundary runs with the GIL.
        unsafe {
            let none = ffi::Py_None();
            ffi::Py_INCREF(none);
            Self(NonNull::new_unchecked(none))
        }
    }

    pub fn of_int(py: Python<'_>, number: u64) -> Self {
        let Ok(number) = number.into_pyobject(py); // cannot fail
        number.into()
    }

    #[inline(always)]
    pub fn as_ptr(&self) -> *mut PyObject {
        self.0.as_ptr()
    }

    /// Give the reference away.
    #[inline(always)]
    pub fn into_ptr(self) -> *mut PyObject {
        let object = self.0.as_ptr();
        std::mem::forget(self);
        object
    }

    pub fn bind<'py>(&self, py: Python<'py>) -> Borrowed<'_, 'py, PyAny> {
        // SAFETY: alive as long as `self`.
        unsafe { Borrowed::from_ptr(py, self.as_ptr()) }
    }

    /// For the collector.
    pub fn as_py(&self) -> &Py<PyAny> {
        // SAFETY: `Py` is a transparent non-null pointer to an owned object, as this is.
        unsafe { &*std::ptr::from_ref(self).cast() }
    }

    /// The content of a frozen class.
    ///
    /// # Safety
    /// GIL held; the object is a `T`.
    #[inline(always)]
    pub unsafe fn get_unchecked<T: pyo3::PyClass<Frozen = pyo3::pyclass::boolean_struct::True> + Sync>(&self) -> &T {
        // SAFETY: as stated; the object lives as long as `self`.
        unsafe { self.as_py().bind(Python::assume_attached()).cast_unchecked::<T>().get() }
    }

    pub fn into_bound(self, py: Python<'_>) -> Bound<'_, PyAny> {
        // SAFETY: the owned reference is handed on.
        unsafe { Bound::from_owned_ptr(py, self.into_ptr()) }
    }
}

impl<T> From<Bound<'_, T>> for Ref {
    fn from(object: Bound<'_, T>) -> Self {
        // SAFETY: a Bound is an owned reference and never null.
        unsafe { Self(NonNull::new_unchecked(object.into_ptr())) }
    }
}

impl Clone for Ref {
    #[inline(always)]
    fn clone(&self) -> Self {
        // SAFETY: alive as long as `self`; GIL held.
        unsafe { ffi::Py_INCREF(self.as_ptr()) };
        Self(self.0)
    }
}

impl Drop for Ref {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: the reference is ours; GIL held.
        unsafe { ffi::Py_DECREF(self.as_ptr()) };
    }
}
