//! What an engine is to the boundary: its memory, its tables, its state. Owned by the GIL.
//!
//! Rule of the whole boundary: no Python code runs while a `&mut Core` is alive. So nothing that the collector tracks is
//! made meanwhile either, and displaced references wait in `cache.trash` for `sweep`.
use super::cache::Cache;
use super::entry::{Entry, Form, State};
use super::flights::Flights;
use super::gates::Gates;
use super::job::Job;
use super::key::{Key, OwnedKey};
use super::reference::Ref;
use super::sorted::Sorted;
use super::turn::Turn;
use super::value::{self, Kind};
use crate::engine::{self, Failure};
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    Memory,
    Lazy,
    Writethrough,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    Fresh,
    Open,
    Closing,
    Closed,
    Stopped,
    Forked,
}

pub struct Table {
    pub name: Arc<str>,
    /// None: it does not exist, as far as is known here.
    pub storage_mode: Option<Arc<str>>,
    /// Lazy: generation of the CLEAR that is not in the file yet: cold keys are missing. 0: none.
    pub mask: u64,
}

impl Table {
    pub fn kind(&self) -> Kind {
        self.storage_mode.as_deref().map_or(Kind::Other, Kind::of_mode)
    }

    pub fn is_text(&self) -> bool {
        self.storage_mode.as_deref() == Some("json")
    }
}

/// A write that was applied in memory and is acknowledged when a flush has made room.
pub struct WaitsForRoom {
    pub awaitable: Ref,
    pub result: Ref,
}

pub struct Core {
    pub id: u64,
    pub path: String,
    pub mode: Mode,
    pub phase: Phase,
    pub engine: Option<Arc<engine::Engine<Job>>>, // None: memory mode
    pub cache: Cache,
    pub flights: Flights,
    pub tables: Vec<Table>,
    pub gates: Gates,
    pub sorted: Option<Sorted>,
    pub options: Options,
    /// Of the last lazy write.
    pub generation: u64,
    pub unsaved: Unsaved,
    pub waits_for_room: Vec<WaitsForRoom>,
    pub flush_failure: Option<Failure>,
    pub last_error: Option<String>,
    pub hits: u64,
    pub misses: u64,
    /// Cold reads that go to the thread at once, since the last inline one would have blocked.
    pub inline_pause: u32,
    pub turn: Turn,
    /// Whether another process has dropped tables: each write asks from then on.
    pub misses_tables: bool,
    /// Whether a hit must ask for the epoch.
    pub checked: bool,
    /// Whether a hit may be served without a further question: open, and no call waits that touches a key.
    pub direct: bool,
}

/// Operations and bytes in the lazy queue.
#[derive(Default)]
pub struct Unsaved {
    pub operations: usize,
    pub bytes: usize,
}

impl Unsaved {
    /// `bytes` wraps where they became less.
    #[inline(always)]
    pub fn add(&mut self, operations: usize, bytes: usize) {
        self.operations += operations;
        self.bytes = self.bytes.wrapping_add(bytes);
    }

    pub fn remove(&mut self, operations: usize, bytes: usize) {
        self.operations -= operations;
        self.bytes -= bytes;
    }
}

#[derive(Clone, Copy)]
pub struct Options {
    pub evict: bool,
    pub exclusive: bool,
    pub readonly: bool,
    pub synchronous: &'static str,
    pub max_unsaved: usize,
    pub max_unsaved_bytes: usize,
}

impl Core {
    /// Call after every change of `phase` or `gates`.
    pub fn settle(&mut self) {
        self.direct = self.phase == Phase::Open && self.gates.is_empty();
    }

    /// Whether an entry holds what a fresh read would find.
    #[inline(always)]
    pub fn is_valid(&self, entry: &Entry) -> bool {
        !self.checked || entry.is_valid(self.epoch())
    }

    #[inline(always)]
    pub fn epoch(&self) -> u64 {
        match &self.engine {
            Some(engine) if self.checked => engine.epoch(),
            _ => 0,
        }
    }

    /// The epoch with which an entry is marked: no number moves where no other process can be there.
    pub fn stamp(&self, epoch: u64) -> u64 {
        if self.checked { epoch } else { 0 }
    }

    /// The entry of a key, if a hit on it is true.
    #[inline(always)]
    pub fn find(&self, table: u32, key: &Key<'_>) -> Option<&Entry> {
        self.cache.find(table, key).filter(|entry| self.is_valid(entry))
    }

    /// What memory knows of a key.
    pub fn known(&self, table: u32, key: &OwnedKey) -> Known {
        match self.find(table, &key.borrow()) {
            Some(entry) if entry.state() == State::UnsavedAbsent => Known::Missing,
            Some(entry) => {
                entry.visit();
                Known::There(self.found(entry, &key.borrow()))
            }
            None if self.is_all_in_memory(table) => Known::Missing,
            None => Known::Cold,
        }
    }

    /// What an entry keeps of the value of its key.
    pub fn found(&self, entry: &Entry, key: &Key<'_>) -> Found {
        let value = Some(entry.value().clone());
        if entry.form() != Form::Object {
            return Found { object: None, encoded: value };
        }
        let beside = entry.has_beside().then(|| self.cache.beside(entry.table, key).cloned()).flatten();
        Found { object: value, encoded: beside }
    }

    pub fn is_all_in_memory(&self, table: u32) -> bool {
        self.mode == Mode::Memory || self.tables[table as usize].mask != 0
    }

    /// The number of a table; ids are never used for another one.
    pub fn table(&mut self, name: &str) -> u32 {
        let known = self.tables.iter().position(|table| &*table.name == name);
        let index = known.unwrap_or_else(|| {
            self.tables.push(Table { name: name.into(), storage_mode: None, mask: 0 });
            self.tables.len() - 1
        });
        index as u32
    }

    pub fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }

    /// Why a call cannot be made in this phase: the error's class and message.
    pub fn refusal(&self) -> (&'static str, String) {
        match self.phase {
            Phase::Fresh => ("StateError", format!("{} is not open yet", self.path)),
            Phase::Open => ("StateError", format!("{} is open already", self.path)),
            Phase::Closing | Phase::Closed => ("ClosedError", format!("{} is closed", self.path)),
            Phase::Stopped => {
                ("StateError", format!("{} has stopped after a failed sync: aopen() reopens it", self.path))
            }
            Phase::Forked => {
                let message = "was opened before the fork: open a store of its own in the child";
                ("ForkedError", format!("{} {message}", self.path))
            }
        }
    }
}

pub enum Known {
    There(Found),
    Missing,
    /// Ask the file.
    Cold,
}

/// A value in memory: at least one of the two is there.
pub struct Found {
    pub object: Option<Ref>,
    pub encoded: Option<Ref>,
}

impl Found {
    /// The encoded bytes. Where memory holds only the object, `value` can encode it.
    pub fn encoded(&self, kind: Kind) -> Option<Ref> {
        if let Some(encoded) = &self.encoded {
            return Some(encoded.clone());
        }
        let object = self.object.as_ref()?;
        match kind {
            Kind::Bytes => Some(object.clone()),
            Kind::Pickle | Kind::Other => value::pickle(object),
        }
    }
}
