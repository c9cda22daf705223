//! What memory displaced: to release it may run Python code, so it waits until nothing is borrowed.
use super::entry::Entry;
use super::reference::Ref;
use super::sieve::Slots;

/// What was displaced and is still to be released.
#[derive(Default)]
pub struct Trash {
    references: Vec<Ref>,
    /// What a table held before it was emptied.
    slots: Slots,
}

impl Trash {
    pub fn push(&mut self, reference: Ref) {
        self.references.push(reference);
    }

    pub fn extend(&mut self, references: impl IntoIterator<Item = Ref>) {
        self.references.extend(references);
    }

    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.references.is_empty() && self.slots.is_empty()
    }

    /// Take in entries that are released a part at a time.
    pub fn bury(&mut self, entries: impl IntoIterator<Item = Option<Entry>>) {
        self.slots.extend(entries);
    }

    /// The same for a whole memory.
    pub fn bury_all(&mut self, slots: Slots) {
        if self.slots.is_empty() {
            self.slots = slots; // no copy of what may be a million
        } else {
            self.bury(slots);
        }
    }

    /// The next to release; of what a table held before it was emptied, `left` entries at most.
    pub fn pop(&mut self, left: &mut usize) -> Option<Ref> {
        if self.references.is_empty() && !self.slots.is_empty() && *left > 0 {
            let rest = self.slots.len().saturating_sub(*left);
            *left = 0;
            self.references.extend(self.slots.drain(rest..).flatten().flat_map(Entry::references));
            if self.slots.is_empty() {
                self.slots = Vec::new();
            }
        }
        self.references.pop()
    }
}
