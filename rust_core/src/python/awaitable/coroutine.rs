//! The Coroutine face, and the two ways to look at it without a loop: `done` and `wait`.
use super::iterate::{iternext, raise_failure};
use super::{Awaitable, PENDING, READY, look, new_reference};
use crate::python::completion;
use pyo3::ffi::{self, PyObject};
use std::ptr;

pub unsafe extern "C" fn send(object: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    let result = iternext(object);
    if result.is_null() && ffi::PyErr_Occurred().is_null() {
        ffi::PyErr_SetNone(ffi::PyExc_StopIteration);
    }
    result
}

/// `throw(exception)` or the older `throw(type, value, traceback)`
pub unsafe extern "C" fn throw(_: *mut PyObject, args: *mut *mut PyObject, count: ffi::Py_ssize_t) -> *mut PyObject {
    if !(1..=3).contains(&count) {
        ffi::PyErr_SetString(ffi::PyExc_TypeError, c"throw(exception)".as_ptr());
    } else if ffi::PyExceptionInstance_Check(*args) != 0 {
        ffi::PyErr_SetObject(ffi::Py_TYPE(*args).cast(), *args);
    } else {
        let value = if count > 1 { *args.add(1) } else { ptr::null_mut() };
        ffi::PyErr_SetObject(*args, value);
    }
    ptr::null_mut()
}

pub unsafe extern "C" fn close(_: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    new_reference(ffi::Py_None())
}

pub unsafe extern "C" fn done(object: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    let this: *mut Awaitable = object.cast();
    if (*this).state == PENDING {
        look(this);
    }
    ffi::PyBool_FromLong(((*this).state != PENDING).into())
}

/// Block this thread, not the interpreter, until it is finished.
pub unsafe extern "C" fn wait(object: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    let this: *mut Awaitable = object.cast();
    loop {
        let seen = completion::deliveries();
        if (*this).state == PENDING {
            look(this);
        }
        if (*this).state != PENDING {
            break;
        }
        if completion::is_due() {
            continue; // one entry takes in only so much
        }
        let thread = ffi::PyEval_SaveThread();
        completion::sleep(seen);
        ffi::PyEval_RestoreThread(thread);
        if ffi::PyErr_CheckSignals() < 0 {
            return ptr::null_mut();
        }
    }
    if (*this).state == READY {
        return new_reference((*this).value);
    }
    raise_failure(this);
    ptr::null_mut()
}
