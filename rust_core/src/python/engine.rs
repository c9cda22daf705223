//! The Python class `Engine`: the nine methods of `protocol.Engine` over the memory and the file.
use super::cache::{Cache, Limits};
use super::call::{Call, Page, submit};
use super::completion;
use super::core::{Core, Mode, Options, Phase, Unsaved};
use super::flights::Flights;
use super::gates::Gates;
use super::gil_cell::GilCell;
use super::job::{Change, Commit, Finished, Job};
use super::key::OwnedKey;
use super::reference::Ref;
use super::turn::Turn;
use super::{channel, errors, parse, stats};
use crate::engine::{self, Lazy, Notice, Outcome, Settings, Sink, Synchronous};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFrozenSet, PyWeakrefMethods, PyWeakrefReference};
use pyo3::{PyTraverseError, PyVisit};
use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Engine of the backend "rust": see `protocol.Engine`.
#[pyclass(frozen, weakref, module = "asyncdictsqlite._rust")]
pub struct Engine {
    core: GilCell<Core>,
}

/// Entries of a memory that was emptied that a call which adds or removes keys releases, some 50 us.
const ENTRIES_AT_ONCE: usize = 500;

/// All live engines: what a notice from a thread is for.
static ENGINES: GilCell<RefCell<Engines>> = GilCell::new(RefCell::new(Engines { last_id: 0, all: Vec::new() }));

struct Engines {
    last_id: u64,
    all: Vec<(u64, Ref<PyWeakrefReference>)>,
}

pub fn by_id(py: Python<'_>, id: u64) -> Option<Bound<'_, Engine>> {
    let engines = ENGINES.get(py).borrow();
    let (_, engine) = engines.all.iter().find(|(other, _)| *other == id)?;
    engine.bind(py).upgrade_as_exact().ok()?
}

/// List a new engine, and forget those that died. Returns its id.
fn list(py: Python<'_>, make: impl FnOnce(u64) -> PyResult<Core>) -> PyResult<Bound<'_, Engine>> {
    let id = {
        let mut engines = ENGINES.get(py).borrow_mut();
        engines.last_id += 1;
        engines.last_id
    };
    let engine = Bound::new(py, Engine { core: GilCell::new(make(id)?) })?;
    let weak = PyWeakrefReference::new(&engine)?;
    let mut engines = ENGINES.get(py).borrow_mut();
    engines.all.retain(|(_, engine)| engine.bind(py).upgrade().is_some());
    engines.all.push((id, Ref::of_class(&weak)));
    Ok(engine)
}

/// Where the engine's threads put what they finish.
struct Deliveries {
    engine: u64,
}

impl Sink<Job> for Deliveries {
    fn deliver(&self, done: &mut Vec<(Job, Outcome)>) {
        completion::deliver(done.drain(..).map(|(job, outcome)| Finished::Job(job, outcome)));
    }

    fn wake(&self) {
        completion::wake();
    }

    fn notice(&self, notice: Notice) {
        completion::deliver([Finished::Notice(self.engine, notice)]);
        completion::wake();
    }
}

impl Engine {
    /// The state. No Python code may run while the borrow is alive.
    #[allow(clippy::mut_from_ref)]
    #[inline(always)]
    pub fn core<'a>(&'a self, py: Python<'a>) -> &'a mut Core {
        self.core.look(py)
    }

    /// Release what the cache displaced, now that nothing is borrowed; a memory that was emptied, a part at a time.
    #[inline(always)]
    pub fn sweep(&self, py: Python<'_>) {
        if !self.core(py).cache.trash.is_empty() {
            self.sweep_some(py);
        }
    }

    fn sweep_some(&self, py: Python<'_>) {
        let mut left = ENTRIES_AT_ONCE;
        while let Some(displaced) = self.core(py).cache.trash.pop(&mut left) {
            drop(displaced);
        }
    }

    /// The same, all of it.
    pub fn sweep_all(&self, py: Python<'_>) {
        drop(std::mem::take(&mut self.core(py).cache.trash));
    }
}

fn option<'py, T>(options: &Bound<'py, PyAny>, name: &str) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py, Error: Into<PyErr>>,
{
    options.getattr(name)?.extract().map_err(Into::into)
}

fn core(opening: &Bound<'_, PyAny>, id: u64) -> PyResult<Core> {
    let given = opening.getattr("options")?;
    let persist_mode: String = option(&given, "persist_mode")?;
    let mode = match persist_mode.as_str() {
        "memory" => Mode::Memory,
        "lazy" => Mode::Lazy,
        _ => Mode::Writethrough,
    };
    let path: String = option(opening, "path")?;
    let settings = settings(opening, &given, mode)?;
    let is_normal = settings.synchronous == Synchronous::Normal;
    let options = Options {
        evict: option(&given, "evict")?,
        exclusive: settings.exclusive,
        readonly: settings.readonly,
        synchronous: if is_normal { "normal" } else { "full" },
        max_unsaved: option(&given, "max_unsaved")?,
        max_unsaved_bytes: option(&given, "max_unsaved_bytes")?,
    };
    let limits = Limits { entries: option(&given, "capacity")?, bytes: option(&given, "capacity_bytes")? };
    let file = || Arc::new(engine::Engine::new(settings, Arc::new(Deliveries { engine: id })));
    Ok(Core {
        id,
        path,
        mode,
        phase: Phase::Fresh,
        engine: (mode != Mode::Memory).then(file),
        cache: Cache::new(limits),
        flights: Flights::default(),
        tables: Vec::new(),
        gates: Gates::default(),
        sorted: None,
        options,
        generation: 0,
        unsaved: Unsaved::default(),
        waits_for_room: Vec::new(),
        flush_failure: None,
        last_error: None,
        hits: 0,
        misses: 0,
        inline_pause: 0,
        misses_tables: false,
        turn: Turn::default(),
        checked: false,
        direct: false,
    })
}

fn settings(opening: &Bound<'_, PyAny>, given: &Bound<'_, PyAny>, mode: Mode) -> PyResult<Settings> {
    let seconds = |name| Ok::<_, PyErr>(Duration::from_secs_f64(option(given, name)?));
    let synchronous: String = option(given, "synchronous")?;
    let lazy = Lazy {
        flush_interval: seconds("flush_interval")?,
        max_unsaved: option(given, "max_unsaved")?,
        max_unsaved_bytes: option(given, "max_unsaved_bytes")?,
    };
    Ok(Settings {
        path: option::<PathBuf>(opening, "path")?,
        readonly: option(given, "readonly")?,
        exclusive: option(opening, "exclusive")?,
        synchronous: if synchronous == "normal" { Synchronous::Normal } else { Synchronous::Full },
        busy_timeout: seconds("busy_timeout")?,
        buffer_size: option(given, "buffer_size")?,
        lazy: (mode == Mode::Lazy).then_some(lazy),
        side_lock: option(opening, "side_lock")?,
    })
}

type Op<'py> = PyResult<Bound<'py, PyAny>>;

#[pymethods]
impl Engine {
    #[new]
    fn new<'py>(py: Python<'py>, opening: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Self>> {
        list(py, |id| core(opening, id))
    }

    /// What it can do: everything.
    #[classattr]
    fn capabilities(py: Python<'_>) -> PyResult<Bound<'_, PyFrozenSet>> {
        let all = py.import("asyncdictsqlite.protocol")?.getattr("Capability")?;
        PyFrozenSet::new(py, all.try_iter()?.collect::<PyResult<Vec<_>>>()?)
    }

    fn open<'py>(slf: &Bound<'py, Self>) -> Op<'py> {
        submit(slf, Call::Open)
    }

    fn read<'py>(slf: &Bound<'py, Self>, table: &str, keys: &Bound<'py, PyAny>) -> Op<'py> {
        let keys = keys.try_iter()?.map(|key| OwnedKey::check(&key?)).collect::<PyResult<Vec<_>>>()?;
        let table = slf.get().core(slf.py()).table(table);
        submit(slf, Call::Read { table, keys })
    }

    #[pyo3(signature = (changes, *, old = false))]
    fn commit<'py>(slf: &Bound<'py, Self>, changes: &Bound<'py, PyAny>, old: bool) -> Op<'py> {
        let changes =
            changes.try_iter()?.map(|change| parse::change(slf, &change?)).collect::<PyResult<Vec<Change>>>()?;
        submit(slf, Call::Commit(Commit { changes, wants_old: old, tells: true }))
    }

    #[pyo3(signature = (table, *, start, end, reverse, rows, size_bytes, values))]
    #[allow(clippy::too_many_arguments)] // the seam's own signature
    fn scan<'py>(
        slf: &Bound<'py, Self>,
        table: &str,
        start: &Bound<'py, PyAny>,
        end: Option<&Bound<'py, PyAny>>,
        reverse: bool,
        rows: usize,
        size_bytes: usize,
        values: bool,
    ) -> Op<'py> {
        let (start, end) = (OwnedKey::check(start)?, end.map(OwnedKey::check).transpose()?);
        let table = slf.get().core(slf.py()).table(table);
        submit(slf, Call::Page(Page { table, start, end, reverse, rows, size_bytes, values }))
    }

    fn count<'py>(slf: &Bound<'py, Self>, table: &str) -> Op<'py> {
        let table = slf.get().core(slf.py()).table(table);
        submit(slf, Call::Count { table })
    }

    fn flush<'py>(slf: &Bound<'py, Self>) -> Op<'py> {
        submit(slf, Call::Flush)
    }

    fn backup<'py>(slf: &Bound<'py, Self>, path: PathBuf) -> Op<'py> {
        submit(slf, Call::Backup { path })
    }

    fn close<'py>(slf: &Bound<'py, Self>) -> Op<'py> {
        submit(slf, Call::Close)
    }

    fn stats<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        completion::drain(slf.py());
        stats::stats(slf.py(), slf.get().core(slf.py()))
    }

    /// Set the switches for tests: delays, faults, the number of calls per commit.
    #[pyo3(signature = (*, seed = 0, reader_delay_s = 0.0, writer_delay_s = 0.0, reader_fault = None, writer_fault = None, commit_after = None))]
    fn inject(
        slf: &Bound<'_, Self>,
        seed: u64,
        reader_delay_s: f64,
        writer_delay_s: f64,
        reader_fault: Option<(u64, String)>,
        writer_fault: Option<(u64, String)>,
        commit_after: Option<usize>,
    ) -> PyResult<()> {
        let fault =
            |given: Option<(u64, String)>| given.map(|(n, kind)| Ok::<_, PyErr>((n, parse::fault(&kind)?))).transpose();
        let seconds =
            |given| Duration::try_from_secs_f64(given).map_err(|error| PyValueError::new_err(error.to_string()));
        let switches = engine::Switches {
            seed,
            reader_delay: seconds(reader_delay_s)?,
            writer_delay: seconds(writer_delay_s)?,
            reader_fault: fault(reader_fault)?,
            writer_fault: fault(writer_fault)?,
            commit_after,
        };
        let core = slf.get().core(slf.py());
        let is_for_reader = !switches.reader_delay.is_zero() || switches.reader_fault.is_some();
        core.inline_pause = if is_for_reader { u32::MAX } else { 0 };
        let file = core.engine.clone();
        file.ok_or_else(|| errors::named(slf.py(), "ConfigError", "persist_mode='memory' has no threads"))?
            .inject(switches);
        Ok(())
    }

    /// In a forked child: mark it dead; close nothing, free nothing, take no lock.
    fn abandon(&self, py: Python<'_>) {
        completion::after_fork(py);
        channel::after_fork(py);
        let core = self.core(py);
        core.phase = Phase::Forked;
        core.settle();
        if let Some(file) = &core.engine {
            file.abandon();
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let core = self.core.in_traverse(&visit);
        core.waits_for_room.iter().try_for_each(|waits| visit.call(waits.awaitable.as_py()))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let this = self.core.get_mut();
        if !matches!(this.phase, Phase::Fresh | Phase::Closed) {
            std::mem::forget(this.engine.take()); // never closed: its threads go on, and nothing here waits for them
        }
    }
}
