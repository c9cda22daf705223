//! The awaitable every async method returns: iterator, structural Coroutine and duck Future in one object.
//!
//! # Safety (the whole folder)
//! Raw ffi, because pyo3 offers neither `am_send` nor a bare `tp_iternext`. Invariants:
//! 1. Every function runs with the GIL held (slots and methods called by CPython, or our own code that holds it).
//! 2. `value` is owned. READY, FAILED: never null. PENDING: null. CANCELLED: the message or null.
//! 3. `waiting` is not null exactly while PENDING; the collector tracks the object exactly then.
//! 4. Any release of a reference may run Python code: a field is emptied before its old content is released.
#![allow(unsafe_code, unsafe_op_in_unsafe_fn)]

mod coroutine;
mod free_list;
mod future;
mod iterate;
mod report;
mod types;

use super::channel::{self, Due};
use super::gil_cell::GilCell;
use super::reference::Ref;
use super::{completion, errors};
use free_list::FreeList;
use pyo3::ffi::{self, PyObject, PyTypeObject};
use pyo3::prelude::*;
use std::ffi::{c_int, c_void};
use std::{mem, ptr};

pub use types::init;

const PENDING: u8 = 0;
const READY: u8 = 1;
const FAILED: u8 = 2;
const CANCELLED: u8 = 3;

#[repr(C)]
struct Awaitable {
    head: PyObject,
    value: *mut PyObject,
    event_loop: *mut PyObject, // owned; null: no loop has asked yet
    waiting: *mut Waiting,
    state: u8,
    blocking: bool,
    failure_seen: bool,
    process: u8, // `completion::process` when it was made
}

/// What only a pending one has. `channel` is set together with `event_loop`: the loop that first awaited it.
#[derive(Default)]
struct Waiting {
    channel: Option<Ref>,
    callbacks: Vec<Callback>,
}

struct Callback {
    function: Ref,
    context: Ref,
}

struct Globals {
    awaitable_type: *mut PyTypeObject,
    stop_type: *mut PyTypeObject,
    free: FreeList<256>,
    free_stops: FreeList<8>,
    running_loop: *mut PyObject, // asyncio._get_running_loop: None where none runs
    cancelled_error: *mut PyObject,
    invalid_state: *mut PyObject,
    call_soon: *mut PyObject,
    context_names: *mut PyObject,
}

static GLOBALS: GilCell<Globals> = GilCell::new(Globals {
    awaitable_type: ptr::null_mut(),
    stop_type: ptr::null_mut(),
    free: FreeList::EMPTY,
    free_stops: FreeList::EMPTY,
    running_loop: ptr::null_mut(),
    cancelled_error: ptr::null_mut(),
    invalid_state: ptr::null_mut(),
    call_soon: ptr::null_mut(),
    context_names: ptr::null_mut(),
});

#[inline(always)]
unsafe fn new_reference(object: *mut PyObject) -> *mut PyObject {
    ffi::Py_INCREF(object);
    object
}

#[inline(always)]
unsafe fn allocate(value: *mut PyObject, state: u8) -> *mut Awaitable {
    let globals = &mut *GLOBALS.get();
    let memory = globals.free.pop();
    let object: *mut Awaitable = if memory.is_null() {
        ffi::PyObject_GC_New(globals.awaitable_type)
    } else {
        ffi::PyObject_Init(memory.cast(), globals.awaitable_type).cast()
    };
    if !object.is_null() {
        (*object).value = value;
        (*object).event_loop = ptr::null_mut();
        (*object).waiting = ptr::null_mut();
        (*object).state = state;
        (*object).blocking = false;
        (*object).failure_seen = false;
        (*object).process = 0;
    }
    object
}

/// A finished awaitable that holds `value`, which it takes over. Null (MemoryError) is all that can go wrong.
///
/// # Safety
/// GIL held; `value` is an owned reference.
#[inline(always)]
pub unsafe fn resolved(value: *mut PyObject) -> *mut PyObject {
    let object = allocate(value, READY);
    if object.is_null() {
        ffi::Py_DECREF(value);
    }
    object.cast()
}

/// An awaitable that `complete` will finish.
pub fn pending(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: `py` proves the GIL; `waiting` is set before the collector sees the object (invariant 3).
    unsafe {
        let object = allocate(ptr::null_mut(), PENDING);
        if object.is_null() {
            return Err(PyErr::fetch(py));
        }
        (*object).process = completion::process();
        (*object).waiting = Box::into_raw(Box::default());
        ffi::PyObject_GC_Track(object.cast());
        Ok(Bound::from_owned_ptr(py, object.cast()))
    }
}

/// Finish with a value or an exception and hand the callbacks to their loop. A cancelled one ignores it.
///
/// # Safety
/// GIL held; `object` was made by `pending`.
pub unsafe fn complete(py: Python<'_>, object: *mut PyObject, result: PyResult<Ref>) {
    let this: *mut Awaitable = object.cast();
    if (*this).state != PENDING {
        return;
    }
    let (value, state) = match result {
        Ok(value) => (value.into_ptr(), READY),
        Err(error) => (error.into_value(py).into_ptr(), FAILED),
    };
    let callbacks = leave_pending(this, value, state);
    let Some(channel) = callbacks.channel else { return };
    let due = callbacks.callbacks.into_iter().filter_map(|callback| {
        // SAFETY: `object` is alive; GIL held.
        let awaitable = unsafe { Ref::new(object) }?;
        Some(Due { function: callback.function, context: callback.context, awaitable })
    });
    channel::hand_over(&channel, due);
}

/// Take in what is finished, to see whether this pending one is. In a forked child one of the parent's never will be.
#[cold]
unsafe fn look(this: *mut Awaitable) {
    let py = Python::assume_attached();
    completion::drain(py);
    if (*this).state == PENDING && (*this).process != completion::process() {
        let message = "the call was made before the fork: its result is the parent's";
        complete(py, this.cast(), Err(errors::named(py, "ForkedError", message)));
    }
}

/// The one way out of PENDING (invariants 2 and 3).
unsafe fn leave_pending(this: *mut Awaitable, value: *mut PyObject, state: u8) -> Waiting {
    ffi::PyObject_GC_UnTrack(this.cast());
    (*this).value = value;
    (*this).state = state;
    let waiting = *Box::from_raw(mem::replace(&mut (*this).waiting, ptr::null_mut()));
    if let Some(channel) = &waiting.channel {
        channel::forget_sleeper(channel);
    }
    waiting
}

// ---- life and garbage ----------------------------------------------------------------------------------------------

unsafe extern "C" fn dealloc(object: *mut PyObject) {
    let this: *mut Awaitable = object.cast();
    if (*this).state != READY {
        if (*this).state == PENDING {
            drop(leave_pending(this, ptr::null_mut(), CANCELLED));
        }
        report::unseen_failure(this);
    }
    ffi::Py_XDECREF(mem::replace(&mut (*this).event_loop, ptr::null_mut()));
    ffi::Py_XDECREF(mem::replace(&mut (*this).value, ptr::null_mut()));
    let kind = ffi::Py_TYPE(object);
    if !(*GLOBALS.get()).free.push(object.cast()) {
        ffi::PyObject_GC_Del(object.cast());
    }
    ffi::Py_DECREF(kind.cast());
}

unsafe extern "C" fn traverse(object: *mut PyObject, visit: ffi::visitproc, data: *mut c_void) -> c_int {
    let this: *mut Awaitable = object.cast();
    let own = [ffi::Py_TYPE(object).cast(), (*this).value, (*this).event_loop];
    let waiting = (*this).waiting.as_ref();
    let channel = waiting.and_then(|waiting| waiting.channel.as_ref()).map(Ref::as_ptr);
    let callbacks = waiting.into_iter().flat_map(|waiting| &waiting.callbacks);
    let held = callbacks.flat_map(|callback| [callback.function.as_ptr(), callback.context.as_ptr()]);
    for referent in own.into_iter().chain(channel).chain(held).filter(|referent| !referent.is_null()) {
        let stop = visit(referent, data);
        if stop != 0 {
            return stop;
        }
    }
    0
}

/// Break cycles of awaitable and task.
unsafe extern "C" fn clear(object: *mut PyObject) -> c_int {
    let this: *mut Awaitable = object.cast();
    if let Some(waiting) = (*this).waiting.as_mut() {
        drop(mem::take(&mut waiting.callbacks));
    }
    0
}

// ---- loops ---------------------------------------------------------------------------------------------------------

/// The running loop (borrowed), or null without an exception.
unsafe fn running_loop() -> *mut PyObject {
    let found = ffi::PyObject_CallNoArgs((*GLOBALS.get()).running_loop);
    if found.is_null() {
        ffi::PyErr_Clear();
        return found;
    }
    ffi::Py_DECREF(found); // the thread state keeps it
    if found == ffi::Py_None() { ptr::null_mut() } else { found }
}

/// The loop that runs in this thread.
pub fn running(py: Python<'_>) -> Option<Bound<'_, PyAny>> {
    // SAFETY: GIL held; a new reference to what the thread state keeps alive.
    unsafe { Bound::from_borrowed_ptr_or_opt(py, running_loop()) }
}

/// Bind a pending one to the running loop, unless it has one. False: exception set.
unsafe fn bind(this: *mut Awaitable) -> bool {
    if !(*this).event_loop.is_null() {
        return true;
    }
    let current = running_loop();
    if current.is_null() {
        ffi::PyErr_SetString(ffi::PyExc_RuntimeError, c"no running event loop".as_ptr());
        return false;
    }
    let py = Python::assume_attached();
    match channel::of_loop(&Borrowed::from_ptr(py, current)) {
        Ok(channel) => {
            let Some(waiting) = (*this).waiting.as_mut() else { return true }; // finished meanwhile
            channel::add_sleeper(&channel);
            waiting.channel = Some(channel);
            (*this).event_loop = new_reference(current);
            true
        }
        Err(error) => {
            error.restore(py);
            false
        }
    }
}
