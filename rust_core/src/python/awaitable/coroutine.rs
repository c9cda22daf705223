//! The Coroutine face, and the two ways to look at it without a loop: `done` and `wait`.
use super::iterate::{raise_failure, step};
use super::{State, This, look};
use crate::python::arguments::Arguments;
use crate::python::completion;
use crate::python::heap_type::{Step, stop};
use crate::python::reference::{Object, Ref, raise};
use pyo3::exceptions::{PyBaseException, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PyType;

pub fn send(this: This<'_, '_>, _: Object<'_, '_>) -> Option<Ref> {
    match step(this) {
        Step::Yielded(itself) => Some(itself),
        Step::Returned(value) => {
            stop::raise(this.py(), value);
            None
        }
        Step::Raised => None,
    }
}

/// `throw(exception)` or the older `throw(type, value, traceback)`
pub fn throw(this: This<'_, '_>, arguments: Arguments<'_, '_>) -> Option<Ref> {
    let given = arguments.positional();
    let error = given.iter().take(2).find(|given| given.is_instance_of::<PyBaseException>());
    let exception = match (error, given) {
        (Some(error), [_] | [_, _] | [_, _, _]) => Ok((*error).to_owned().into_any()),
        (None, [class, value] | [class, value, _]) if class.is_instance_of::<PyType>() && !value.is_none() => {
            class.call1((*value,))
        }
        (None, [class] | [class, _] | [class, _, _]) if class.is_instance_of::<PyType>() => class.call0(),
        _ => Err(PyTypeError::new_err("throw(exception)")),
    };
    match exception {
        Ok(exception) if exception.is_instance_of::<PyBaseException>() => raise(&exception),
        Ok(_) => PyTypeError::new_err("exceptions must derive from BaseException").restore(this.py()),
        Err(error) => error.restore(this.py()),
    }
    None
}

pub fn close(_: This<'_, '_>) -> Option<Ref> {
    Some(Ref::none())
}

pub fn done(this: This<'_, '_>) -> Option<Ref> {
    if this.state.get() == State::Pending {
        look(this);
    }
    Some(Ref::of_bool(this.py(), this.state.get() != State::Pending))
}

/// Block this thread, not the interpreter, until it is finished.
pub fn wait(this: This<'_, '_>) -> Option<Ref> {
    loop {
        let seen = completion::wakes();
        if this.state.get() == State::Pending {
            look(this);
        }
        if this.state.get() != State::Pending {
            break;
        }
        if completion::is_due() {
            continue; // one entry takes in only so much
        }
        this.py().detach(|| completion::sleep(seen));
        if let Err(error) = this.py().check_signals() {
            error.restore(this.py());
            return None;
        }
    }
    if this.state.get() == State::Ready {
        return this.value.get();
    }
    raise_failure(this);
    None
}
