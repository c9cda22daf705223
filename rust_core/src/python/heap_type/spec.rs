//! The tables of a type, of safe functions: each of no size, so that it gets a C function of its own.
use super::{Callable, Content, Layout, This, finish, raw};
use crate::python::arguments::Arguments;
use crate::python::reference::{Object, Ref};
use pyo3::ffi;
use pyo3::prelude::*;
use std::ffi::{CStr, c_int, c_ulong, c_void};
use std::marker::PhantomData;
use std::ptr;

/// One step of an iterator.
pub enum Step {
    Returned(Ref),
    Yielded(Ref),
    Raised,
}

/// The tables of a type in the making.
pub struct Spec<T> {
    flags: c_ulong,
    slots: Vec<ffi::PyType_Slot>,
    methods: Vec<ffi::PyMethodDef>,
    attributes: Vec<ffi::PyGetSetDef>,
    content: PhantomData<T>,
}

impl<T: Content> Spec<T> {
    pub fn new() -> Self {
        let spec = Self { flags: 0, slots: vec![], methods: vec![], attributes: vec![], content: PhantomData };
        spec.slot(ffi::Py_tp_new, raw::refuse as *mut c_void)
            .slot(ffi::Py_tp_dealloc, raw::dealloc::<T> as *mut c_void)
            .slot(ffi::Py_tp_traverse, raw::traverse::<T> as *mut c_void)
            .slot(ffi::Py_tp_clear, raw::clear::<T> as *mut c_void)
    }

    fn slot(mut self, slot: c_int, pfunc: *mut c_void) -> Self {
        self.slots.push(ffi::PyType_Slot { slot, pfunc });
        self
    }

    fn add(mut self, name: &'static CStr, ml_meth: ffi::PyMethodDefPointer, ml_flags: c_int) -> Self {
        self.methods.push(ffi::PyMethodDef { ml_name: name.as_ptr(), ml_meth, ml_flags, ml_doc: ptr::null() });
        self
    }

    pub fn no_arguments<F: Plain<T>>(self, name: &'static CStr, _: F) -> Self {
        self.add(name, ffi::PyMethodDefPointer { PyCFunction: raw::no_arguments::<T, F> }, ffi::METH_NOARGS)
    }

    pub fn one_argument<F: With<T>>(self, name: &'static CStr, _: F) -> Self {
        self.add(name, ffi::PyMethodDefPointer { PyCFunction: raw::with::<T, F> }, ffi::METH_O)
    }

    pub fn arguments<F: Many<T>>(self, name: &'static CStr, _: F) -> Self {
        let function = ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: raw::arguments::<T, F> };
        self.add(name, function, ffi::METH_FASTCALL | ffi::METH_KEYWORDS)
    }

    /// `Class[int]`, for annotations.
    pub fn generic(self) -> Self {
        let function = ffi::PyMethodDefPointer { PyCFunction: ffi::Py_GenericAlias };
        self.add(c"__class_getitem__", function, ffi::METH_O | ffi::METH_CLASS)
    }

    pub fn attribute<F: Plain<T>>(mut self, name: &'static CStr, _: F) -> Self {
        let get = Some(raw::get::<T, F> as ffi::getter);
        let (name, doc) = (name.as_ptr(), ptr::null());
        self.attributes.push(ffi::PyGetSetDef { name, get, set: None, doc, closure: ptr::null_mut() });
        self
    }

    /// Let the last attribute be set.
    pub fn setter<F>(mut self, _: F) -> Self
    where
        F: for<'a, 'py> Fn(This<'a, 'py, T>, Option<Object<'a, 'py>>) + Copy + 'static,
    {
        if let Some(last) = self.attributes.last_mut() {
            last.set = Some(raw::set::<T, F>);
        }
        self
    }

    /// What `await` and `next` use.
    pub fn steps<F: Steps<T>>(self, _: F) -> Self {
        let spec = self
            .slot(ffi::Py_tp_iter, raw::itself as *mut c_void)
            .slot(ffi::Py_am_await, raw::itself as *mut c_void)
            .slot(ffi::Py_tp_iternext, raw::next::<T, F> as *mut c_void);
        #[cfg(Py_3_10)]
        let spec = spec.slot(ffi::Py_am_send, raw::send::<T, F> as *mut c_void);
        spec
    }

    pub fn repr<F: Plain<T>>(self, _: F) -> Self {
        self.slot(ffi::Py_tp_repr, raw::plain::<T, F> as *mut c_void)
    }

    /// `__eq__` and `__hash__` with others of this very type.
    pub fn equality<F, H>(self, _: F, _: H) -> Self
    where
        F: for<'a, 'py> Fn(This<'a, 'py, T>, This<'a, 'py, T>) -> bool + Copy + 'static,
        H: for<'a, 'py> Fn(This<'a, 'py, T>) -> isize + Copy + 'static,
    {
        self.slot(ffi::Py_tp_richcompare, raw::compare::<T, F> as *mut c_void)
            .slot(ffi::Py_tp_hash, raw::hash::<T, H> as *mut c_void)
    }

    /// `__get__`: what comes of it for an instance; by the class, and without a function, it stays as it is.
    pub fn binding<F: With<T>>(self, _: F) -> Self {
        self.slot(ffi::Py_tp_descr_get, raw::bind::<T, F> as *mut c_void)
    }

    pub fn bound(self) -> Self {
        self.slot(ffi::Py_tp_descr_get, raw::stay as *mut c_void)
    }

    /// CPython specialises the lookup (LOAD_METHOD) of descriptors of immutable types alone.
    pub fn method_descriptor(mut self) -> Self {
        self.flags |= ffi::Py_TPFLAGS_METHOD_DESCRIPTOR;
        #[cfg(Py_3_10)]
        {
            self.flags |= ffi::Py_TPFLAGS_IMMUTABLETYPE;
        }
        self
    }

    /// Make the type, once: it lives for ever.
    pub fn make<'py>(mut self, py: Python<'py>, name: &'static CStr) -> PyResult<Bound<'py, PyAny>> {
        self.methods.push(ffi::PyMethodDef::zeroed());
        self.attributes.push(ffi::PyGetSetDef::default());
        let (methods, attributes) = (std::mem::take(&mut self.methods), std::mem::take(&mut self.attributes));
        let spec = self
            .slot(ffi::Py_tp_methods, methods.leak().as_mut_ptr().cast())
            .slot(ffi::Py_tp_getset, attributes.leak().as_mut_ptr().cast());
        finish::<T>(py, name, spec.flags, spec.slots)
    }
}

impl<C> Spec<Callable<C>>
where
    Callable<C>: Content,
{
    pub fn called(mut self) -> Self {
        let offset = (std::mem::offset_of!(Layout<Callable<C>>, content)
            + std::mem::offset_of!(Callable<C>, vectorcall)) as ffi::Py_ssize_t;
        let name = c"__vectorcalloffset__".as_ptr();
        let (type_code, flags) = (ffi::Py_T_PYSSIZET, ffi::Py_READONLY);
        let members = vec![
            ffi::PyMemberDef { name, type_code, offset, flags, doc: ptr::null() },
            ffi::PyMemberDef { name: ptr::null(), type_code: 0, offset: 0, flags: 0, doc: ptr::null() }, // the end
        ];
        self.flags |= ffi::Py_TPFLAGS_HAVE_VECTORCALL;
        self.slot(ffi::Py_tp_call, ffi::PyVectorcall_Call as *mut c_void)
            .slot(ffi::Py_tp_members, members.leak().as_mut_ptr().cast())
    }
}

/// A method without arguments.
pub trait Plain<T>: for<'a, 'py> Fn(This<'a, 'py, T>) -> Option<Ref> + Copy + 'static {}
impl<T, F> Plain<T> for F where F: for<'a, 'py> Fn(This<'a, 'py, T>) -> Option<Ref> + Copy + 'static {}

/// A method with one.
pub trait With<T>: for<'a, 'py> Fn(This<'a, 'py, T>, Object<'a, 'py>) -> Option<Ref> + Copy + 'static {}
impl<T, F> With<T> for F where F: for<'a, 'py> Fn(This<'a, 'py, T>, Object<'a, 'py>) -> Option<Ref> + Copy + 'static {}

/// One with many.
pub trait Many<T>: for<'a, 'py> Fn(This<'a, 'py, T>, Arguments<'a, 'py>) -> Option<Ref> + Copy + 'static {}
impl<T, F> Many<T> for F where F: for<'a, 'py> Fn(This<'a, 'py, T>, Arguments<'a, 'py>) -> Option<Ref> + Copy + 'static {}

/// What an iterator does.
pub trait Steps<T>: for<'a, 'py> Fn(This<'a, 'py, T>) -> Step + Copy + 'static {}
impl<T, F> Steps<T> for F where F: for<'a, 'py> Fn(This<'a, 'py, T>) -> Step + Copy + 'static {}
