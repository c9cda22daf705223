//! Cold reads in flight, so that a slow one never overwrites a newer value in memory.
use super::key::OwnedKey;
use super::keymap::KeyMap;

/// A read of more keys than this lists none of them: what is published meanwhile is listed instead.
pub const MANY: usize = 100;
/// How much of that is listed. Beyond, everything counts as published.
const MOST_PUBLISHED: usize = 10_000;

/// A key that some cold reads are on their way for.
#[derive(Default)]
struct Flight {
    readers: u32,
    /// The last time its value was published (or its table cleared) while a read was in flight.
    published: u64,
}

/// When a read set out.
#[derive(Clone, Copy)]
pub struct Ticket {
    clock: u64,
    is_of_many: bool,
}

#[derive(Default)]
pub struct Flights {
    listed: KeyMap<Flight>,
    clock: u64,
    /// Reads of many keys, and the last time that each key was published since the first of them set out.
    of_many: u32,
    published: KeyMap<u64>,
    /// The last time that everything was.
    all_published: u64,
}

impl Flights {
    /// A read of these keys sets out. Each of them is to `arrive`, the read to `land` then.
    pub fn depart(&mut self, table: u32, keys: &[OwnedKey]) -> Ticket {
        let is_of_many = keys.len() > MANY;
        if is_of_many {
            self.of_many += 1;
        } else {
            for key in keys {
                self.listed.get_or_default(table, key).readers += 1;
            }
        }
        Ticket { clock: self.clock, is_of_many }
    }

    /// A key comes home: whether its value may be kept; and a reference to release, when nothing is borrowed.
    pub fn arrive(&mut self, table: u32, key: &OwnedKey, ticket: Ticket) -> (bool, Option<OwnedKey>) {
        if ticket.is_of_many {
            let published = || self.published.get(table, key).copied().unwrap_or_default();
            return (self.all_published <= ticket.clock && published() <= ticket.clock, None);
        }
        let Some(flight) = self.listed.get_mut(table, key) else { return (false, None) };
        let is_newest = flight.published <= ticket.clock;
        flight.readers -= 1;
        let landed = if flight.readers == 0 { self.listed.remove(table, key) } else { None };
        (is_newest, landed.map(|(key, _)| key))
    }

    /// The read is home; returns what to release, when nothing is borrowed.
    pub fn land(&mut self, ticket: Ticket) -> Option<impl Sized + use<>> {
        self.of_many -= u32::from(ticket.is_of_many);
        (self.of_many == 0 && !self.published.is_empty()).then(|| std::mem::take(&mut self.published))
    }

    /// A newer value of `key` was published: reads in flight may not overwrite it.
    #[inline(always)]
    pub fn publish(&mut self, table: u32, key: &OwnedKey) {
        if self.of_many > 0 || !self.listed.is_empty() {
            self.publish_now(table, key);
        }
    }

    fn publish_now(&mut self, table: u32, key: &OwnedKey) {
        self.clock += 1;
        if let Some(flight) = self.listed.get_mut(table, key) {
            flight.published = self.clock;
        }
        if self.of_many > 0 && self.published.len() < MOST_PUBLISHED {
            self.published.insert(table, key, self.clock);
        } else {
            self.all_published = self.clock;
        }
    }

    pub fn publish_table(&mut self, table: u32) {
        self.clock += 1;
        self.all_published = self.clock;
        let now = self.clock;
        self.listed.values_of_mut(table).for_each(|flight| flight.published = now);
    }
}
