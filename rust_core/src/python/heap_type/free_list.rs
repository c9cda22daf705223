//! Memory of objects that died a moment ago, for those that come next.
use std::ffi::c_void;
use std::ptr::NonNull;

pub struct FreeList<const N: usize> {
    len: usize,
    items: [Option<NonNull<c_void>>; N],
}

impl<const N: usize> FreeList<N> {
    pub const EMPTY: Self = Self { len: 0, items: [None; N] };

    /// None where it is empty.
    #[inline(always)]
    pub fn pop(&mut self) -> Option<NonNull<c_void>> {
        let last = self.len.wrapping_sub(1);
        let item = *self.items.get(last)?;
        self.len = last;
        item
    }

    /// False where it is full: the caller frees the memory.
    #[inline(always)]
    pub fn push(&mut self, item: NonNull<c_void>) -> bool {
        let Some(room) = self.items.get_mut(self.len) else { return false };
        *room = Some(item);
        self.len += 1;
        true
    }
}
