//! Cold reads in flight, so that a slow one never overwrites a newer value in memory.
use super::key::OwnedKey;
use super::keymap::KeyMap;

/// A key that some cold reads are on their way for.
#[derive(Default)]
struct Flight {
    readers: u32,
    /// The last time its value was published (or its table cleared) while a read was in flight.
    published: u64,
}

#[derive(Default)]
pub struct Flights {
    flights: KeyMap<Flight>,
    clock: u64,
}

impl Flights {
    /// A read of `key` sets out. Returns its ticket.
    pub fn depart(&mut self, table: u32, key: &OwnedKey) -> u64 {
        self.flights.get_or_default(table, key).readers += 1;
        self.clock
    }

    /// A read comes home: whether its value may be kept; and a reference to release, when nothing is borrowed.
    pub fn arrive(&mut self, table: u32, key: &OwnedKey, ticket: u64) -> (bool, Option<OwnedKey>) {
        let Some(flight) = self.flights.get_mut(table, key) else { return (false, None) };
        let is_newest = flight.published <= ticket;
        flight.readers -= 1;
        let landed = if flight.readers == 0 { self.flights.remove(table, key) } else { None };
        (is_newest, landed.map(|(key, _)| key))
    }

    /// A newer value of `key` was published: reads in flight may not overwrite it.
    pub fn publish(&mut self, table: u32, key: &OwnedKey) {
        if self.flights.is_empty() {
            return;
        }
        self.clock += 1;
        let now = self.clock;
        if let Some(flight) = self.flights.get_mut(table, key) {
            flight.published = now;
        }
    }

    pub fn publish_table(&mut self, table: u32) {
        self.clock += 1;
        let now = self.clock;
        self.flights.values_of_mut(table).for_each(|flight| flight.published = now);
    }
}
