//! What travels through the engine's threads, and its way home.
//!
//! The threads read bytes of Python objects without the GIL: sound, because a `bytes` and the UTF-8 inside a `str` never
//! change or move while the object lives, and a job lets go of its objects only at home, with the GIL. A job that gets
//! lost in a dying thread leaks on purpose.
use super::engine::Engine;
use super::flights::Ticket;
use super::gil_cell::Cargo;
use super::key::OwnedKey;
use super::reference::Ref;
use super::{awaitable, home};
use crate::engine::{self, Kind, Notice, Outcome, Packed};
use pyo3::prelude::*;
use pyo3::types::PyList;
use std::sync::Arc;

pub struct Job(Cargo<Content>);

pub struct Content {
    pub engine: Ref<Engine>,
    pub awaitable: Ref,
    pub work: Work,
}

pub enum Work {
    Open,
    Read(Read),
    Commit(Commit),
    /// Lazy: on its way to the file; its caller was told already.
    Queue(Vec<Change>),
    /// The same, of plain puts, which calls append one by one.
    Puts(Puts),
    Scan,
    Count,
    /// flush, backup
    Other,
    Close,
}

/// Lazy puts into one table, of consecutive generations.
pub struct Puts {
    pub table: u32,
    pub table_name: Arc<str>,
    pub is_text: bool,
    pub items: Vec<Put>,
    /// How many puts these stand for: one that got another value counts again.
    pub operations: usize,
    /// Of keys and values.
    pub bytes: usize,
}

pub struct Put {
    pub key: OwnedKey,
    /// Encoded: a bytes object.
    pub value: Ref,
    pub generation: u64,
    /// Where the cache had it then.
    pub slot: u32,
}

/// Puts that share one job.
const MOST_PUTS: usize = 512;

pub struct Read {
    pub table: u32,
    pub table_name: Arc<str>,
    pub keys: Vec<OwnedKey>,
    /// Of many keys: their bytes again, so that threads leave the objects alone.
    pub packed: Option<Arc<Packed>>,
    pub ticket: Ticket,
    pub asker: Asker,
}

/// Whom a cold read is for.
pub enum Asker {
    Get {
        codec: Ref,
        default: Ref,
    },
    /// The list of results and the indexes of what was cold.
    Many {
        list: Ref<PyList>,
        holes: Vec<usize>,
    },
    /// A lazy call that must know before it can decide.
    Parked {
        call: u64,
    },
}

pub struct Commit {
    pub changes: Vec<Change>,
    pub wants_old: bool,
    /// Whether the result is the list of `Was` (else None).
    pub tells: bool,
}

pub struct Change {
    pub kind: Kind,
    pub table: u32,
    pub table_name: Arc<str>,
    pub is_text: bool,
    pub key: Option<OwnedKey>,
    /// Encoded: a bytes object.
    pub value: Option<Ref>,
    /// The value itself, where memory may keep it.
    pub object: Option<Ref>,
    pub expected: Option<Ref>,
    pub generation: u64,
}

impl Change {
    pub fn size_bytes(&self) -> usize {
        self.key.as_ref().map_or(0, |key| key.bytes().len()) + bytes(self.value.as_ref()).len()
    }
}

impl Put {
    pub fn size_bytes(&self) -> usize {
        self.key.bytes().len() + bytes(Some(&self.value)).len()
    }
}

impl Puts {
    pub fn push(&mut self, put: Put) {
        self.bytes += put.size_bytes();
        self.operations += 1;
        self.items.push(put);
    }

    /// Give the put of this generation, if it is here, another value; `value` gets the one it had. Returns by how many
    /// bytes it grew.
    fn replace(&mut self, generation: u64, value: &mut Ref) -> Option<usize> {
        let index = generation.checked_sub(self.items.first()?.generation)?;
        let put = self.items.get_mut(index as usize).filter(|put| put.generation == generation)?;
        let more_bytes = value.bytes().len().wrapping_sub(put.value.bytes().len());
        std::mem::swap(&mut put.value, value);
        self.bytes = self.bytes.wrapping_add(more_bytes);
        self.operations += 1;
        Some(more_bytes)
    }

    fn change(&self, index: usize) -> engine::Change<'_> {
        let put = &self.items[index];
        engine::Change {
            kind: Kind::Put,
            table: &self.table_name,
            key: put.key.bytes(),
            value: bytes(Some(&put.value)),
            expected: &[],
            text: self.is_text,
        }
    }
}

/// The content of a bytes object; empty where there is none.
pub fn bytes(object: Option<&Ref>) -> &[u8] {
    object.map_or(&[], Ref::bytes)
}

impl Job {
    pub fn new(engine: &Bound<'_, Engine>, awaitable: Ref, work: Work) -> Self {
        Self(Cargo::new(Content { engine: Ref::of_class(engine), awaitable, work }))
    }

    fn changes(&self) -> &[Change] {
        match &self.0.peek().work {
            Work::Commit(commit) => &commit.changes,
            Work::Queue(changes) => changes,
            _ => &[],
        }
    }

    /// The puts of this job, if they are of that table and there is room for one more.
    pub fn puts_with_room(&mut self, of_table: u32) -> Option<&mut Puts> {
        match &mut self.0.peek_mut().work {
            Work::Puts(puts) if puts.table == of_table && puts.items.len() < MOST_PUTS => Some(puts),
            _ => None,
        }
    }

    /// Lazy: give the put of this generation, if it is here, another value, as `Puts::replace`.
    pub fn replace(&mut self, generation: u64, value: &mut Ref) -> Option<usize> {
        match &mut self.0.peek_mut().work {
            Work::Puts(puts) => puts.replace(generation, value),
            _ => None,
        }
    }

    /// Lazy: whether its first change is of this generation or an earlier one.
    pub fn begins_by(&self, generation: u64) -> bool {
        let first = match &self.0.peek().work {
            Work::Puts(puts) => puts.items.first().map(|put| put.generation),
            _ => self.changes().first().map(|change| change.generation),
        };
        first.is_some_and(|first| first <= generation)
    }

    /// Open it, with the GIL held.
    pub fn open(self, py: Python<'_>) -> Content {
        self.0.open(py)
    }
}

impl engine::Job for Job {
    fn len(&self) -> usize {
        match &self.0.peek().work {
            Work::Read(read) => read.keys.len(),
            Work::Puts(puts) => puts.items.len(),
            _ => self.changes().len(),
        }
    }

    fn table(&self) -> &str {
        match &self.0.peek().work {
            Work::Read(read) => &read.table_name,
            _ => "",
        }
    }

    fn key(&self, index: usize) -> &[u8] {
        match &self.0.peek().work {
            Work::Read(read) => read.keys[index].bytes(),
            _ => &[],
        }
    }

    fn keys(&self) -> Arc<Packed> {
        match &self.0.peek().work {
            Work::Read(Read { packed: Some(packed), .. }) => Arc::clone(packed),
            _ => Arc::new((0..self.len()).map(|index| self.key(index)).collect()),
        }
    }

    fn change(&self, index: usize) -> engine::Change<'_> {
        if let Work::Puts(puts) = &self.0.peek().work {
            return puts.change(index);
        }
        let change = &self.changes()[index];
        engine::Change {
            kind: change.kind,
            table: &change.table_name,
            key: change.key.as_ref().map_or(&[], OwnedKey::bytes),
            value: bytes(change.value.as_ref()),
            expected: bytes(change.expected.as_ref()),
            text: change.is_text,
        }
    }

    fn size(&self) -> (usize, usize) {
        match &self.0.peek().work {
            Work::Puts(puts) => (puts.operations, puts.bytes),
            _ => (self.changes().len(), self.changes().iter().map(Change::size_bytes).sum()),
        }
    }

    fn wants_old(&self) -> bool {
        matches!(&self.0.peek().work, Work::Commit(commit) if commit.wants_old)
    }
}

/// What workers deliver.
pub enum Finished {
    Job(Job, Outcome),
    /// To the engine of that id.
    Notice(u64, Notice),
}

impl Finished {
    /// Whether nobody waits for it: a change that was acknowledged long ago became durable.
    pub fn settles(&self) -> bool {
        matches!(self, Self::Job(job, Ok(_)) if matches!(job.0.peek().work, Work::Queue(_) | Work::Puts(_)))
    }

    /// Whether it may come home before what settles: a read; all else may be asked for what is unsaved next.
    pub fn may_overtake(&self) -> bool {
        matches!(self, Self::Job(job, _) if matches!(job.0.peek().work, Work::Read(_)))
    }

    pub fn come_home(self, py: Python<'_>) {
        match self {
            Self::Job(job, outcome) => home::take_in(py, job.open(py), outcome),
            Self::Notice(engine, notice) => home::notice(py, engine, notice),
        }
    }
}

/// Finish the awaitable of a job or call.
pub fn complete(py: Python<'_>, awaitable: &Ref, result: PyResult<Ref>) {
    awaitable::complete(py, awaitable, result);
}
