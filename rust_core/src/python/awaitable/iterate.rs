//! The iterator face: what `await` itself uses.
use super::{State, This, bind, look};
use crate::python::heap_type::Step;
use crate::python::reference::{Ref, raise};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

#[inline(always)]
pub fn step(this: This<'_, '_>) -> Step {
    if this.state.get() == State::Ready
        && let Some(value) = this.value.get()
    {
        return Step::Returned(value);
    }
    step_of_unfinished(this)
}

/// One step of one that was not READY.
#[cold]
#[inline(never)]
fn step_of_unfinished(this: This<'_, '_>) -> Step {
    if this.state.get() == State::Pending {
        look(this);
    }
    match this.state.get() {
        State::Pending => {
            if let Err(error) = bind(this) {
                error.restore(this.py());
                return Step::Raised;
            }
            this.blocking.set(true);
            Step::Yielded(this.to_ref())
        }
        State::Ready => Step::Returned(this.value.get().unwrap_or_else(Ref::none)),
        State::Failed | State::Cancelled => {
            raise_failure(this);
            Step::Raised
        }
    }
}

#[cold]
pub fn raise_failure(this: This<'_, '_>) {
    let py = this.py();
    if this.state.get() == State::Failed
        && let Some(error) = this.value.get()
    {
        this.failure_seen.set(true);
        let error = error.into_bound(py);
        let _ = error.setattr("__traceback__", py.None()); // else it grows with every await
        return raise(&error);
    }
    match cancelled_error(this) {
        Ok(error) => raise(&error),
        Err(error) => error.restore(py),
    }
}

pub fn cancelled_error<'py>(this: This<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let class = CLASS.import(this.py(), "asyncio.exceptions", "CancelledError")?;
    match this.value.get() {
        Some(message) if this.state.get() == State::Cancelled => class.call1((message.bind(this.py()),)),
        _ => class.call0(),
    }
}
