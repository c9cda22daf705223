//! The memory of an engine: one hash table over all its tables, owned by the GIL, bounded by SIEVE.
//!
//! No method runs Python code: what is displaced goes to `trash`, which the owner empties (`Core::sweep`) when nothing
//! of the cache is borrowed any more.
use super::key::{Key, OwnedKey};
use super::reference::{Exact, Ref};
use hashbrown::HashTable;
use std::cell::Cell;

/// What an entry counts beside its key and value.
pub const ENTRY_BYTES: usize = 120;
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// As in the file (memory mode: as last set).
    Saved,
    /// Newer than the file; never evicted.
    Unsaved,
    /// Deleted, but not yet in the file; never evicted.
    UnsavedAbsent,
}

/// A value as memory keeps it: the object, the encoded bytes (a bytes object), or both.
#[derive(Clone, Default)]
pub struct Kept {
    pub object: Option<Ref>,
    pub encoded: Option<Ref>,
    pub size_bytes: usize, // encoded
    /// A pickle that is known to name nothing: it takes no further look before it is loaded.
    pub plain: bool,
}

pub struct Entry {
    hash: isize,
    key: Ref<Exact>,
    pub kept: Kept,
    /// When it was last known to be what the file holds.
    pub epoch: u64,
    /// Of its last write, while unsaved.
    pub generation: u64,
    key_bytes: u32,
    table: u32,
    newer: u32,
    older: u32,
    pub state: State,
    visited: Cell<bool>,
}

impl Entry {
    fn bytes(&self) -> usize {
        self.kept.size_bytes + self.key_bytes as usize + ENTRY_BYTES
    }

    pub fn key_bytes(&self) -> usize {
        self.key_bytes as usize
    }

    #[inline(always)]
    pub fn visit(&self) {
        self.visited.set(true);
    }
}

pub struct Limits {
    pub entries: usize,
    pub bytes: usize,
}

pub struct Cache {
    index: HashTable<u32>,
    slots: Vec<Option<Entry>>,
    free: Vec<u32>,
    newest: u32,
    oldest: u32,
    hand: u32,
    limits: Limits,
    pub bytes: usize,
    pub unsaved: usize,
    pub evictions: u64,
    /// Moves when a key comes or goes.
    pub version: u64,
    pub trash: Vec<Ref>,
}

/// Fold the table into the hash of the key.
#[inline(always)]
pub fn spread(hash: isize, table: u32) -> u64 {
    (hash as u64) ^ u64::from(table).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl Cache {
    pub fn new(limits: Limits) -> Self {
        Self {
            index: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            newest: NONE,
            oldest: NONE,
            hand: NONE,
            limits,
            bytes: 0,
            unsaved: 0,
            evictions: 0,
            version: 0,
            trash: Vec::new(),
        }
    }

    pub fn len(&self) -> usize {
        self.index.len()
    }

    #[inline(always)]
    fn slot_of(&self, table: u32, key: &Key<'_>) -> Option<u32> {
        let found = self.index.find(spread(key.hash, table), |&slot| {
            self.slots[slot as usize].as_ref().is_some_and(|e| e.table == table && key.is(&e.key, e.hash))
        });
        found.copied()
    }

    #[inline(always)]
    pub fn find(&self, table: u32, key: &Key<'_>) -> Option<&Entry> {
        self.slots[self.slot_of(table, key)? as usize].as_ref()
    }

    pub fn find_mut(&mut self, table: u32, key: &Key<'_>) -> Option<&mut Entry> {
        let slot = self.slot_of(table, key)?;
        self.slots[slot as usize].as_mut()
    }

    pub fn limits(&self) -> (usize, usize) {
        (self.limits.entries, self.limits.bytes)
    }

    /// Whether this many more entries and bytes would be too many.
    pub fn would_overflow(&self, entries: isize, bytes: isize) -> bool {
        self.len().saturating_add_signed(entries) > self.limits.entries
            || self.bytes.saturating_add_signed(bytes) > self.limits.bytes
    }

    pub fn cost(key: &OwnedKey, kept: &Kept) -> usize {
        kept.size_bytes + key.bytes().len() + ENTRY_BYTES
    }

    pub fn cost_of(&self, table: u32, key: &Key<'_>) -> Option<usize> {
        self.find(table, key).map(Entry::bytes)
    }

    /// Keep a value. A saved one that finds no room at all is forgotten instead.
    /// Returns where it is then.
    pub fn set(&mut self, table: u32, key: &OwnedKey, kept: Kept, state: State, epoch: u64, generation: u64) -> u32 {
        let fits = self.limits.entries > 0 && Self::cost(key, &kept) <= self.limits.bytes;
        if state == State::Saved && !fits {
            self.trash.extend([kept.object, kept.encoded].into_iter().flatten());
            self.remove(table, &key.borrow());
            return NONE;
        }
        if let Some(slot) = self.slot_of(table, &key.borrow()) {
            self.replace(slot, kept, state, epoch, generation);
            self.make_room();
            return slot;
        }
        let slot = self.insert(table, key, kept, state, epoch, generation);
        self.make_room();
        if let Some(entry) = &self.slots[slot as usize] {
            entry.visited.set(false);
        }
        slot
    }

    /// Memory mode: give an entry another value, if there is one and no limit is in the way;
    /// `kept` gets what it was.
    #[inline(always)]
    pub fn replace_in_place(&mut self, table: u32, key: &Key<'_>, kept: &mut Kept) -> bool {
        let Some(slot) = self.slot_of(table, key) else { return false };
        let Some(entry) = self.slots[slot as usize].as_mut() else { return false };
        let bytes = self.bytes - entry.kept.size_bytes + kept.size_bytes;
        if bytes > self.limits.bytes {
            return false;
        }
        self.bytes = bytes;
        entry.visit();
        std::mem::swap(&mut entry.kept, kept);
        true
    }

    /// Lazy: give an entry a newer, unsaved value, if there is one. Returns where it is; `kept` gets what it was.
    #[inline(always)]
    pub fn overwrite(&mut self, table: u32, key: &Key<'_>, kept: &mut Kept, generation: u64) -> Option<u32> {
        let slot = self.slot_of(table, key)?;
        let entry = self.slots[slot as usize].as_mut()?;
        self.bytes = self.bytes - entry.kept.size_bytes + kept.size_bytes;
        std::mem::swap(&mut entry.kept, kept);
        (entry.epoch, entry.generation) = (0, generation);
        entry.visit();
        let was = std::mem::replace(&mut entry.state, State::Unsaved);
        if was == State::Saved {
            self.change_state(slot, was, State::Unsaved);
        }
        if self.bytes > self.limits.bytes {
            self.make_room();
        }
        Some(slot)
    }

    fn replace(&mut self, slot: u32, kept: Kept, state: State, epoch: u64, generation: u64) {
        let Some(entry) = self.slots[slot as usize].as_mut() else { return };
        self.bytes -= entry.bytes();
        let old = std::mem::replace(&mut entry.kept, kept);
        (entry.epoch, entry.generation) = (epoch, generation);
        self.bytes += entry.bytes();
        entry.visit();
        let was = std::mem::replace(&mut entry.state, state);
        self.trash.extend([old.object, old.encoded].into_iter().flatten());
        self.change_state(slot, was, state);
    }

    fn insert(&mut self, table: u32, key: &OwnedKey, kept: Kept, state: State, epoch: u64, generation: u64) -> u32 {
        let entry = Entry {
            hash: key.hash,
            key: key.text().clone(),
            kept,
            epoch,
            generation,
            key_bytes: key.bytes().len() as u32,
            table,
            newer: NONE,
            older: NONE,
            state,
            visited: Cell::new(true), // until there is room: it may not be what makes room for itself
        };
        self.bytes += entry.bytes();
        self.version += 1;
        let slot = self.free.pop().unwrap_or(self.slots.len() as u32);
        if slot as usize == self.slots.len() {
            self.slots.push(Some(entry));
        } else {
            self.slots[slot as usize] = Some(entry);
        }
        let slots = &self.slots;
        let rehash = |&slot: &u32| slots[slot as usize].as_ref().map_or(0, |entry| spread(entry.hash, entry.table));
        self.index.insert_unique(spread(key.hash, table), slot, rehash);
        if state == State::Saved {
            self.link(slot);
        } else {
            self.unsaved += 1;
        }
        slot
    }

    /// Unsaved entries are in no order of eviction: so eviction never has to step over them.
    fn change_state(&mut self, slot: u32, was: State, state: State) {
        match (was == State::Saved, state == State::Saved) {
            (true, false) => {
                self.unlink(slot);
                self.unsaved += 1;
            }
            (false, true) => {
                self.unsaved -= 1;
                self.link(slot);
            }
            _ => {}
        }
    }

    /// A flush made what was written as `generation` durable. A key overwritten since then stays unsaved.
    pub fn saved(&mut self, table: u32, key: &Key<'_>, generation: u64, epoch: u64) {
        let Some(slot) = self.slot_of(table, key) else { return };
        let Some(entry) = self.slots[slot as usize].as_mut() else { return };
        if entry.state == State::Saved || entry.generation != generation {
            return;
        }
        if entry.state == State::UnsavedAbsent {
            self.remove_slot(slot);
            return;
        }
        entry.epoch = epoch;
        let was = std::mem::replace(&mut entry.state, State::Saved);
        self.change_state(slot, was, State::Saved);
        self.make_room();
    }

    /// The same for a value put into this slot.
    pub fn saved_at(&mut self, slot: u32, generation: u64, epoch: u64) {
        let Some(entry) = self.slots.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        if entry.state == State::Unsaved && entry.generation == generation {
            entry.epoch = epoch;
            entry.state = State::Saved;
            self.change_state(slot, State::Unsaved, State::Saved);
            self.make_room();
        }
    }

    pub fn remove(&mut self, table: u32, key: &Key<'_>) -> bool {
        let slot = self.slot_of(table, key);
        slot.inspect(|&slot| self.remove_slot(slot)).is_some()
    }

    fn remove_slot(&mut self, slot: u32) {
        let Some(entry) = self.slots[slot as usize].as_ref() else { return };
        if entry.state == State::Saved {
            self.unlink(slot);
        } else {
            self.unsaved -= 1;
        }
        let Some(entry) = self.slots[slot as usize].take() else { return };
        if let Ok(found) = self.index.find_entry(spread(entry.hash, entry.table), |&other| other == slot) {
            found.remove();
        }
        self.bytes -= entry.bytes();
        self.version += 1;
        self.free.push(slot);
        self.trash.push(entry.key.untyped());
        self.trash.extend([entry.kept.object, entry.kept.encoded].into_iter().flatten());
    }

    /// Forget a table, unsaved entries too.
    pub fn remove_table(&mut self, table: u32) {
        for slot in 0..self.slots.len() as u32 {
            if self.slots[slot as usize].as_ref().is_some_and(|entry| entry.table == table) {
                self.remove_slot(slot);
            }
        }
    }

    pub fn clear(&mut self) {
        for slot in 0..self.slots.len() as u32 {
            self.remove_slot(slot);
        }
        (self.slots, self.free) = (Vec::new(), Vec::new());
    }

    /// The keys of a table, in no order.
    pub fn keys(&self, table: u32) -> impl Iterator<Item = &Ref<Exact>> {
        self.slots.iter().flatten().filter(move |entry| entry.table == table).map(|entry| &entry.key)
    }

    // ---- SIEVE -----------------------------------------------------------------------------------------------------

    fn make_room(&mut self) {
        while (self.len() > self.limits.entries || self.bytes > self.limits.bytes) && self.evict() {}
    }

    /// Forget the first entry, from the hand on towards newer ones, that was not visited since the hand last passed.
    fn evict(&mut self) -> bool {
        let mut slot = if self.hand == NONE { self.oldest } else { self.hand };
        while slot != NONE {
            let Some(entry) = self.slots[slot as usize].as_ref() else { return false };
            if !entry.visited.replace(false) {
                self.hand = slot; // `unlink` moves it on
                self.remove_slot(slot);
                self.evictions += 1;
                return true;
            }
            slot = if entry.newer == NONE { self.oldest } else { entry.newer };
        }
        false
    }

    fn link(&mut self, slot: u32) {
        let newest = std::mem::replace(&mut self.newest, slot);
        if let Some(entry) = self.slots[slot as usize].as_mut() {
            (entry.older, entry.newer) = (newest, NONE);
        }
        match self.slots.get_mut(newest as usize).and_then(Option::as_mut) {
            Some(entry) => entry.newer = slot,
            None => self.oldest = slot,
        }
    }

    fn unlink(&mut self, slot: u32) {
        let Some(entry) = self.slots[slot as usize].as_mut() else { return };
        let (older, newer) = (std::mem::replace(&mut entry.older, NONE), std::mem::replace(&mut entry.newer, NONE));
        if self.hand == slot {
            self.hand = newer;
        }
        match self.slots.get_mut(older as usize).and_then(Option::as_mut) {
            Some(entry) => entry.newer = newer,
            None => self.oldest = newer,
        }
        match self.slots.get_mut(newer as usize).and_then(Option::as_mut) {
            Some(entry) => entry.older = older,
            None => self.newest = older,
        }
    }
}
