//! Lazy mode: calls that wait for a cold key to come home, and those that queue behind them.
//!
//! A parked call gates its keys: later calls that touch one of them queue behind it, in strict order per key. Calls that
//! concern more than single keys wait until no call is parked, and hold up all that come after them (the line).
use super::call::Call;
use super::decide::Homes;
use super::key::OwnedKey;
use super::keymap::KeyMap;
use super::reference::Ref;
use std::collections::{HashMap, VecDeque};

pub struct Parked {
    pub call: Call,
    pub awaitable: Ref,
    pub keys: Vec<(u32, OwnedKey)>,
    pub homes: Homes,
    /// Keys at which another call is before it, and reads that are not home.
    pub waits_for: usize,
}

#[derive(Default)]
pub struct Gates {
    queues: KeyMap<VecDeque<u64>>,
    parked: HashMap<u64, Parked>,
    last: u64,
    pub line: VecDeque<(Call, Ref)>,
    pub line_moves: bool,
}

impl Gates {
    pub fn is_empty(&self) -> bool {
        self.parked.is_empty() && self.line.is_empty()
    }

    pub fn has_parked(&self) -> bool {
        !self.parked.is_empty()
    }

    pub fn are_gated(&self, keys: &[(u32, OwnedKey)]) -> bool {
        !self.queues.is_empty() && keys.iter().any(|(table, key)| self.queues.get(*table, key).is_some())
    }

    /// Park a call; returns its number, and whether nothing is before it.
    pub fn park(&mut self, call: Call, awaitable: Ref, keys: Vec<(u32, OwnedKey)>) -> (u64, bool) {
        self.last += 1;
        let number = self.last;
        let mut waits_for = 0;
        let mut own = Vec::with_capacity(keys.len());
        for (table, key) in keys {
            let queue = self.queues.get_or_default(table, &key);
            if queue.back() == Some(&number) {
                continue; // a key given twice
            }
            waits_for += usize::from(!queue.is_empty());
            queue.push_back(number);
            own.push((table, key));
        }
        self.parked.insert(number, Parked { call, awaitable, keys: own, homes: Homes::default(), waits_for });
        (number, waits_for == 0)
    }

    pub fn take(&mut self, number: u64) -> Option<Parked> {
        self.parked.remove(&number)
    }

    pub fn put_back(&mut self, number: u64, parked: Parked) {
        self.parked.insert(number, parked);
    }

    pub fn get_mut(&mut self, number: u64) -> Option<&mut Parked> {
        self.parked.get_mut(&number)
    }

    /// A call is done: open its gates. Returns the calls that nothing is before any more, and keys to release.
    pub fn open(&mut self, keys: &[(u32, OwnedKey)]) -> (Vec<u64>, Vec<OwnedKey>) {
        let (mut ready, mut released) = (Vec::new(), Vec::new());
        for (table, key) in keys {
            let Some(queue) = self.queues.get_mut(*table, key) else { continue };
            queue.pop_front();
            let next = queue.front().copied();
            if next.is_none() {
                released.extend(self.queues.remove(*table, key).map(|(key, _)| key));
            }
            let Some((number, parked)) = next.and_then(|number| Some((number, self.parked.get_mut(&number)?))) else {
                continue;
            };
            parked.waits_for -= 1;
            if parked.waits_for == 0 {
                ready.push(number);
            }
        }
        (ready, released)
    }
}
