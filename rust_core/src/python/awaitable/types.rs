//! The two heap types, made once by the module's init.
use super::{Awaitable, GLOBALS, clear, coroutine, dealloc, future, iterate, traverse};
use crate::python::heap_type::{self, attribute, method, slot};
use pyo3::ffi::{self, PyObject, PyTypeObject};
use pyo3::prelude::*;
use pyo3::types::PyString;
use std::ffi::c_void;
use std::ptr;

/// How many keyword arguments a vectorcall got.
pub unsafe fn count_names(names: *mut PyObject) -> ffi::Py_ssize_t {
    if names.is_null() { 0 } else { ffi::PyTuple_GET_SIZE(names) }
}

unsafe extern "C" fn refuse(_: *mut PyTypeObject, _: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    ffi::PyErr_SetString(ffi::PyExc_TypeError, c"cannot create 'Awaitable' instances".as_ptr());
    ptr::null_mut()
}

fn methods() -> Vec<ffi::PyMethodDef> {
    use ffi::{METH_FASTCALL, METH_KEYWORDS, METH_NOARGS, METH_O, PyMethodDefPointer as P};
    let keywords = METH_FASTCALL | METH_KEYWORDS;
    vec![
        method(c"send", P { PyCFunction: coroutine::send }, METH_O),
        method(c"throw", P { PyCFunctionFast: coroutine::throw }, METH_FASTCALL),
        method(c"close", P { PyCFunction: coroutine::close }, METH_NOARGS),
        method(c"done", P { PyCFunction: coroutine::done }, METH_NOARGS),
        method(c"wait", P { PyCFunction: coroutine::wait }, METH_NOARGS),
        method(c"cancelled", P { PyCFunction: future::cancelled }, METH_NOARGS),
        method(c"result", P { PyCFunction: future::result }, METH_NOARGS),
        method(c"exception", P { PyCFunction: future::exception }, METH_NOARGS),
        method(c"get_loop", P { PyCFunction: future::get_loop }, METH_NOARGS),
        method(c"_make_cancelled_error", P { PyCFunction: future::make_cancelled_error }, METH_NOARGS),
        method(c"add_done_callback", P { PyCFunctionFastWithKeywords: future::add_done_callback }, keywords),
        method(c"remove_done_callback", P { PyCFunction: future::remove_done_callback }, METH_O),
        method(c"cancel", P { PyCFunctionFastWithKeywords: future::cancel }, keywords),
        method(c"__class_getitem__", P { PyCFunction: class_getitem }, METH_O | ffi::METH_CLASS),
        ffi::PyMethodDef::zeroed(),
    ]
}

/// `Awaitable[int]`, for annotations.
unsafe extern "C" fn class_getitem(class: *mut PyObject, item: *mut PyObject) -> *mut PyObject {
    ffi::Py_GenericAlias(class, item)
}

fn attributes() -> Vec<ffi::PyGetSetDef> {
    vec![
        attribute(c"_asyncio_future_blocking", future::get_blocking, Some(future::set_blocking)),
        attribute(c"_cancel_message", future::get_cancel_message, None),
        attribute(c"_loop", future::get_loop_attribute, None),
        ffi::PyGetSetDef::default(),
    ]
}

fn awaitable_type(py: Python<'_>) -> PyResult<*mut PyTypeObject> {
    let slots = vec![
        slot(ffi::Py_tp_new, refuse as *mut c_void),
        slot(ffi::Py_tp_dealloc, dealloc as *mut c_void),
        slot(ffi::Py_tp_traverse, traverse as *mut c_void),
        slot(ffi::Py_tp_clear, clear as *mut c_void),
        slot(ffi::Py_tp_iter, iterate::itself as *mut c_void),
        slot(ffi::Py_tp_iternext, iterate::iternext as *mut c_void),
        slot(ffi::Py_am_await, iterate::itself as *mut c_void),
        #[cfg(Py_3_10)]
        slot(ffi::Py_am_send, iterate::am_send as *mut c_void),
        slot(ffi::Py_tp_methods, methods().leak().as_mut_ptr().cast()),
        slot(ffi::Py_tp_getset, attributes().leak().as_mut_ptr().cast()),
    ];
    let name = c"asyncdictsqlite._rust.Awaitable";
    // SAFETY: the slots are functions of the right kinds; their tables are never freed.
    unsafe { heap_type::make(py, name, size_of::<Awaitable>(), 0, slots, ptr::null_mut()) }
}

fn stop_type(py: Python<'_>) -> PyResult<*mut PyTypeObject> {
    let size = size_of::<ffi::PyStopIterationObject>();
    // SAFETY: as above; the parent's traverse fits, for the layout is the parent's.
    unsafe {
        let parent: *mut PyTypeObject = ffi::PyExc_StopIteration.cast();
        let traverse_parent = (*parent).tp_traverse.map_or(ptr::null_mut(), |function| function as *mut c_void);
        let slots = vec![
            slot(ffi::Py_tp_dealloc, iterate::stop_dealloc as *mut c_void),
            slot(ffi::Py_tp_traverse, traverse_parent),
        ];
        let bases = Bound::from_owned_ptr_or_err(py, ffi::PyTuple_Pack(1, parent))?;
        heap_type::make(py, c"asyncdictsqlite._rust.StopIteration", size, 0, slots, bases.as_ptr())
    }
}

/// Create the types; once, from the module's init.
pub fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let (events, errors) = (py.import("asyncio.events")?, py.import("asyncio.exceptions")?);
    let awaitable = awaitable_type(py)?;
    // SAFETY: GIL held; nothing runs yet that could look at the globals.
    unsafe {
        let globals = &mut *GLOBALS.get();
        globals.awaitable_type = awaitable;
        globals.stop_type = stop_type(py)?;
        globals.running_loop = events.getattr("_get_running_loop")?.into_ptr();
        globals.cancelled_error = errors.getattr("CancelledError")?.into_ptr();
        globals.invalid_state = errors.getattr("InvalidStateError")?.into_ptr();
        globals.call_soon = PyString::intern(py, "call_soon").into_any().into_ptr();
        globals.context_names = ("context",).into_pyobject(py)?.into_ptr();
        module.add("Awaitable", Borrowed::from_ptr(py, awaitable.cast()))
    }
}
