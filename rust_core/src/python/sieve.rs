//! The order of eviction: saved entries, from the oldest to the newest, and the hand that passes them. Unsaved ones are
//! in no order, so that it never has to step over them.
use super::entry::{Entry, NONE};

pub struct Sieve {
    newest: u32,
    oldest: u32,
    hand: u32,
}

pub type Slots = Vec<Option<Entry>>;

impl Sieve {
    pub const EMPTY: Self = Self { newest: NONE, oldest: NONE, hand: NONE };

    pub fn link(&mut self, slots: &mut Slots, slot: u32) {
        let newest = std::mem::replace(&mut self.newest, slot);
        if let Some(entry) = slots[slot as usize].as_mut() {
            (entry.older, entry.newer) = (newest, NONE);
        }
        match slots.get_mut(newest as usize).and_then(Option::as_mut) {
            Some(entry) => entry.newer = slot,
            None => self.oldest = slot,
        }
    }

    pub fn unlink(&mut self, slots: &mut Slots, slot: u32) {
        let Some(entry) = slots[slot as usize].as_mut() else { return };
        let (older, newer) = (std::mem::replace(&mut entry.older, NONE), std::mem::replace(&mut entry.newer, NONE));
        if self.hand == slot {
            self.hand = newer;
        }
        match slots.get_mut(older as usize).and_then(Option::as_mut) {
            Some(entry) => entry.newer = newer,
            None => self.oldest = newer,
        }
        match slots.get_mut(newer as usize).and_then(Option::as_mut) {
            Some(entry) => entry.older = older,
            None => self.newest = older,
        }
    }

    /// The first entry, from the hand on towards newer ones, that was not visited since the hand last passed. The hand
    /// stays at it: `unlink` moves it on.
    pub fn victim(&mut self, slots: &Slots) -> Option<u32> {
        let mut slot = if self.hand == NONE { self.oldest } else { self.hand };
        while slot != NONE {
            let entry = slots[slot as usize].as_ref()?;
            if !entry.leave() {
                self.hand = slot;
                return Some(slot);
            }
            slot = if entry.newer == NONE { self.oldest } else { entry.newer };
        }
        None
    }
}
