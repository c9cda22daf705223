//! A cell whose lock is the GIL.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;

pub struct GilCell<T>(UnsafeCell<T>);

// SAFETY: the module is declared `gil_used = true`, and every access goes through `get`, whose callers hold the GIL;
// no worker thread ever attaches to the interpreter.
unsafe impl<T> Sync for GilCell<T> {}
// SAFETY: as above: contents move between threads only together with the GIL.
unsafe impl<T> Send for GilCell<T> {}

impl<T> GilCell<T> {
    pub const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// The content, where nobody else can see the cell.
    pub const fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }

    /// The content's address. Follow it only with the GIL held; no `&mut` may live across code that can run Python.
    #[inline(always)]
    pub const fn get(&self) -> *mut T {
        self.0.get()
    }
}
