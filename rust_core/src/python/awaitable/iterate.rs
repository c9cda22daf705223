//! The iterator face: what `await` itself uses.
use super::{Awaitable, FAILED, GLOBALS, PENDING, READY, bind, look, new_reference};
use pyo3::ffi::{self, PyObject};
use std::{mem, ptr};

pub unsafe extern "C" fn itself(object: *mut PyObject) -> *mut PyObject {
    new_reference(object)
}

pub unsafe extern "C" fn iternext(object: *mut PyObject) -> *mut PyObject {
    let this: *mut Awaitable = object.cast();
    if (*this).state == READY {
        raise_stop((*this).value);
        return ptr::null_mut();
    }
    let mut result = ptr::null_mut();
    if let Step::Returned = step(this, &mut result) {
        raise_stop(result);
        ffi::Py_DECREF(mem::replace(&mut result, ptr::null_mut()));
    }
    result
}

#[cfg(Py_3_10)]
pub unsafe extern "C" fn am_send(
    object: *mut PyObject,
    _: *mut PyObject,
    result: *mut *mut PyObject,
) -> ffi::PySendResult {
    let this: *mut Awaitable = object.cast();
    if (*this).state == READY {
        *result = new_reference((*this).value);
        return ffi::PySendResult::PYGEN_RETURN;
    }
    match step(this, &mut *result) {
        Step::Returned => ffi::PySendResult::PYGEN_RETURN,
        Step::Yielded => ffi::PySendResult::PYGEN_NEXT,
        Step::Raised => ffi::PySendResult::PYGEN_ERROR,
    }
}

enum Step {
    Returned,
    Yielded,
    Raised,
}

/// One step of one that was not READY; `result` is a new reference, or null where it raised.
#[cold]
unsafe fn step(this: *mut Awaitable, result: &mut *mut PyObject) -> Step {
    *result = ptr::null_mut();
    if (*this).state == PENDING {
        look(this);
    }
    match (*this).state {
        READY => {
            *result = new_reference((*this).value);
            Step::Returned
        }
        PENDING => {
            if !bind(this) {
                return Step::Raised;
            }
            (*this).blocking = true;
            *result = new_reference(this.cast());
            Step::Yielded
        }
        _ => {
            raise_failure(this);
            Step::Raised
        }
    }
}

#[cold]
pub unsafe fn raise_failure(this: *mut Awaitable) {
    if (*this).state == FAILED {
        (*this).failure_seen = true;
        ffi::PyException_SetTraceback((*this).value, ffi::Py_None()); // else it grows with every await
        ffi::PyErr_SetObject(ffi::Py_TYPE((*this).value).cast(), (*this).value);
        return;
    }
    let error = cancelled_error(this);
    if !error.is_null() {
        ffi::PyErr_SetObject((*GLOBALS.get()).cancelled_error, error);
        ffi::Py_DECREF(error);
    }
}

pub unsafe fn cancelled_error(this: *mut Awaitable) -> *mut PyObject {
    let class = (*GLOBALS.get()).cancelled_error;
    if (*this).state != super::CANCELLED || (*this).value.is_null() {
        ffi::PyObject_CallNoArgs(class)
    } else {
        ffi::PyObject_CallOneArg(class, (*this).value)
    }
}

/// Raise StopIteration(value). None needs no exception at all: null from `tp_iternext` means just that.
#[inline(always)]
unsafe fn raise_stop(value: *mut PyObject) {
    if value != ffi::Py_None() {
        raise_stop_with(value);
    }
}

/// Raise our StopIteration, made from the memory of the one before.
#[inline(always)]
pub unsafe fn raise_stop_with(value: *mut PyObject) {
    let globals = &mut *GLOBALS.get();
    let memory = globals.free_stops.pop();
    let exception = if memory.is_null() {
        let fresh = ffi::PyObject_CallNoArgs(globals.stop_type.cast());
        if fresh.is_null() {
            return;
        }
        ffi::PyObject_GC_UnTrack(fresh.cast()); // short-lived: the collector need not know it
        fresh
    } else {
        ffi::PyObject_Init(memory.cast(), globals.stop_type)
    };
    let stop: *mut ffi::PyStopIterationObject = exception.cast();
    ffi::Py_XDECREF(mem::replace(&mut (*stop).value, new_reference(value))); // a fresh one holds None
    #[cfg(Py_3_12)]
    ffi::PyErr_SetRaisedException(exception);
    #[cfg(not(Py_3_12))]
    ffi::PyErr_Restore(new_reference(globals.stop_type.cast()), exception, ptr::null_mut());
}

/// Keeps nothing but `args` (an empty tuple) for the next one.
pub unsafe extern "C" fn stop_dealloc(object: *mut PyObject) {
    let stop: *mut ffi::PyStopIterationObject = object.cast();
    ffi::PyObject_GC_UnTrack(object.cast());
    for field in [
        &raw mut (*stop).value,
        &raw mut (*stop).traceback,
        &raw mut (*stop).context,
        &raw mut (*stop).cause,
        &raw mut (*stop).dict,
    ] {
        ffi::Py_XDECREF(mem::replace(&mut *field, ptr::null_mut()));
    }
    let kind = ffi::Py_TYPE(object);
    if !(*GLOBALS.get()).free_stops.push(object.cast()) {
        ffi::Py_XDECREF(mem::replace(&mut (*stop).args, ptr::null_mut()));
        ffi::PyObject_GC_Del(object.cast());
    }
    ffi::Py_DECREF(kind.cast());
}
