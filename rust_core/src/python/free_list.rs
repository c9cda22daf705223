//! Memory of objects that died a moment ago, for those that come next.
use std::ffi::c_void;
use std::ptr;

pub struct FreeList<const N: usize> {
    len: usize,
    items: [*mut c_void; N],
}

impl<const N: usize> FreeList<N> {
    pub const EMPTY: Self = Self { len: 0, items: [ptr::null_mut(); N] };

    /// Null where it is empty.
    #[inline(always)]
    pub fn pop(&mut self) -> *mut c_void {
        if self.len == 0 {
            return ptr::null_mut();
        }
        self.len -= 1;
        self.items[self.len]
    }

    /// False where it is full: the caller frees the memory.
    #[inline(always)]
    pub fn push(&mut self, item: *mut c_void) -> bool {
        let room = self.len < N;
        if room {
            self.items[self.len] = item;
            self.len += 1;
        }
        room
    }
}
