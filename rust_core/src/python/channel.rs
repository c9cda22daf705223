//! One wake-up per event loop: a descriptor that workers make readable, and the callbacks that are due in that loop.
//!
//! The loop owns its channel (as the callback of `add_reader`), so that a closed loop takes the descriptor with it.
use super::completion::{self, Wake};
use super::gil_cell::GilCell;
use super::reference::{Ref, in_context};
use pyo3::exceptions::{PyKeyboardInterrupt, PySystemExit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyWeakrefMethods, PyWeakrefReference};
use pyo3::{PyTraverseError, PyVisit};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

const MOST_CALLBACKS: usize = 1000;

/// A callback of a finished awaitable.
pub struct Due {
    pub function: Ref,
    pub context: Ref,
    pub awaitable: Ref,
}

#[pyclass(frozen, weakref, module = "asyncdictsqlite._rust")]
pub struct Channel {
    wake: Arc<Wake>,
    state: GilCell<RefCell<State>>,
}

struct State {
    event_loop: Option<Ref>,
    due: VecDeque<Due>,
    running: bool,
}

/// Address of the loop and its channel, which keeps the loop alive.
static CHANNELS: GilCell<RefCell<Vec<Known>>> = GilCell::new(RefCell::new(Vec::new()));

type Known = (usize, Ref<PyWeakrefReference>);

/// The channel of a loop, made at its first use.
pub fn of_loop(event_loop: &Bound<'_, PyAny>) -> PyResult<Ref<Channel>> {
    let (py, address) = (event_loop.py(), event_loop.as_ptr() as usize);
    let alive = |known: &Known| known.1.bind(py).upgrade_as_exact::<Channel>().ok().flatten();
    let known = CHANNELS.get(py).borrow().iter().filter(|known| known.0 == address).find_map(alive);
    if let Some(channel) = known {
        return Ok(Ref::of_class(&channel));
    }
    let wake = Arc::new(Wake::new()?);
    let state = State { event_loop: Some(Ref::of(event_loop)), due: VecDeque::new(), running: false };
    let channel = Bound::new(py, Channel { wake: Arc::clone(&wake), state: GilCell::new(RefCell::new(state)) })?;
    event_loop.call_method1("add_reader", (wake.descriptor(), &channel))?;
    completion::add_loop(wake);
    let weak = PyWeakrefReference::new(&channel)?;
    let mut channels = CHANNELS.get(py).borrow_mut();
    channels.retain(|known| alive(known).is_some());
    channels.push((address, Ref::of_class(&weak)));
    Ok(Ref::of_class(&channel))
}

/// Somebody in this loop is about to sleep: from now on workers wake it.
pub fn add_sleeper(channel: &Ref<Channel>) {
    let wake = &channel.get().wake;
    wake.add_sleeper();
    if completion::is_due() {
        wake.signal(); // it was delivered when nobody slept yet
    }
}

pub fn forget_sleeper(channel: &Ref<Channel>) {
    channel.get().wake.forget_sleeper();
}

/// Queue callbacks for the loop of `channel`; from any thread, and from inside a task.
pub fn hand_over(py: Python<'_>, channel: &Ref<Channel>, due: impl Iterator<Item = Due>) {
    let channel = channel.get();
    let mut state = channel.state.get(py).borrow_mut();
    state.due.extend(due);
    if !state.running && !state.due.is_empty() {
        channel.wake.signal();
    }
}

/// In a forked child: the descriptors are shared with the parent's loops, so no loop may go on using them.
pub fn after_fork(py: Python<'_>) {
    CHANNELS.get(py).borrow_mut().clear(); // the channels themselves stay with their loops
}

#[pymethods]
impl Channel {
    /// The reader callback of the loop.
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        self.set_running(py, true);
        self.wake.clear();
        completion::drain(py);
        let result = self.run(py);
        self.set_running(py, false);
        if completion::is_due() {
            self.wake.signal(); // one entry takes in only so much
        }
        result
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Ok(state) = self.state.in_traverse(&visit).try_borrow() else { return Ok(()) };
        state.event_loop.iter().try_for_each(|event_loop| visit.call(event_loop.as_py()))?;
        state.due.iter().try_for_each(|due| due.visit(&visit))
    }

    fn __clear__(&self, py: Python<'_>) {
        let content = {
            let mut state = self.state.get(py).borrow_mut();
            (state.event_loop.take(), std::mem::take(&mut state.due))
        };
        drop(content); // with nothing borrowed
    }
}

impl Channel {
    fn run(&self, py: Python<'_>) -> PyResult<()> {
        for _ in 0..MOST_CALLBACKS {
            let (due, event_loop) = {
                let mut state = self.state.get(py).borrow_mut();
                (state.due.pop_front(), state.event_loop.clone())
            };
            let (Some(due), Some(event_loop)) = (due, event_loop) else { break };
            due.run(&event_loop.bind(py))?;
        }
        Ok(())
    }

    fn set_running(&self, py: Python<'_>, running: bool) {
        let left = {
            let mut state = self.state.get(py).borrow_mut();
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
    }
}

impl Due {
    fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        [&self.function, &self.context, &self.awaitable].into_iter().try_for_each(|held| visit.call(held.as_py()))
    }

    /// Run it as a loop would: in its context, an exception to the loop's handler, an interrupt to the loop itself.
    fn run(&self, event_loop: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = event_loop.py();
        let call = || self.function.bind(py).call1((self.awaitable.bind(py),));
        let Some(result) = in_context(py, &self.context, call) else {
            return self.call_soon(event_loop); // it is entered already: the loop runs it later
        };
        match result {
            Err(error) if is_interrupt(py, &error) => Err(error),
            Err(error) => self.report(event_loop, &error),
            Ok(_) => Ok(()),
        }
    }

    pub fn call_soon(&self, event_loop: &Bound<'_, PyAny>) -> PyResult<()> {
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
    event_loop: GilCell<Ref>,
    due: GilCell<RefCell<Vec<Due>>>,
}

static NEXT_TURN: GilCell<RefCell<Option<Ref<Turn>>>> = GilCell::new(RefCell::new(None));

/// Run the callback soon, together with the others of this turn.
pub fn call_soon_together(event_loop: &Bound<'_, PyAny>, due: Due) -> PyResult<()> {
    let py = event_loop.py();
    if let Some(turn) = &*NEXT_TURN.get(py).borrow()
        && turn.get().event_loop.get(py).as_ptr() == event_loop.as_ptr()
    {
        turn.get().due.get(py).borrow_mut().push(due);
        return Ok(());
    }
    let turn = Turn { event_loop: GilCell::new(Ref::of(event_loop)), due: GilCell::new(RefCell::new(vec![due])) };
    let turn = Bound::new(py, turn)?;
    event_loop.call_method1("call_soon", (&turn,))?;
    let old = NEXT_TURN.get(py).replace(Some(Ref::of_class(&turn)));
    drop(old);
    Ok(())
}

#[pymethods]
impl Turn {
    fn __call__(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (this, py) = (slf.get(), slf.py());
        let next = NEXT_TURN.get(py).borrow_mut().take_if(|next| next.as_ptr() == slf.as_ptr());
        drop(next); // with nothing borrowed
        let due = this.due.get(py).take();
        due.iter().try_for_each(|due| due.run(&this.event_loop.get(py).bind(py)))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(self.event_loop.in_traverse(&visit).as_py())?;
        let Ok(due) = self.due.in_traverse(&visit).try_borrow() else { return Ok(()) };
        due.iter().try_for_each(|due| due.visit(&visit))
    }

    fn __clear__(&self, py: Python<'_>) {
        drop(self.due.get(py).take());
    }
}
