//! What memory displaced: to release it may run Python code, so it waits until nothing is borrowed.
use super::entry::Entry;
use super::reference::Ref;
use super::sieve::Slots;

/// What was displaced and is still to be released.
#[derive(Default)]
pub struct Trash {
    references: Vec<Ref>,
    /// All that memory held before it was emptied.
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

    /// Take in a memory that was emptied.
    pub fn bury(&mut self, slots: Slots) {
        if self.slots.is_empty() {
            self.slots = slots; // no copy of what may be a million
        } else {
            self.slots.extend(slots);
        }
    }

    /// The next to release; of what memory held before it was emptied, `left` entries at most.
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
