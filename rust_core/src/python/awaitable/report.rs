//! A failure that nobody awaited is reported as asyncio reports it for its own futures.
use super::{State, This};
use pyo3::prelude::*;
use pyo3::types::PyDict;

const MESSAGE: &str = "asyncdictsqlite: exception was never retrieved";

pub fn unseen_failure(this: This<'_, '_>) {
    if this.state.get() != State::Failed || this.failure_seen.get() {
        return;
    }
    let py = this.py();
    let raised = PyErr::take(py); // the exception in flight while a destructor runs
    if let Some(exception) = this.value.get() {
        let event_loop = this.event_loop.get();
        let event_loop = event_loop.as_ref().map(|event_loop| event_loop.bind(py));
        let _ = report(event_loop.as_deref(), &exception.bind(py)); // the interpreter goes down: nobody is left to tell
    }
    if let Some(raised) = raised {
        raised.restore(py);
    }
}

fn report(event_loop: Option<&Bound<'_, PyAny>>, exception: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = exception.py();
    if let Some(event_loop) = event_loop
        && !event_loop.call_method0("is_closed")?.is_truthy()?
    {
        let context = PyDict::new(py);
        context.set_item("message", MESSAGE)?;
        context.set_item("exception", exception)?;
        return event_loop.call_method1("call_exception_handler", (context,)).map(drop);
    }
    let named = PyDict::new(py);
    named.set_item("exc_info", exception)?;
    let logger = py.import("logging")?.call_method1("getLogger", ("asyncio",))?;
    logger.call_method("error", (MESSAGE,), Some(&named)).map(drop)
}
