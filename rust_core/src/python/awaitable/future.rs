//! The Future face: what gather, wait_for, shield and tasks ask of a future.
use super::iterate::{cancelled_error, raise_failure};
use super::{Awaitable, CANCELLED, Callback, FAILED, GLOBALS, PENDING, READY, bind, leave_pending, new_reference};
use super::{running_loop, types};
use crate::python::channel::{self, Due};
use crate::python::reference::Ref;
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use std::ffi::{CStr, c_int, c_void};
use std::{mem, ptr};

/// The loop of a pending one is the one that first awaited it. A finished one belongs to whatever loop asks; it
/// remembers the answer (`_get_running_loop` makes a getpid system call before 3.12) until `isfuture` asks anew.
/// Borrowed; null: an exception is set.
unsafe fn loop_of(this: *mut Awaitable) -> *mut PyObject {
    if (*this).state == PENDING {
        return if bind(this) { (*this).event_loop } else { ptr::null_mut() };
    }
    if (*this).event_loop.is_null() {
        remember_running_loop(this);
    }
    if (*this).event_loop.is_null() {
        ffi::PyErr_SetString(ffi::PyExc_RuntimeError, c"no running event loop".as_ptr());
    }
    (*this).event_loop
}

/// False where no loop runs.
unsafe fn remember_running_loop(this: *mut Awaitable) -> bool {
    let current = running_loop();
    if current.is_null() || current == (*this).event_loop {
        return !current.is_null();
    }
    let old = mem::replace(&mut (*this).event_loop, new_reference(current));
    ffi::Py_XDECREF(old);
    true
}

pub unsafe extern "C" fn get_loop(object: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    let event_loop = loop_of(object.cast());
    ffi::Py_XINCREF(event_loop);
    event_loop
}

pub unsafe extern "C" fn get_loop_attribute(object: *mut PyObject, _: *mut c_void) -> *mut PyObject {
    get_loop(object, ptr::null_mut())
}

/// None makes `asyncio.isfuture` say no: with no loop running it passes as a coroutine, so that
/// `loop.run_until_complete(db.aget(k))` works with any loop.
pub unsafe extern "C" fn get_blocking(object: *mut PyObject, _: *mut c_void) -> *mut PyObject {
    let this: *mut Awaitable = object.cast();
    let running = if (*this).state == PENDING { !running_loop().is_null() } else { remember_running_loop(this) };
    if !running {
        return new_reference(ffi::Py_None());
    }
    ffi::PyBool_FromLong((*this).blocking.into())
}

pub unsafe extern "C" fn set_blocking(object: *mut PyObject, value: *mut PyObject, _: *mut c_void) -> c_int {
    (*object.cast::<Awaitable>()).blocking = value == ffi::Py_True();
    0
}

pub unsafe extern "C" fn get_cancel_message(object: *mut PyObject, _: *mut c_void) -> *mut PyObject {
    let this: *mut Awaitable = object.cast();
    let given = (*this).state == CANCELLED && !(*this).value.is_null();
    new_reference(if given { (*this).value } else { ffi::Py_None() })
}

pub unsafe extern "C" fn make_cancelled_error(object: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    cancelled_error(object.cast())
}

pub unsafe extern "C" fn cancelled(object: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    ffi::PyBool_FromLong(((*object.cast::<Awaitable>()).state == CANCELLED).into())
}

unsafe fn not_done(message: &CStr) -> *mut PyObject {
    ffi::PyErr_SetString((*GLOBALS.get()).invalid_state, message.as_ptr());
    ptr::null_mut()
}

pub unsafe extern "C" fn result(object: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    let this: *mut Awaitable = object.cast();
    match (*this).state {
        READY => return new_reference((*this).value),
        PENDING => return not_done(c"Result is not set."),
        _ => raise_failure(this),
    }
    ptr::null_mut()
}

pub unsafe extern "C" fn exception(object: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    let this: *mut Awaitable = object.cast();
    match (*this).state {
        READY => return new_reference(ffi::Py_None()),
        FAILED => {
            (*this).failure_seen = true;
            return new_reference((*this).value);
        }
        PENDING => return not_done(c"Exception is not set."),
        _ => raise_failure(this),
    }
    ptr::null_mut()
}

/// `add_done_callback(function, *, context=None)`
pub unsafe extern "C" fn add_done_callback(
    object: *mut PyObject,
    args: *const *mut PyObject,
    count: ffi::Py_ssize_t,
    names: *mut PyObject,
) -> *mut PyObject {
    let this: *mut Awaitable = object.cast();
    let keywords = types::count_names(names);
    if count != 1 || keywords > 1 {
        ffi::PyErr_SetString(ffi::PyExc_TypeError, c"add_done_callback(fn, *, context=None)".as_ptr());
        return ptr::null_mut();
    }
    let context = match keywords {
        1 if *args.add(1) != ffi::Py_None() => Ref::new(*args.add(1)),
        _ => Ref::own(ffi::PyContext_CopyCurrent()),
    };
    let (Some(function), Some(context)) = (Ref::new(*args), context) else { return ptr::null_mut() };
    let event_loop = loop_of(this);
    if event_loop.is_null() {
        return ptr::null_mut();
    }
    if let Some(waiting) = (*this).waiting.as_mut() {
        waiting.callbacks.push(Callback { function, context });
        return new_reference(ffi::Py_None());
    }
    let py = Python::assume_attached();
    let Some(awaitable) = Ref::new(object) else { return ptr::null_mut() };
    match channel::call_soon_together(&Borrowed::from_ptr(py, event_loop), Due { function, context, awaitable }) {
        Ok(()) => new_reference(ffi::Py_None()),
        Err(error) => {
            error.restore(py);
            ptr::null_mut()
        }
    }
}

pub unsafe extern "C" fn remove_done_callback(object: *mut PyObject, function: *mut PyObject) -> *mut PyObject {
    let this: *mut Awaitable = object.cast();
    let (mut count, mut index) = (0, 0);
    while let Some(candidate) = (*this).waiting.as_ref().and_then(|waiting| waiting.callbacks.get(index)) {
        let candidate = candidate.function.clone(); // comparing may run Python code, which may change the list
        match ffi::PyObject_RichCompareBool(candidate.as_ptr(), function, ffi::Py_EQ) {
            0 => index += 1,
            1 => {
                let Some(waiting) = (*this).waiting.as_mut() else { break };
                if waiting.callbacks.get(index).is_some_and(|found| found.function.as_ptr() == candidate.as_ptr()) {
                    drop(waiting.callbacks.remove(index));
                    count += 1;
                }
            }
            _ => return ptr::null_mut(),
        }
    }
    ffi::PyLong_FromLong(count)
}

/// `cancel(msg=None)`: only the waiting is given up, never the work.
pub unsafe extern "C" fn cancel(
    object: *mut PyObject,
    args: *const *mut PyObject,
    count: ffi::Py_ssize_t,
    names: *mut PyObject,
) -> *mut PyObject {
    let this: *mut Awaitable = object.cast();
    if (*this).state != PENDING {
        return ffi::PyBool_FromLong(0);
    }
    let given = count + types::count_names(names) > 0 && *args != ffi::Py_None();
    let message = if given { new_reference(*args) } else { ptr::null_mut() };
    let waiting = leave_pending(this, message, CANCELLED);
    for callback in waiting.callbacks {
        if !call_soon((*this).event_loop, callback.function.as_ptr(), object, callback.context.as_ptr()) {
            ffi::PyErr_Clear(); // the loop is closed: nobody is left to tell
        }
    }
    ffi::PyBool_FromLong(1)
}

/// False: an exception is set (RuntimeError where the loop is closed).
unsafe fn call_soon(
    event_loop: *mut PyObject,
    function: *mut PyObject,
    argument: *mut PyObject,
    context: *mut PyObject,
) -> bool {
    let globals = &*GLOBALS.get();
    let stack = [event_loop, function, argument, context];
    let flags = 3 | ffi::PY_VECTORCALL_ARGUMENTS_OFFSET;
    let result = ffi::PyObject_VectorcallMethod(globals.call_soon, stack.as_ptr(), flags, globals.context_names);
    ffi::Py_XDECREF(result);
    !result.is_null()
}
