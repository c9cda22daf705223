//! One wake-up per event loop: a descriptor that workers make readable, and the callbacks that are due in that loop.
//!
//! The loop owns its channel (as the callback of `add_reader`), so that a closed loop takes the descriptor with it.
#![allow(unsafe_code)]

use super::completion::{self, Wake};
use super::gil_cell::GilCell;
use super::reference::Ref;
use pyo3::exceptions::{PyKeyboardInterrupt, PySystemExit};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3::{PyTraverseError, PyVisit};
use std::collections::VecDeque;
use std::sync::Arc;

const MOST_CALLBACKS: usize = 1000;

/// A callback of a finished awaitable.
pub struct Due {
    pub function: Ref,
    pub context: Ref,
    pub awaitable: Ref,
}

#[pyclass(frozen, module = "asyncdictsqlite._rust")]
pub struct Channel {
    wake: Arc<Wake>,
    state: GilCell<State>,
}

struct State {
    event_loop: Option<Ref>,
    due: VecDeque<Due>,
    running: bool,
}

/// Address of the loop and of its (live) channel.
static CHANNELS: GilCell<Vec<(usize, *const Channel, *mut ffi::PyObject)>> = GilCell::new(Vec::new());

/// The channel of a loop, made at its first use.
pub fn of_loop(event_loop: &Bound<'_, PyAny>) -> PyResult<Ref> {
    // SAFETY: GIL held; an entry is removed when its channel dies (`Drop`).
    unsafe {
        let known = (*CHANNELS.get()).iter().find(|(address, ..)| *address == event_loop.as_ptr() as usize);
        if let Some(channel) = known.and_then(|(.., object)| Ref::new(*object)) {
            return Ok(channel);
        }
    }
    let py = event_loop.py();
    let wake = Arc::new(Wake::new()?);
    let state = State { event_loop: Some(Ref::of(event_loop)), due: VecDeque::new(), running: false };
    let channel = Bound::new(py, Channel { wake: Arc::clone(&wake), state: GilCell::new(state) })?;
    event_loop.call_method1("add_reader", (wake.descriptor(), &channel))?;
    completion::add_loop(wake);
    let entry = (event_loop.as_ptr() as usize, std::ptr::from_ref(channel.get()), channel.as_ptr());
    // SAFETY: GIL held.
    unsafe { (*CHANNELS.get()).push(entry) };
    Ok(channel.into())
}

fn channel_of(channel: &Ref) -> &Channel {
    // SAFETY: GIL held by all callers of this module; `Ref`s of channels are made by `of_loop` alone.
    unsafe { channel.get_unchecked() }
}

/// Somebody in this loop is about to sleep: from now on workers wake it.
pub fn add_sleeper(channel: &Ref) {
    let wake = &channel_of(channel).wake;
    wake.add_sleeper();
    if completion::is_due() {
        wake.signal(); // it was delivered when nobody slept yet
    }
}

pub fn forget_sleeper(channel: &Ref) {
    channel_of(channel).wake.forget_sleeper();
}

/// Queue callbacks for the loop of `channel`; from any thread, and from inside a task.
pub fn hand_over(channel: &Ref, due: impl Iterator<Item = Due>) {
    let channel = channel_of(channel);
    // SAFETY: GIL held; the iterator moves references and runs no Python code.
    let signal = unsafe {
        let state = &mut *channel.state.get();
        state.due.extend(due);
        !state.running && !state.due.is_empty()
    };
    if signal {
        channel.wake.signal();
    }
}

/// In a forked child: the descriptors are shared with the parent's loops, so no loop may go on using them.
pub fn after_fork() {
    // SAFETY: GIL held; the channels themselves stay with their loops.
    unsafe { (*CHANNELS.get()).clear() };
}

#[pymethods]
impl Channel {
    /// The reader callback of the loop.
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        self.set_running(true);
        self.wake.clear();
        completion::drain(py);
        let result = self.run(py);
        self.set_running(false);
        if completion::is_due() {
            self.wake.signal(); // one entry takes in only so much
        }
        result
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // SAFETY: the collector holds the GIL and changes nothing.
        let state = unsafe { &*self.state.get() };
        state.event_loop.iter().try_for_each(|event_loop| visit.call(event_loop.as_py()))?;
        state.due.iter().try_for_each(|due| due.visit(&visit))
    }

    fn __clear__(&self) {
        // SAFETY: GIL held; the fields are emptied before their content is released.
        let content = unsafe {
            let state = &mut *self.state.get();
            (state.event_loop.take(), std::mem::take(&mut state.due))
        };
        drop(content);
    }
}

impl Channel {
    fn run(&self, py: Python<'_>) -> PyResult<()> {
        for _ in 0..MOST_CALLBACKS {
            // SAFETY: GIL held; the borrow ends before the callback runs.
            let (due, event_loop) = unsafe {
                let state = &mut *self.state.get();
                (state.due.pop_front(), state.event_loop.clone())
            };
            let (Some(due), Some(event_loop)) = (due, event_loop) else { break };
            due.run(&event_loop.bind(py))?;
        }
        Ok(())
    }

    fn set_running(&self, running: bool) {
        // SAFETY: GIL held.
        let left = unsafe {
            let state = &mut *self.state.get();
            state.running = running;
            !state.due.is_empty()
        };
        if !running && left {
            self.wake.signal();
        }
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        completion::forget_loop(&self.wake);
        let this: *const Self = self;
        // SAFETY: a pyclass is dropped by tp_dealloc, with the GIL.
        unsafe { (*CHANNELS.get()).retain(|(_, channel, _)| *channel != this) };
    }
}

impl Due {
    fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        [&self.function, &self.context, &self.awaitable].into_iter().try_for_each(|held| visit.call(held.as_py()))
    }

    /// Run it as a loop would: in its context, an exception to the loop's handler, an interrupt to the loop itself.
    fn run(&self, event_loop: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = event_loop.py();
        // SAFETY: GIL held; `context` is a Context (or it says so by an exception).
        if unsafe { ffi::PyContext_Enter(self.context.as_ptr()) } < 0 {
            drop(PyErr::take(py)); // it is entered already: the loop runs it later
            return self.call_soon(event_loop);
        }
        let result = self.function.bind(py).call1((self.awaitable.bind(py),));
        // SAFETY: entered above.
        unsafe { ffi::PyContext_Exit(self.context.as_ptr()) };
        match result {
            Err(error) if is_interrupt(py, &error) => Err(error),
            Err(error) => self.report(event_loop, &error),
            Ok(_) => Ok(()),
        }
    }

    fn call_soon(&self, event_loop: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = event_loop.py();
        let named = PyDict::new(py);
        named.set_item("context", self.context.bind(py))?;
        let arguments = (self.function.bind(py), self.awaitable.bind(py));
        event_loop.call_method("call_soon", arguments, Some(&named)).map(drop)
    }

    fn report(&self, event_loop: &Bound<'_, PyAny>, error: &PyErr) -> PyResult<()> {
        let py = event_loop.py();
        let context = PyDict::new(py);
        context.set_item("message", format!("Exception in callback {}", self.function.bind(py).repr()?))?;
        context.set_item("exception", error.value(py))?;
        event_loop.call_method1("call_exception_handler", (context,)).map(drop)
    }
}

fn is_interrupt(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<PyKeyboardInterrupt>(py) || error.is_instance_of::<PySystemExit>(py)
}

// ---- callbacks that were added to finished awaitables --------------------------------------------------------------

/// All callbacks due in one turn of a loop: one `call_soon` for the hundred that gather adds before Python 3.12.
#[pyclass(frozen, module = "asyncdictsqlite._rust")]
struct Turn {
    event_loop: Ref,
    due: GilCell<Vec<Due>>,
}

static NEXT_TURN: GilCell<Option<Ref>> = GilCell::new(None);

/// Run the callback soon, together with the others of this turn.
pub fn call_soon_together(event_loop: &Bound<'_, PyAny>, due: Due) -> PyResult<()> {
    let py = event_loop.py();
    // SAFETY: GIL held; NEXT_TURN only ever holds a Turn.
    let next = unsafe { (*NEXT_TURN.get()).clone() }.map(|turn| unsafe { turn.into_bound(py).cast_into_unchecked() });
    let turn: Bound<'_, Turn> = match next {
        Some(turn) if Bound::as_ptr(event_loop) == Turn::get_loop(&turn) => turn,
        _ => Turn::begin(event_loop)?,
    };
    // SAFETY: GIL held.
    unsafe { (*turn.get().due.get()).push(due) };
    Ok(())
}

impl Turn {
    fn get_loop(this: &Bound<'_, Self>) -> *mut ffi::PyObject {
        this.get().event_loop.as_ptr()
    }

    fn begin<'py>(event_loop: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Self>> {
        let turn = Self { event_loop: Ref::of(event_loop), due: GilCell::new(Vec::new()) };
        let turn = Bound::new(event_loop.py(), turn)?;
        event_loop.call_method1("call_soon", (&turn,))?;
        // SAFETY: GIL held; the old one is released when the cell is whole again.
        let old = unsafe { (*NEXT_TURN.get()).replace(Ref::of(&turn)) };
        drop(old);
        Ok(turn)
    }
}

#[pymethods]
impl Turn {
    fn __call__(slf: &Bound<'_, Self>) -> PyResult<()> {
        let this = slf.get();
        // SAFETY: GIL held; what is taken out is released when the cells are whole again.
        let (next, due) = unsafe {
            let next = (*NEXT_TURN.get()).take_if(|next| next.as_ptr() == slf.as_ptr());
            (next, std::mem::take(&mut *this.due.get()))
        };
        drop(next);
        due.iter().try_for_each(|due| due.run(&this.event_loop.bind(slf.py())))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(self.event_loop.as_py())?;
        // SAFETY: the collector holds the GIL and changes nothing.
        unsafe { &*self.due.get() }.iter().try_for_each(|due| due.visit(&visit))
    }

    fn __clear__(&self) {
        // SAFETY: GIL held.
        drop(unsafe { std::mem::take(&mut *self.due.get()) });
    }
}
