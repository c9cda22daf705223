//! A failure that nobody awaited is reported as asyncio reports it for its own futures.
use super::{Awaitable, FAILED};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::ptr;

const MESSAGE: &str = "asyncdictsqlite: exception was never retrieved";

pub unsafe fn unseen_failure(this: *mut Awaitable) {
    if (*this).state != FAILED || (*this).failure_seen {
        return;
    }
    let raised = RaisedException::save();
    let py = Python::assume_attached();
    let event_loop = Borrowed::from_ptr_or_opt(py, (*this).event_loop);
    let exception = Borrowed::from_ptr(py, (*this).value);
    if let Err(error) = report(event_loop.as_deref(), &exception) {
        error.restore(py);
        ffi::PyErr_Clear(); // the interpreter is going down: nobody is left to tell
    }
    raised.restore();
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

/// The exception in flight while a destructor runs.
struct RaisedException([*mut ffi::PyObject; 3]);

impl RaisedException {
    #[allow(deprecated)]
    unsafe fn save() -> Self {
        let mut saved = [ptr::null_mut(); 3];
        let [kind, value, traceback] = &mut saved;
        ffi::PyErr_Fetch(kind, value, traceback);
        Self(saved)
    }

    #[allow(deprecated)]
    unsafe fn restore(self) {
        let [kind, value, traceback] = self.0;
        ffi::PyErr_Restore(kind, value, traceback);
    }
}
