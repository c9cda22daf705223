//! What the GIL locks: cells that any thread may see and only its holder opens, and cargo for threads without it.
#![allow(unsafe_code)]

use pyo3::{PyVisit, Python};
use std::cell::UnsafeCell;
use std::mem::ManuallyDrop;

/// In a static or in a pyclass: both are dropped, if ever, with the GIL.
pub struct GilCell<T>(UnsafeCell<T>);

// SAFETY: the module is declared `gil_used = true`, and every access asks for a proof that the GIL is held.
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

    #[inline(always)]
    pub fn get<'a>(&'a self, _py: Python<'a>) -> &'a T {
        // SAFETY: `_py` proves the GIL.
        unsafe { &*self.0.get() }
    }

    /// For the collector, which holds the GIL.
    pub fn in_traverse<'a>(&'a self, _visit: &'a PyVisit<'_>) -> &'a T {
        // SAFETY: pyo3 makes a `PyVisit` for the time of a collection only, during which nothing changes.
        unsafe { &*self.0.get() }
    }

    /// The content, to change. The one rule that no type proves: no Python code runs between a look and its last use,
    /// and a second look is the end of the first (`Core` and `View` are looked at so on the way of a hit).
    #[allow(clippy::mut_from_ref)]
    #[inline(always)]
    pub fn look<'a>(&'a self, _py: Python<'a>) -> &'a mut T {
        // SAFETY: `_py` proves the GIL; the callers keep the rule, so no two borrows are in use at once.
        unsafe { &mut *self.0.get() }
    }
}

/// Content with references that travels through threads which know no Python. One that gets lost there leaks.
pub struct Cargo<T>(ManuallyDrop<Box<T>>);

// SAFETY: without the GIL it is only read, as its owner says; references are let go in `open`, with the GIL.
unsafe impl<T> Send for Cargo<T> {}

impl<T> Cargo<T> {
    pub fn new(content: T) -> Self {
        Self(ManuallyDrop::new(Box::new(content)))
    }

    /// On any thread: read bytes and numbers, clone no reference.
    pub fn peek(&self) -> &T {
        &self.0
    }

    pub fn peek_mut(&mut self) -> &mut T {
        &mut self.0
    }

    pub fn open(self, _py: Python<'_>) -> T {
        *ManuallyDrop::into_inner(self.0)
    }
}
