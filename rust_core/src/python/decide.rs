//! What a call's changes meet and which of them take effect, decided in memory (modes memory and lazy).
use super::core::{Core, Found, Known, Mode};
use super::job::{Change, bytes};
use super::key::OwnedKey;
use super::keymap::KeyMap;
use super::reference::Ref;
use super::value::Kind as Encoding;
use crate::engine::Kind;

/// Cold values that came home for one call; None: missing in the file.
pub type Homes = KeyMap<Option<Ref>>;

#[derive(Default)]
pub struct Decision {
    pub was: Vec<Decided>,
    /// The changes that take effect, in their order.
    pub effects: Vec<usize>,
    /// Memory mode: of each key, the last one.
    pub last_effects: Vec<usize>,
}

#[derive(Clone, Default)]
pub struct Decided {
    pub there: bool,
    pub old: Option<Ref>,
}

/// What a change finds at its key.
enum Met {
    Missing,
    /// A change of this call made it so.
    Own(Option<Ref>),
    Memory(Found, Encoding),
    File(Ref),
}

impl Met {
    fn encoded(&self) -> Option<Ref> {
        match self {
            Self::Missing => None,
            Self::Own(value) => value.clone(),
            Self::Memory(found, kind) => found.encoded(*kind),
            Self::File(value) => Some(value.clone()),
        }
    }
}

struct Deciding<'a> {
    core: &'a Core,
    changes: &'a [Change],
    homes: &'a Homes,
    /// The last effect on each key, where somebody will ask.
    own: KeyMap<usize>,
    keeps_own: bool,
    cleared: Vec<u32>,
}

/// Each change sees the effect of those before it.
pub fn decide(core: &Core, changes: &[Change], homes: &Homes, wants_old: bool) -> Decision {
    let asks = changes.len() > 1 && changes.iter().any(|change| asks_for_old(change.kind, wants_old));
    let keeps_own = asks || core.mode == Mode::Memory; // memory mode sums up what each key costs
    let mut deciding = Deciding { core, changes, homes, own: KeyMap::default(), keeps_own, cleared: Vec::new() };
    let mut decision = Decision::default();
    for (index, change) in changes.iter().enumerate() {
        let (was, takes_effect) = deciding.decide_one(index, change, wants_old);
        decision.was.push(was);
        if takes_effect {
            decision.effects.push(index);
        }
    }
    decision.last_effects.extend(deciding.own.values());
    decision
}

/// The keys whose state memory does not know, although a change asks for it.
pub fn cold_keys(core: &Core, changes: &[Change], homes: &Homes, wants_old: bool) -> Vec<(u32, OwnedKey)> {
    let mut seen: KeyMap<()> = KeyMap::default();
    let mut cold = Vec::new();
    if !changes.iter().any(|change| asks_for_old(change.kind, wants_old)) {
        return cold; // blind writes, the usual batch
    }
    for change in changes {
        let Some(key) = &change.key else { continue };
        if seen.get(change.table, key).is_some() {
            continue;
        }
        if changes.len() > 1 {
            seen.insert(change.table, key, ());
        }
        let asks = asks_for_old(change.kind, wants_old) && homes.get(change.table, key).is_none();
        if asks && matches!(core.known(change.table, key), Known::Cold) {
            cold.push((change.table, key.clone()));
        }
    }
    cold
}

fn asks_for_old(kind: Kind, wants_old: bool) -> bool {
    wants_old || kind != Kind::Put
}

impl Deciding<'_> {
    fn decide_one(&mut self, index: usize, change: &Change, wants_old: bool) -> (Decided, bool) {
        let Some(key) = change.key.as_ref().filter(|_| change.kind.is_of_one_key()) else {
            return self.decide_table(change, wants_old);
        };
        let asks = asks_for_old(change.kind, wants_old);
        let met = if asks { self.meet(change.table, key) } else { Met::Missing };
        let there = !matches!(met, Met::Missing | Met::Own(None));
        let takes_effect = match change.kind {
            Kind::PutIfAbsent => !there,
            Kind::PutIfEqual => met.encoded().is_some_and(|old| bytes(Some(&old)) == bytes(change.expected.as_ref())),
            Kind::Delete => there,
            Kind::Put | Kind::Clear | Kind::Create | Kind::Drop => true,
        };
        if takes_effect && self.keeps_own {
            self.own.insert(change.table, key, index);
        }
        let old = if wants_old { met.encoded() } else { None };
        (Decided { there, old }, takes_effect)
    }

    fn decide_table(&mut self, change: &Change, wants_old: bool) -> (Decided, bool) {
        let table = &self.core.tables[change.table as usize];
        match change.kind {
            Kind::Clear => {
                let there = self.core.cache.count(change.table) > 0;
                self.own.remove_table(change.table);
                self.cleared.push(change.table);
                (Decided { there, old: None }, true)
            }
            Kind::Create => {
                let mode = table.storage_mode.as_deref();
                let old = mode.filter(|_| wants_old).and_then(|mode| super::value::copy(mode.as_bytes()));
                (Decided { there: mode.is_some(), old }, mode.is_none())
            }
            _ => {
                let there = table.storage_mode.is_some();
                (Decided { there, old: None }, there)
            }
        }
    }

    fn meet(&self, table: u32, key: &OwnedKey) -> Met {
        if let Some(&index) = self.own.get(table, key) {
            let change = &self.changes[index];
            return Met::Own(change.value.clone().filter(|_| change.kind != Kind::Delete));
        }
        if self.cleared.contains(&table) {
            return Met::Missing;
        }
        match self.homes.get(table, key) {
            Some(Some(value)) => return Met::File(value.clone()),
            Some(None) => return Met::Missing,
            None => {}
        }
        match self.core.known(table, key) {
            Known::There(found) => Met::Memory(found, self.core.tables[table as usize].kind()),
            Known::Missing | Known::Cold => Met::Missing,
        }
    }
}
