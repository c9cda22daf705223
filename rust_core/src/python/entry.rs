//! One value of the memory: what is kept of it, in 40 bytes beside the objects themselves.
use super::cache::spread;
use super::key::OwnedKey;
use super::reference::{Exact, Ref};
use std::cell::Cell;

pub const NONE: u32 = u32::MAX;
/// What an entry counts beside its key and value.
pub const ENTRY_BYTES: usize = 120;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum State {
    /// As in the file (memory mode: as last set).
    Saved,
    /// Newer than the file; never evicted.
    Unsaved,
    /// Deleted, but not yet in the file; never evicted.
    UnsavedAbsent,
}

/// What the reference of an entry is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Form {
    /// The value itself.
    Object,
    /// A bytes object that the codec decodes.
    Encoded,
    /// A pickle that is known to name nothing: it takes no further look before it is loaded.
    Plain,
    /// None, of a key that was deleted.
    Nothing,
}

/// A value as memory keeps it.
#[derive(Clone)]
pub struct Kept {
    pub form: Form,
    pub value: Ref,
    /// The encoded bytes, where they cannot be had again from the object.
    pub beside: Option<Ref>,
    pub size_bytes: u32, // encoded
}

impl Kept {
    pub fn nothing() -> Self {
        Self { form: Form::Nothing, ..Self::object(Ref::none(), 0) }
    }

    /// An object that can be encoded again without its codec.
    #[inline(always)]
    pub fn object(object: Ref, size_bytes: usize) -> Self {
        Self { form: Form::Object, value: object, beside: None, size_bytes: size_bytes as u32 }
    }

    pub fn encoded(encoded: Ref) -> Self {
        let size_bytes = encoded.bytes().len() as u32;
        Self { form: Form::Encoded, value: encoded, beside: None, size_bytes }
    }

    pub fn both(object: Ref, encoded: Ref) -> Self {
        let kept = Self::object(object, encoded.bytes().len());
        Self { beside: Some(encoded), ..kept }
    }

    pub fn into_object(self) -> Option<Ref> {
        (self.form == Form::Object).then_some(self.value)
    }

    /// What it costs with its key.
    pub fn cost(&self, key: &OwnedKey) -> usize {
        self.size_bytes as usize + key.bytes().len() + ENTRY_BYTES
    }
}

/// Bits: 0 visited, 1-2 state, 3-4 form, 5 whether something is kept beside, from 16 on the stamp. That is the epoch in
/// which a saved value was last known to be what the file holds, or the generation of the write of an unsaved one: at one
/// a microsecond, 48 bits last nine years.
#[derive(Clone, Copy)]
struct Tag(u64);

const VISITED: u64 = 1;
const STATE: u64 = 0b110;
const FORM: u64 = 0b11000;
const BESIDE: u64 = 1 << 5;
const STAMP: u32 = 16;

impl Tag {
    fn new(state: State, form: Form, beside: bool, stamp: u64) -> Self {
        let beside = if beside { BESIDE } else { 0 };
        Self(VISITED | (state as u64) << 1 | (form as u64) << 3 | beside | stamp << STAMP)
    }

    #[inline(always)]
    fn with(self, mask: u64, bits: u64) -> Self {
        Self(self.0 & !mask | bits)
    }
}

pub struct Entry {
    key: Ref<Exact>,
    value: Ref,
    tag: Cell<Tag>,
    pub table: u32,
    size_bytes: u32,
    pub newer: u32,
    pub older: u32,
}

const _: () = assert!(size_of::<Option<Entry>>() == 40);

impl Entry {
    /// Visited until there is room: it may not be what makes room for itself. What is beside is not its to keep.
    pub fn new(table: u32, key: &OwnedKey, kept: Kept, beside: bool, state: State, stamp: u64) -> Self {
        Self {
            key: key.text().clone(),
            tag: Cell::new(Tag::new(state, kept.form, beside, stamp)),
            value: kept.value,
            table,
            size_bytes: kept.size_bytes,
            newer: NONE,
            older: NONE,
        }
    }

    /// Give it another value; `kept` gets the reference it had.
    #[inline(always)]
    pub fn replace(&mut self, kept: &mut Kept, state: State, stamp: u64) {
        self.tag.set(Tag::new(state, kept.form, kept.beside.is_some(), stamp));
        self.size_bytes = kept.size_bytes;
        std::mem::swap(&mut self.value, &mut kept.value);
    }

    #[inline(always)]
    pub fn key(&self) -> &Ref<Exact> {
        &self.key
    }

    #[inline(always)]
    pub fn value(&self) -> &Ref {
        &self.value
    }

    #[inline(always)]
    pub fn state(&self) -> State {
        match self.tag.get().0 & STATE {
            0 => State::Saved,
            0b010 => State::Unsaved,
            _ => State::UnsavedAbsent,
        }
    }

    #[inline(always)]
    pub fn form(&self) -> Form {
        match self.tag.get().0 & FORM {
            0 => Form::Object,
            0b01000 => Form::Encoded,
            0b10000 => Form::Plain,
            _ => Form::Nothing,
        }
    }

    #[inline(always)]
    pub fn has_beside(&self) -> bool {
        self.tag.get().0 & BESIDE != 0
    }

    #[inline(always)]
    pub fn stamp(&self) -> u64 {
        self.tag.get().0 >> STAMP
    }

    /// Whether it is unsaved since that write.
    pub fn is_of_generation(&self, generation: u64) -> bool {
        self.state() != State::Saved && self.stamp() == generation
    }

    /// Whether it holds what a fresh read would find in that epoch.
    #[inline(always)]
    pub fn is_valid(&self, epoch: u64) -> bool {
        self.state() != State::Saved || self.stamp() == epoch
    }

    /// Whether a hit on it in the present epoch is the object that it holds.
    #[inline(always)]
    pub fn shows_object(&self, epoch: impl FnOnce() -> u64) -> bool {
        let tag = self.tag.get().0;
        tag & (STATE | FORM) == (State::Unsaved as u64) << 1 || tag & !(VISITED | BESIDE) == epoch() << STAMP
    }

    /// It was written to the file in that epoch.
    pub fn become_saved(&mut self, epoch: u64) {
        let form = self.tag.get().0 & (VISITED | FORM | BESIDE);
        self.tag.set(Tag(form | epoch << STAMP));
    }

    /// The encoded bytes turned out to be a plain pickle.
    pub fn become_plain(&mut self) {
        self.tag.set(self.tag.get().with(FORM, (Form::Plain as u64) << 3));
    }

    #[inline(always)]
    pub fn visit(&self) {
        self.tag.set(self.tag.get().with(VISITED, VISITED));
    }

    /// Whether it was visited since the last call.
    pub fn leave(&self) -> bool {
        let tag = self.tag.get();
        self.tag.set(tag.with(VISITED, 0));
        tag.0 & VISITED != 0
    }

    pub fn spread(&self) -> u64 {
        spread(self.key.text().hash(), self.table)
    }

    pub fn size_bytes(&self) -> usize {
        self.size_bytes as usize
    }

    pub fn key_bytes(&self) -> usize {
        let text = self.key.text();
        text.ascii().or_else(|| text.utf8()).map_or(0, <[u8]>::len)
    }

    /// What it counts.
    pub fn cost(&self) -> usize {
        self.size_bytes() + self.key_bytes() + ENTRY_BYTES
    }

    pub fn references(self) -> [Ref; 2] {
        [self.key.untyped(), self.value]
    }
}
