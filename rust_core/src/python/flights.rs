//! Cold reads in flight, so that a slow one never overwrites a newer value in memory.
use super::cache::spread;
use super::key::OwnedKey;
use hashbrown::HashTable;

/// A key that some cold reads are on their way for.
struct Flight {
    key: OwnedKey,
    table: u32,
    readers: u32,
    /// The last time its value was published (or its table cleared) while a read was in flight.
    published: u64,
}

#[derive(Default)]
pub struct Flights {
    flights: HashTable<Flight>,
    clock: u64,
}

impl Flights {
    /// A read of `key` sets out. Returns its ticket.
    pub fn depart(&mut self, table: u32, key: &OwnedKey) -> u64 {
        match self.find(table, key) {
            Some(flight) => flight.readers += 1,
            None => {
                let flight = Flight { key: key.clone(), table, readers: 1, published: 0 };
                let hash = spread(key.hash, table);
                self.flights.insert_unique(hash, flight, |flight| spread(flight.key.hash, flight.table));
            }
        }
        self.clock
    }

    /// A read comes home: whether its value may be kept; and a reference to release, when nothing is borrowed.
    pub fn arrive(&mut self, table: u32, key: &OwnedKey, ticket: u64) -> (bool, Option<OwnedKey>) {
        let found = self.flights.find_entry(spread(key.hash, table), |flight| flight.is(table, key));
        let Ok(mut entry) = found else { return (false, None) };
        let flight = entry.get_mut();
        let fresh = flight.published <= ticket;
        flight.readers -= 1;
        if flight.readers > 0 {
            return (fresh, None);
        }
        (fresh, Some(entry.remove().0.key))
    }

    /// A newer value of `key` was published: reads in flight may not overwrite it.
    pub fn publish(&mut self, table: u32, key: &OwnedKey) {
        if self.flights.is_empty() {
            return;
        }
        self.clock += 1;
        let now = self.clock;
        if let Some(flight) = self.find(table, key) {
            flight.published = now;
        }
    }

    pub fn publish_table(&mut self, table: u32) {
        self.clock += 1;
        let now = self.clock;
        self.flights.iter_mut().filter(|flight| flight.table == table).for_each(|flight| flight.published = now);
    }

    fn find(&mut self, table: u32, key: &OwnedKey) -> Option<&mut Flight> {
        self.flights.find_mut(spread(key.hash, table), |flight| flight.is(table, key))
    }
}

impl Flight {
    fn is(&self, table: u32, key: &OwnedKey) -> bool {
        self.table == table && key.borrow().is(self.key.object.as_ptr(), self.key.hash)
    }
}
