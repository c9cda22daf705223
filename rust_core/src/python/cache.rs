//! The memory of an engine: one hash table over all its tables, owned by the GIL, bounded by SIEVE.
//!
//! No method runs Python code: what is displaced goes to `trash`, which the owner empties (`Core::sweep`) when nothing
//! of the cache is borrowed any more.
use super::entry::{Entry, Kept, NONE, State};
use super::key::{Key, OwnedKey};
use super::reference::{Exact, Ref};
use super::sieve::{Sieve, Slots};
use super::trash::Trash;
use hashbrown::HashTable;
use std::collections::HashMap;

pub struct Limits {
    pub entries: usize,
    pub bytes: usize,
}

pub struct Cache {
    index: HashTable<u32>,
    slots: Slots,
    free: Vec<u32>,
    /// By slot: the encoded bytes of objects that cannot be encoded again without their codec.
    beside: HashMap<u32, Ref>,
    sieve: Sieve,
    limits: Limits,
    /// Of each table, the number of entries.
    counts: Vec<usize>,
    pub bytes: usize,
    pub unsaved: usize,
    pub evictions: u64,
    /// Moves when a key comes or goes.
    pub version: u64,
    pub trash: Trash,
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
            beside: HashMap::new(),
            sieve: Sieve::EMPTY,
            limits,
            counts: Vec::new(),
            bytes: 0,
            unsaved: 0,
            evictions: 0,
            version: 0,
            trash: Trash::default(),
        }
    }

    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// The number of entries of a table.
    pub fn count(&self, table: u32) -> usize {
        self.counts.get(table as usize).copied().unwrap_or_default()
    }

    #[inline(always)]
    fn slot_of(&self, table: u32, key: &Key<'_>) -> Option<u32> {
        let found = self.index.find(spread(key.hash, table), |&slot| {
            self.slots[slot as usize].as_ref().is_some_and(|entry| entry.table == table && key.is(entry.key()))
        });
        found.copied()
    }

    #[inline(always)]
    pub fn find(&self, table: u32, key: &Key<'_>) -> Option<&Entry> {
        let mut found = None; // what `is_it` saw last
        let is_it = |&slot: &u32| {
            found = self.slots.get(slot as usize).and_then(Option::as_ref);
            found.is_some_and(|entry| entry.table == table && key.is(entry.key()))
        };
        self.index.find(spread(key.hash, table), is_it)?;
        found
    }

    pub fn find_mut(&mut self, table: u32, key: &Key<'_>) -> Option<&mut Entry> {
        let slot = self.slot_of(table, key)?;
        self.slots[slot as usize].as_mut()
    }

    /// The encoded bytes that are kept beside the object.
    pub fn beside(&self, table: u32, key: &Key<'_>) -> Option<&Ref> {
        self.beside.get(&self.slot_of(table, key)?)
    }

    pub fn limits(&self) -> (usize, usize) {
        (self.limits.entries, self.limits.bytes)
    }

    /// Whether this many more entries and bytes would be too many.
    pub fn would_overflow(&self, entries: isize, bytes: isize) -> bool {
        self.len().saturating_add_signed(entries) > self.limits.entries
            || self.bytes.saturating_add_signed(bytes) > self.limits.bytes
    }

    pub fn cost_of(&self, table: u32, key: &Key<'_>) -> Option<usize> {
        self.find(table, key).map(Entry::cost)
    }

    /// Keep a value. A saved one that finds no room at all is forgotten instead.
    /// Returns where it is then.
    #[inline]
    pub fn set(&mut self, table: u32, key: &OwnedKey, mut kept: Kept, state: State, stamp: u64) -> u32 {
        let fits = self.limits.entries > 0 && kept.cost(key) <= self.limits.bytes;
        if state == State::Saved && !fits {
            self.trash.push(kept.value);
            self.trash.extend(kept.beside);
            self.remove(table, &key.borrow());
            return NONE;
        }
        if let Some(slot) = self.slot_of(table, &key.borrow()) {
            self.replace(slot, &mut kept, state, stamp);
            self.trash.push(kept.value);
            self.make_room();
            return slot;
        }
        let slot = self.insert(table, key, kept, state, stamp);
        self.make_room();
        if let Some(entry) = &self.slots[slot as usize] {
            entry.leave();
        }
        slot
    }

    /// The object of an entry that held its encoded bytes.
    pub fn decoded(&mut self, table: u32, key: &Key<'_>, mut kept: Kept) {
        let Some(slot) = self.slot_of(table, key) else { return };
        let Some((state, stamp)) = self.slots[slot as usize].as_ref().map(|entry| (entry.state(), entry.stamp()))
        else {
            return;
        };
        self.replace(slot, &mut kept, state, stamp);
        self.trash.push(kept.value);
    }

    /// Memory mode: give an entry another value, if there is one and no limit is in the way;
    /// `kept` gets what it was.
    #[inline(always)]
    pub fn replace_in_place(&mut self, table: u32, key: &Key<'_>, kept: &mut Kept) -> bool {
        let Some(slot) = self.slot_of(table, key) else { return false };
        let Some(entry) = &self.slots[slot as usize] else { return false };
        if self.bytes - entry.size_bytes() + kept.size_bytes as usize > self.limits.bytes {
            return false;
        }
        self.replace(slot, kept, State::Saved, 0);
        true
    }

    /// Lazy: where the unsaved value of a key is, and the generation of its put.
    #[inline(always)]
    pub fn unsaved_put(&self, table: u32, key: &Key<'_>) -> Option<(u32, u64)> {
        let slot = self.slot_of(table, key)?;
        let entry = self.slots[slot as usize].as_ref().filter(|entry| entry.state() == State::Unsaved)?;
        Some((slot, entry.stamp()))
    }

    /// Lazy: give the unsaved entry in this slot another value; `kept` gets what it was.
    #[inline(always)]
    pub fn overwrite_at(&mut self, slot: u32, kept: &mut Kept, generation: u64) {
        self.replace(slot, kept, State::Unsaved, generation);
        if self.bytes > self.limits.bytes {
            self.make_room();
        }
    }

    /// Lazy: give an entry a newer, unsaved value, if there is one. Returns where it is; `kept` gets what it was.
    #[inline(always)]
    pub fn overwrite(&mut self, table: u32, key: &Key<'_>, kept: &mut Kept, generation: u64) -> Option<u32> {
        let slot = self.slot_of(table, key)?;
        self.overwrite_at(slot, kept, generation);
        Some(slot)
    }

    #[inline(always)]
    fn replace(&mut self, slot: u32, kept: &mut Kept, state: State, stamp: u64) {
        let Some(entry) = self.slots[slot as usize].as_mut() else { return };
        self.bytes = self.bytes - entry.size_bytes() + kept.size_bytes as usize;
        let (was, had_beside) = (entry.state(), entry.has_beside());
        entry.replace(kept, state, stamp);
        if had_beside || kept.beside.is_some() {
            self.keep_beside(slot, kept.beside.take());
        }
        if (was == State::Saved) != (state == State::Saved) {
            self.change_state(slot, state);
        }
    }

    #[cold]
    fn keep_beside(&mut self, slot: u32, beside: Option<Ref>) {
        let old = match beside {
            Some(beside) => self.beside.insert(slot, beside),
            None => self.beside.remove(&slot),
        };
        self.trash.extend(old);
    }

    fn insert(&mut self, table: u32, key: &OwnedKey, mut kept: Kept, state: State, stamp: u64) -> u32 {
        let beside = kept.beside.take();
        let entry = Entry::new(table, key, kept, beside.is_some(), state, stamp);
        self.bytes += entry.cost();
        self.version += 1;
        let slot = self.free.pop().unwrap_or(self.slots.len() as u32);
        if slot as usize == self.slots.len() {
            self.slots.push(Some(entry));
        } else {
            self.slots[slot as usize] = Some(entry);
        }
        if beside.is_some() {
            self.keep_beside(slot, beside);
        }
        if self.counts.len() <= table as usize {
            self.counts.resize(table as usize + 1, 0);
        }
        self.counts[table as usize] += 1;
        if self.index.len() == self.index.capacity() {
            self.index = self.new_index(); // it has the new one, too
        } else {
            self.index.insert_unique(spread(key.hash, table), slot, |_| 0); // there is room
        }
        if state == State::Saved {
            self.sieve.link(&mut self.slots, slot);
        } else {
            self.unsaved += 1;
        }
        slot
    }

    /// In the order of the slots, which lie one after the other, as most of their keys do: a third of the time that it
    /// takes in the order of the hashes.
    fn new_index(&self) -> HashTable<u32> {
        let count: usize = self.counts.iter().sum();
        let mut index = HashTable::with_capacity(count + count / 2 + 4);
        for (slot, entry) in self.slots.iter().enumerate() {
            if let Some(entry) = entry {
                index.insert_unique(entry.spread(), slot as u32, |_| 0); // there is room
            }
        }
        index
    }

    /// An entry that was saved is unsaved now, or the other way round.
    fn change_state(&mut self, slot: u32, state: State) {
        if state == State::Saved {
            self.unsaved -= 1;
            self.sieve.link(&mut self.slots, slot);
        } else {
            self.sieve.unlink(&mut self.slots, slot);
            self.unsaved += 1;
        }
    }

    /// A flush made what was written as `generation` durable. A key overwritten since then stays unsaved.
    pub fn saved(&mut self, table: u32, key: &Key<'_>, generation: u64, epoch: u64) {
        let Some(slot) = self.slot_of(table, key) else { return };
        let Some(entry) = self.slots[slot as usize].as_mut() else { return };
        if entry.state() == State::UnsavedAbsent && entry.is_of_generation(generation) {
            return self.remove_slot(slot);
        }
        self.saved_at(slot, generation, epoch);
    }

    /// The same for a value put into this slot.
    pub fn saved_at(&mut self, slot: u32, generation: u64, epoch: u64) {
        let Some(entry) = self.slots.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        if entry.state() == State::Unsaved && entry.is_of_generation(generation) {
            entry.become_saved(epoch);
            self.change_state(slot, State::Saved);
            self.make_room();
        }
    }

    pub fn remove(&mut self, table: u32, key: &Key<'_>) -> bool {
        let slot = self.slot_of(table, key);
        slot.inspect(|&slot| self.remove_slot(slot)).is_some()
    }

    fn remove_slot(&mut self, slot: u32) {
        if let Some(entry) = self.take_out(slot) {
            self.forget_slot(&entry, slot);
            self.trash.extend(entry.references());
        }
    }

    fn forget_slot(&mut self, entry: &Entry, slot: u32) {
        if let Ok(found) = self.index.find_entry(entry.spread(), |&other| other == slot) {
            found.remove();
        }
    }

    /// Take an entry out of everything but the index.
    fn take_out(&mut self, slot: u32) -> Option<Entry> {
        if self.slots[slot as usize].as_ref()?.state() == State::Saved {
            self.sieve.unlink(&mut self.slots, slot);
        } else {
            self.unsaved -= 1;
        }
        let entry = self.slots[slot as usize].take()?;
        if entry.has_beside() {
            self.keep_beside(slot, None);
        }
        self.bytes -= entry.cost();
        self.counts[entry.table as usize] -= 1;
        self.version += 1;
        self.free.push(slot);
        Some(entry)
    }

    /// Forget a table, unsaved entries too. Cost: nothing where it is alone in memory, else a walk over the slots.
    pub fn remove_table(&mut self, table: u32) {
        if self.count(table) == self.len() {
            return self.clear();
        }
        let are_most = self.count(table) > self.len() / 2; // then a new index is made sooner
        for slot in 0..self.slots.len() as u32 {
            if self.count(table) == 0 {
                break;
            }
            if self.slots[slot as usize].as_ref().is_some_and(|entry| entry.table == table)
                && let Some(entry) = self.take_out(slot)
            {
                if !are_most {
                    self.forget_slot(&entry, slot);
                }
                self.trash.bury([Some(entry)]);
            }
        }
        if are_most {
            self.index = self.new_index();
        }
    }

    pub fn clear(&mut self) {
        if self.len() == 0 {
            return;
        }
        let limits = Limits { ..self.limits };
        let Self { evictions, version, .. } = *self;
        let old = std::mem::replace(self, Self { evictions, version: version + 1, ..Self::new(limits) });
        self.trash = old.trash;
        self.trash.extend(old.beside.into_values());
        self.trash.bury_all(old.slots);
    }

    /// The keys of a table, in no order.
    pub fn keys(&self, table: u32) -> impl Iterator<Item = &Ref<Exact>> {
        self.slots.iter().flatten().filter(move |entry| entry.table == table).map(Entry::key)
    }

    fn make_room(&mut self) {
        while self.len() > self.limits.entries || self.bytes > self.limits.bytes {
            let Some(slot) = self.sieve.victim(&self.slots) else { break };
            self.remove_slot(slot);
            self.evictions += 1;
        }
    }
}
