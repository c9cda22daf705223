//! The counters of an engine, as `protocol.Engine.stats` names them.
use super::core::{Core, Mode, Phase};
use crate::engine;
use pyo3::prelude::*;
use pyo3::types::PyDict;

pub fn stats<'py>(py: Python<'py>, core: &Core) -> PyResult<Bound<'py, PyDict>> {
    let file = core.engine.as_ref().map(|file| file.stats()).unwrap_or_default();
    let numbers = [
        ("entries", core.cache.len() as u64),
        ("bytes", core.cache.bytes as u64),
        ("hits", core.hits),
        ("misses", core.misses),
        ("evictions", core.cache.evictions),
        ("unsaved", file.unsaved),
        ("unsaved_bytes", file.unsaved_bytes),
        ("commits", file.commits),
        ("syncs", file.syncs),
        ("writes", file.writes),
        ("checkpoints", file.checkpoints),
        ("foreign_changes", file.foreign_changes),
        ("flushes", file.flushes),
        ("cold_inline", file.cold_inline),
        ("cold_thread", file.cold_thread),
    ];
    let last_error = file.last_error.or_else(|| core.last_error.clone());
    let (phase, mode, options) = (state(core.phase), mode(core.mode), core.options);
    let nowait = file.nowait_off.map_or_else(|| "on".to_owned(), |reason| format!("off: {reason}"));
    let stats = PyDict::new(py);
    stats.set_item("state", phase)?; // no borrow of the core is used from here on
    stats.set_item("persist_mode", mode)?;
    stats.set_item("synchronous", options.synchronous)?;
    stats.set_item("exclusive", options.exclusive)?;
    stats.set_item("readonly", options.readonly)?;
    stats.set_item("sqlite_version", engine::sqlite_version())?;
    for (name, number) in numbers {
        stats.set_item(name, number)?;
    }
    let writes_per_commit = if file.commits == 0 { 0.0 } else { file.writes as f64 / file.commits as f64 };
    stats.set_item("writes_per_commit", writes_per_commit)?;
    stats.set_item("last_error", last_error)?;
    stats.set_item("nowait", nowait)?;
    Ok(stats)
}

fn state(phase: Phase) -> &'static str {
    match phase {
        Phase::Fresh | Phase::Open => "open",
        Phase::Stopped => "stopped",
        Phase::Closing | Phase::Closed | Phase::Forked => "closed",
    }
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Memory => "memory",
        Mode::Lazy => "lazy",
        Mode::Writethrough => "writethrough",
    }
}
