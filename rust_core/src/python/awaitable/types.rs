//! The heap type, made once by the module's init.
use super::{Awaitable, coroutine, future, iterate};
use crate::python::heap_type::{Spec, stop};
use pyo3::prelude::*;

pub fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    stop::init(py)?;
    let class = Spec::<Awaitable>::new()
        .steps(iterate::step)
        .one_argument(c"send", coroutine::send)
        .arguments(c"throw", coroutine::throw)
        .no_arguments(c"close", coroutine::close)
        .no_arguments(c"done", coroutine::done)
        .no_arguments(c"wait", coroutine::wait)
        .no_arguments(c"cancelled", future::cancelled)
        .no_arguments(c"result", future::result)
        .no_arguments(c"exception", future::exception)
        .no_arguments(c"get_loop", future::get_loop)
        .no_arguments(c"_make_cancelled_error", future::make_cancelled_error)
        .arguments(c"add_done_callback", future::add_done_callback)
        .one_argument(c"remove_done_callback", future::remove_done_callback)
        .arguments(c"cancel", future::cancel)
        .generic()
        .attribute(c"_asyncio_future_blocking", future::get_blocking)
        .setter(future::set_blocking)
        .attribute(c"_cancel_message", future::get_cancel_message)
        .attribute(c"_loop", future::get_loop)
        .make(py, c"asyncdictsqlite._rust.Awaitable")?;
    module.add("Awaitable", class)
}
