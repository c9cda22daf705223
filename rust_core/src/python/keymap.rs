//! A small map from (table, key).
use super::cache::spread;
use super::key::OwnedKey;
use hashbrown::HashTable;

struct Item<V> {
    table: u32,
    key: OwnedKey,
    value: V,
}

impl<V> Item<V> {
    fn is(&self, table: u32, key: &OwnedKey) -> bool {
        self.table == table && key.borrow().is(self.key.text())
    }
}

pub struct KeyMap<V>(HashTable<Item<V>>);

impl<V> Default for KeyMap<V> {
    fn default() -> Self {
        Self(HashTable::new())
    }
}

impl<V> KeyMap<V> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn get(&self, table: u32, key: &OwnedKey) -> Option<&V> {
        self.0.find(spread(key.hash, table), |item| item.is(table, key)).map(|item| &item.value)
    }

    pub fn get_mut(&mut self, table: u32, key: &OwnedKey) -> Option<&mut V> {
        self.0.find_mut(spread(key.hash, table), |item| item.is(table, key)).map(|item| &mut item.value)
    }

    pub fn insert(&mut self, table: u32, key: &OwnedKey, value: V) {
        if let Some(old) = self.get_mut(table, key) {
            *old = value;
            return;
        }
        let item = Item { table, key: key.clone(), value };
        self.0.insert_unique(spread(key.hash, table), item, |item| spread(item.key.hash, item.table));
    }

    pub fn get_or_default(&mut self, table: u32, key: &OwnedKey) -> &mut V
    where
        V: Default,
    {
        let hash = spread(key.hash, table);
        let entry = self.0.entry(hash, |item| item.is(table, key), |item| spread(item.key.hash, item.table));
        let make = || Item { table, key: key.clone(), value: V::default() };
        &mut entry.or_insert_with(make).into_mut().value
    }

    /// The key comes back, too: to release when nothing is borrowed.
    pub fn remove(&mut self, table: u32, key: &OwnedKey) -> Option<(OwnedKey, V)> {
        let found = self.0.find_entry(spread(key.hash, table), |item| item.is(table, key)).ok()?;
        let item = found.remove().0;
        Some((item.key, item.value))
    }

    pub fn remove_table(&mut self, table: u32) {
        self.0.retain(|item| item.table != table);
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|item| &item.value)
    }

    pub fn values_of_mut(&mut self, table: u32) -> impl Iterator<Item = &mut V> {
        self.0.iter_mut().filter(move |item| item.table == table).map(|item| &mut item.value)
    }
}
