//! The awaitable every async method returns: iterator, structural Coroutine and duck Future in one object.
//!
//! pyo3 offers neither `am_send` nor a bare `tp_iternext`: hence a heap type of our own. Invariants:
//! 1. READY, FAILED: `value` is there. PENDING: none. CANCELLED: the message or none.
//! 2. `waiting` is there exactly while PENDING; the collector tracks the object exactly then.
//! 3. Any release of a reference may run Python code: a field is emptied before its old content is released.
#![allow(clippy::unnecessary_wraps)] // methods have one shape, also where nothing can fail
mod coroutine;
mod future;
mod iterate;
mod report;
mod types;

use super::channel::{self, Channel, Due};
use super::heap_type::{Content, Kind, This as Instance, Visitor};
#[cfg(not(Py_3_12))]
use super::reference;
use super::reference::{Place, Ref};
use super::{completion, errors};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use std::cell::Cell;

pub use types::init;

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum State {
    Pending,
    Ready,
    Failed,
    Cancelled,
}

pub struct Awaitable {
    value: Place,
    event_loop: Place, // none: no loop has asked yet
    waiting: Cell<Option<Box<Waiting>>>,
    state: Cell<State>,
    blocking: Cell<bool>,
    failure_seen: Cell<bool>,
}

/// What only a pending one has. `channel` is set together with `event_loop`: the loop that first awaited it.
struct Waiting {
    channel: Option<Ref<Channel>>,
    callbacks: Vec<Callback>,
    process: u8, // `completion::process` when it was made
}

struct Callback {
    function: Ref,
    context: Ref,
}

type This<'a, 'py> = Instance<'a, 'py, Awaitable>;

static KIND: Kind<Awaitable> = Kind::new();

#[inline(always)]
fn make(py: Python<'_>, value: Option<Ref>, state: State, waiting: Option<Box<Waiting>>) -> Option<Ref> {
    let content = || Awaitable {
        value: Place::new(value),
        event_loop: Place::new(None),
        waiting: Cell::new(waiting),
        state: Cell::new(state),
        blocking: Cell::new(false),
        failure_seen: Cell::new(false),
    };
    KIND.instance(py, content)
}

/// A finished awaitable that holds `value`. None (MemoryError) is all that can go wrong.
#[inline(always)]
pub fn resolved(py: Python<'_>, value: Ref) -> Option<Ref> {
    make(py, Some(value), State::Ready, None)
}

/// An awaitable that `complete` will finish.
pub fn pending(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let waiting = Waiting { channel: None, callbacks: Vec::new(), process: completion::process() };
    let made = make(py, None, State::Pending, Some(Box::new(waiting)));
    let made = made.ok_or_else(|| PyErr::fetch(py))?.into_bound(py);
    if let Some(this) = KIND.cast(made.as_borrowed()) {
        this.track(true);
    }
    Ok(made)
}

/// Finish one that `pending` made with a value or an exception, and hand the callbacks to their loop. A cancelled one,
/// and any other object, ignores it.
pub fn complete(py: Python<'_>, awaitable: &Ref, result: PyResult<Ref>) {
    if let Some(this) = KIND.cast(awaitable.bind(py)) {
        finish(this, result);
    }
}

fn finish(this: This<'_, '_>, result: PyResult<Ref>) {
    if this.state.get() != State::Pending {
        return;
    }
    let (value, state) = match result {
        Ok(value) => (value, State::Ready),
        Err(error) => (Ref::of(error.value(this.py())), State::Failed),
    };
    let Some(waiting) = leave_pending(this, Some(value), state) else { return };
    let Waiting { channel: Some(channel), callbacks, .. } = *waiting else { return };
    let due =
        |callback: Callback| Due { function: callback.function, context: callback.context, awaitable: this.to_ref() };
    channel::hand_over(this.py(), &channel, callbacks.into_iter().map(due));
}

/// Take in what is finished, to see whether this pending one is. In a forked child one of the parent's never will be.
#[cold]
fn look(this: This<'_, '_>) {
    completion::drain(this.py());
    let process = this.with_waiting(|waiting| waiting.process);
    if process.is_some_and(|process| process != completion::process()) {
        let message = "the call was made before the fork: its result is the parent's";
        finish(this, Err(errors::named(this.py(), "ForkedError", message)));
    }
}

/// The one way out of PENDING (invariants 1 and 2).
fn leave_pending(this: This<'_, '_>, value: Option<Ref>, state: State) -> Option<Box<Waiting>> {
    this.track(false);
    this.state.set(state);
    drop(this.value.replace(value));
    let waiting = this.waiting.take()?;
    if let Some(channel) = &waiting.channel {
        channel::forget_sleeper(channel);
    }
    Some(waiting)
}

impl Awaitable {
    /// Look into what a pending one has. `look` runs no Python code, for meanwhile it is not in its place.
    fn with_waiting<T>(&self, look: impl FnOnce(&mut Waiting) -> T) -> Option<T> {
        let mut waiting = self.waiting.take()?;
        let result = look(&mut waiting);
        self.waiting.set(Some(waiting));
        Some(result)
    }
}

/// Of one that has no value.
#[cold]
#[inline(never)] // it would cost each hit a large frame
fn finalize_rare(this: This<'_, '_>) {
    if this.state.get() == State::Pending {
        drop(leave_pending(this, None, State::Cancelled));
    }
    report::unseen_failure(this);
}

impl Content for Awaitable {
    fn kind() -> &'static Kind<Self> {
        &KIND
    }

    #[inline(always)]
    fn finalize(this: This<'_, '_>) {
        if this.state.get() != State::Ready {
            finalize_rare(this);
        }
    }

    fn traverse(&self, visitor: &mut Visitor) {
        visitor.place(&self.value);
        visitor.place(&self.event_loop);
        self.with_waiting(|waiting| {
            waiting.channel.iter().for_each(|channel| visitor.reference(channel));
            for callback in &waiting.callbacks {
                visitor.reference(&callback.function);
                visitor.reference(&callback.context);
            }
        });
    }

    /// Cycles of awaitable and task.
    fn clear(&self) {
        drop(self.with_waiting(|waiting| std::mem::take(&mut waiting.callbacks)));
    }
}

// ---- loops ---------------------------------------------------------------------------------------------------------

/// The loop that runs in this thread.
pub fn running_loop(py: Python<'_>) -> Option<Bound<'_, PyAny>> {
    static GET: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    #[cfg(not(Py_3_12))]
    if let Some(kept) = reference::kept_running_loop(py) {
        return Some(kept).filter(|found| !found.is_none());
    }
    let get = GET.import(py, "asyncio.events", "_get_running_loop").ok()?;
    get.call0().ok().filter(|found| !found.is_none())
}

/// Bind a pending one to the running loop, unless it has one.
fn bind(this: This<'_, '_>) -> PyResult<()> {
    if !this.event_loop.as_ptr().is_null() {
        return Ok(());
    }
    let current = running_loop(this.py()).ok_or_else(|| PyRuntimeError::new_err("no running event loop"))?;
    let channel = channel::of_loop(&current)?;
    let bound = this.with_waiting(|waiting| {
        channel::add_sleeper(&channel);
        waiting.channel = Some(channel);
    });
    if bound.is_some() {
        drop(this.event_loop.replace(Some(current.into()))); // else it is finished meanwhile
    }
    Ok(())
}

/// As slots give it: None where an exception is set.
fn given(py: Python<'_>, result: PyResult<Ref>) -> Option<Ref> {
    result.map_err(|error| error.restore(py)).ok()
}
