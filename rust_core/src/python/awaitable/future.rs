//! The Future face: what gather, wait_for, shield and tasks ask of a future.
use super::iterate::{cancelled_error, raise_failure};
use super::{Callback, State, This, bind, given, leave_pending, running_loop};
use crate::python::arguments::Arguments;
use crate::python::channel::{self, Due};
use crate::python::reference::{Object, Ref, copy_context};
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// The loop of a pending one is the one that first awaited it. A finished one belongs to whatever loop asks; it
/// remembers the answer (`_get_running_loop` makes a getpid system call before 3.12) until `isfuture` asks anew.
fn loop_of(this: This<'_, '_>) -> PyResult<Ref> {
    if this.state.get() == State::Pending {
        bind(this)?;
    }
    if this.event_loop.as_ptr().is_null() {
        remember_running_loop(this); // it was finished, or it is by now
    }
    this.event_loop.get().ok_or_else(|| PyRuntimeError::new_err("no running event loop"))
}

/// False where no loop runs.
fn remember_running_loop(this: This<'_, '_>) -> bool {
    let Some(current) = running_loop(this.py()) else { return false };
    if current.as_ptr() != this.event_loop.as_ptr() {
        drop(this.event_loop.replace(Some(current.into())));
    }
    true
}

pub fn get_loop(this: This<'_, '_>) -> Option<Ref> {
    given(this.py(), loop_of(this))
}

/// None makes `asyncio.isfuture` say no: with no loop running it passes as a coroutine, so that
/// `loop.run_until_complete(db.aget(k))` works with any loop.
pub fn get_blocking(this: This<'_, '_>) -> Option<Ref> {
    let is_pending = this.state.get() == State::Pending;
    let running = if is_pending { running_loop(this.py()).is_some() } else { remember_running_loop(this) };
    Some(if running { Ref::of_bool(this.py(), this.blocking.get()) } else { Ref::none() })
}

pub fn set_blocking(this: This<'_, '_>, value: Option<Object<'_, '_>>) {
    this.blocking.set(value.is_some_and(|value| value.is_truthy().unwrap_or(false)));
}

pub fn get_cancel_message(this: This<'_, '_>) -> Option<Ref> {
    let message = if this.state.get() == State::Cancelled { this.value.get() } else { None };
    Some(message.unwrap_or_else(Ref::none))
}

pub fn make_cancelled_error(this: This<'_, '_>) -> Option<Ref> {
    given(this.py(), cancelled_error(this).map(Ref::from))
}

pub fn cancelled(this: This<'_, '_>) -> Option<Ref> {
    Some(Ref::of_bool(this.py(), this.state.get() == State::Cancelled))
}

fn not_done(this: This<'_, '_>, message: &'static str) -> Option<Ref> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let class = CLASS.import(this.py(), "asyncio.exceptions", "InvalidStateError");
    let error = class.and_then(|class| class.call1((message,))).map(PyErr::from_value);
    error.unwrap_or_else(|error| error).restore(this.py());
    None
}

pub fn result(this: This<'_, '_>) -> Option<Ref> {
    match this.state.get() {
        State::Ready => return this.value.get(),
        State::Pending => return not_done(this, "Result is not set."),
        State::Failed | State::Cancelled => raise_failure(this),
    }
    None
}

pub fn exception(this: This<'_, '_>) -> Option<Ref> {
    match this.state.get() {
        State::Ready => return Some(Ref::none()),
        State::Failed => {
            this.failure_seen.set(true);
            return this.value.get();
        }
        State::Pending => return not_done(this, "Exception is not set."),
        State::Cancelled => raise_failure(this),
    }
    None
}

/// `add_done_callback(function, *, context=None)`
pub fn add_done_callback(this: This<'_, '_>, arguments: Arguments<'_, '_>) -> Option<Ref> {
    given(this.py(), add(this, arguments).map(|()| Ref::none()))
}

#[inline(always)]
fn add(this: This<'_, '_>, arguments: Arguments<'_, '_>) -> PyResult<()> {
    let py = this.py();
    let (function, context) = match (arguments.positional(), arguments.only_named()) {
        ([function], None) => (function, None),
        ([function], Some(context)) => (function, (!context.is_none()).then(|| Ref::of(&context))),
        _ => return Err(PyTypeError::new_err("add_done_callback(fn, *, context=None)")),
    };
    let context = context.or_else(|| copy_context(py)).ok_or_else(|| PyErr::fetch(py))?;
    let function = Ref::of(function);
    let event_loop = loop_of(this)?;
    if this.state.get() == State::Pending {
        this.with_waiting(|waiting| waiting.callbacks.push(Callback { function, context }));
        return Ok(());
    }
    channel::call_soon_together(&event_loop.bind(py), Due { function, context, awaitable: this.to_ref() })
}

pub fn remove_done_callback(this: This<'_, '_>, function: Object<'_, '_>) -> Option<Ref> {
    given(this.py(), remove(this, function).map(|count| Ref::of_int(this.py(), count)))
}

fn remove(this: This<'_, '_>, function: Object<'_, '_>) -> PyResult<u64> {
    let (mut count, mut index) = (0, 0);
    let at = |index: usize| this.with_waiting(|waiting| Some(waiting.callbacks.get(index)?.function.clone())).flatten();
    while let Some(candidate) = at(index) {
        // Comparing may run Python code, which may change the list.
        if !candidate.bind(this.py()).eq(function)? {
            index += 1;
        } else if at(index).is_some_and(|found| found.as_ptr() == candidate.as_ptr()) {
            drop(this.with_waiting(|waiting| waiting.callbacks.remove(index)));
            count += 1;
        }
    }
    Ok(count)
}

/// `cancel(msg=None)`: only the waiting is given up, never the work.
pub fn cancel(this: This<'_, '_>, arguments: Arguments<'_, '_>) -> Option<Ref> {
    let py = this.py();
    if this.state.get() != State::Pending {
        return Some(Ref::of_bool(py, false));
    }
    let message = arguments.positional().first().copied().or(arguments.only_named());
    let message = message.filter(|message| !message.is_none()).map(|message| Ref::of(&message));
    let callbacks = leave_pending(this, message, State::Cancelled).map(|waiting| waiting.callbacks);
    let event_loop = this.event_loop.get();
    for callback in callbacks.into_iter().flatten() {
        let due = Due { function: callback.function, context: callback.context, awaitable: this.to_ref() };
        if let Some(event_loop) = &event_loop {
            let _ = due.call_soon(&event_loop.bind(py)); // the loop is closed: nobody is left to tell
        }
    }
    Some(Ref::of_bool(py, true))
}
