//! One read transaction for the cold reads of one turn of an event loop: it ends before the loop can sleep.
use super::awaitable;
use super::engine::Engine;
use pyo3::intern;
use pyo3::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};

/// Reads that are made alone after a turn that had but one: there the call of `call_soon` costs more than it saves.
const ALONE: u32 = 16;

#[derive(Default)]
pub struct Turn {
    /// Reads of the present turn so far; 0: none has begun.
    reads: u32,
    alone: u32,
}

/// Whether a cold read shall share its read transaction with those that come later in this turn. May run Python code.
pub fn shares(engine: &Bound<'_, Engine>) -> bool {
    let py = engine.py();
    let turn = &mut engine.get().core(py).turn;
    if turn.reads == 0 {
        if turn.alone > 0 {
            turn.alone -= 1;
            return false;
        }
        if !end_soon(engine) {
            engine.get().core(py).turn.alone = ALONE; // no loop runs here
            return false;
        }
    }
    engine.get().core(py).turn.reads += 1;
    true
}

fn end_soon(engine: &Bound<'_, Engine>) -> bool {
    let py = engine.py();
    let Some(event_loop) = awaitable::running_loop(py) else { return false };
    let end = Bound::new(py, EndOfTurn { engine: engine.clone().unbind(), ran: AtomicBool::new(false) });
    end.and_then(|end| event_loop.call_method1(intern!(py, "call_soon"), (end,))).is_ok()
}

/// The callback; ends the turn also where the loop is closed before it could run it.
#[pyclass(frozen, module = "asyncdictsqlite._rust")]
struct EndOfTurn {
    engine: Py<Engine>,
    ran: AtomicBool,
}

#[pymethods]
impl EndOfTurn {
    fn __call__(&self, py: Python<'_>) {
        if self.ran.swap(true, Ordering::Relaxed) {
            return;
        }
        let core = self.engine.get().core(py);
        let reads = std::mem::take(&mut core.turn.reads);
        if reads == 1 {
            core.turn.alone = ALONE;
        }
        let ended = reads == 0 || core.engine.as_ref().is_none_or(|file| file.end_reads());
        if !ended && end_soon(self.engine.bind(py)) {
            self.engine.get().core(py).turn.reads = reads;
        }
    }
}

impl Drop for EndOfTurn {
    fn drop(&mut self) {
        Python::try_attach(|py| self.__call__(py)); // in vain where the interpreter ends, and nobody reads any more
    }
}
