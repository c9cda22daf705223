//! Python objects as safe Rust sees them: owned references that are given back at once, and exact builtins.
//!
//! pyo3's `Py<T>` defers its release where pyo3 did not attach the thread itself, as in raw slots. A `Ref` relies on the
//! rule of the whole boundary instead: all of it runs with the GIL. It is not `Send`, so no other thread gets one, but
//! in a `Cargo`.
#![allow(unsafe_code)]

use super::gil_cell::GilCell;
use pyo3::ffi::{self, PyObject, PyTypeObject};
use pyo3::prelude::*;
use pyo3::pyclass::boolean_struct::True;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};
use pyo3::{PyClass, PyTypeInfo};
use std::cell::{Cell, UnsafeCell};
#[cfg(not(Py_3_12))]
use std::ffi::CStr;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::slice;
#[cfg(not(Py_3_12))]
use std::sync::atomic::{AtomicI32, Ordering};

/// Borrowed for the time of a call.
pub type Object<'a, 'py> = Borrowed<'a, 'py, PyAny>;

/// A drop may run Python code: leave the owner consistent before.
#[repr(transparent)]
pub struct Ref<T = PyAny>(NonNull<PyObject>, PhantomData<fn() -> T>);

impl Ref {
    /// Take over a reference that the caller owns; None for null.
    ///
    /// # Safety
    /// `object` is an owned reference or null.
    #[inline(always)]
    pub unsafe fn own(object: *mut PyObject) -> Option<Self> {
        NonNull::new(object).map(|object| Self(object, PhantomData))
    }

    #[inline(always)]
    pub fn of<T>(object: &Bound<'_, T>) -> Self {
        Ref::of_class(object).untyped()
    }

    pub fn none() -> Self {
        // SAFETY: None is alive; the boundary runs with the GIL.
        unsafe {
            let none = ffi::Py_None();
            ffi::Py_INCREF(none);
            Self(NonNull::new_unchecked(none), PhantomData)
        }
    }

    pub fn of_bool(py: Python<'_>, truth: bool) -> Self {
        Self::of(&pyo3::types::PyBool::new(py, truth))
    }

    pub fn of_int(py: Python<'_>, number: u64) -> Self {
        let Ok(number) = number.into_pyobject(py); // cannot fail
        number.into()
    }

    pub fn of_text(py: Python<'_>, text: &str) -> Self {
        PyString::new(py, text).into()
    }
}

impl<T> Ref<T> {
    /// One that keeps its type.
    #[inline(always)]
    pub fn of_class(object: &Bound<'_, T>) -> Self {
        // SAFETY: a Bound is alive and proves the GIL.
        unsafe {
            ffi::Py_INCREF(object.as_ptr());
            Self(NonNull::new_unchecked(object.as_ptr()), PhantomData)
        }
    }

    #[inline(always)]
    pub fn untyped(self) -> Ref {
        let object = Ref(self.0, PhantomData);
        std::mem::forget(self);
        object
    }

    #[inline(always)]
    pub fn as_ptr(&self) -> *mut PyObject {
        self.0.as_ptr()
    }

    /// Give the reference away.
    #[inline(always)]
    pub fn into_ptr(self) -> *mut PyObject {
        let object = self.0.as_ptr();
        std::mem::forget(self);
        object
    }

    #[inline(always)]
    pub fn bind<'py>(&self, py: Python<'py>) -> Borrowed<'_, 'py, T> {
        self.as_py().bind_borrowed(py)
    }

    /// For the collector.
    pub fn as_py(&self) -> &Py<T> {
        // SAFETY: `Py` is a transparent non-null pointer to an owned object, as this is.
        unsafe { &*ptr::from_ref(self).cast() }
    }

    /// The content of a frozen class.
    #[inline(always)]
    pub fn get(&self) -> &T
    where
        T: PyClass<Frozen = True> + Sync,
    {
        self.as_py().get()
    }

    pub fn into_bound(self, py: Python<'_>) -> Bound<'_, T> {
        // SAFETY: the owned reference is handed on; it is a T since it was made.
        unsafe { Bound::from_owned_ptr(py, self.into_ptr()).cast_into_unchecked() }
    }
}

impl<T> From<Bound<'_, T>> for Ref {
    #[inline(always)]
    fn from(object: Bound<'_, T>) -> Self {
        // SAFETY: a Bound is an owned reference and never null.
        unsafe { Self(NonNull::new_unchecked(object.into_ptr()), PhantomData) }
    }
}

impl<T> Clone for Ref<T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        // SAFETY: alive as long as `self`; GIL held.
        unsafe { ffi::Py_INCREF(self.as_ptr()) };
        Self(self.0, PhantomData)
    }
}

impl<T> Drop for Ref<T> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: the reference is ours; GIL held.
        unsafe { ffi::Py_DECREF(self.as_ptr()) };
    }
}

/// A place for a reference in an object that Python shares. What it held is released when the place is whole again.
#[derive(Default)]
pub struct Place(UnsafeCell<Option<Ref>>);

impl Place {
    #[inline(always)]
    pub const fn new(content: Option<Ref>) -> Self {
        Self(UnsafeCell::new(content))
    }

    #[inline(always)]
    pub fn get(&self) -> Option<Ref> {
        // SAFETY: one thread at a time (not Sync); cloning runs no code that could reach this place.
        unsafe { (*self.0.get()).clone() }
    }

    #[inline(always)]
    pub fn replace(&self, content: Option<Ref>) -> Option<Ref> {
        // SAFETY: as above; moves two pointers.
        unsafe { std::mem::replace(&mut *self.0.get(), content) }
    }

    /// The address of what it holds, or null.
    #[inline(always)]
    pub fn as_ptr(&self) -> *mut PyObject {
        // SAFETY: as above; reads a pointer.
        unsafe { (*self.0.get()).as_ref().map_or(ptr::null_mut(), Ref::as_ptr) }
    }
}

/// How to know instances of a class by their type's address: the first concrete class that is used stays alive for
/// ever, and needs no walk up its bases.
pub struct Usual<T>(GilCell<Cell<*mut PyTypeObject>>, PhantomData<fn() -> T>);

impl<T: PyTypeInfo> Usual<T> {
    pub const fn new() -> Self {
        Self(GilCell::new(Cell::new(ptr::null_mut())), PhantomData)
    }

    #[inline(always)]
    pub fn cast<'a, 'py>(&self, object: Object<'a, 'py>) -> Option<Borrowed<'a, 'py, T>> {
        let usual = self.0.get(object.py()).get();
        if object.get_type_ptr() == usual || self.learn(object) {
            // SAFETY: its class is a subclass of T.
            return Some(unsafe { object.cast_unchecked::<T>() });
        }
        None
    }

    #[cold]
    fn learn(&self, object: Object<'_, '_>) -> bool {
        let is_instance = object.is_instance_of::<T>();
        let usual = self.0.get(object.py());
        if is_instance && usual.get().is_null() {
            usual.set(Ref::of(&object.get_type()).into_ptr().cast());
        }
        is_instance
    }
}

// ---- exact builtins ------------------------------------------------------------------------------------------------

/// A live exact `str`: hashing and comparing run no Python code.
#[derive(Clone, Copy)]
pub struct Text<'a>(NonNull<PyObject>, PhantomData<&'a Ref>);

impl<'a> Text<'a> {
    #[inline(always)]
    pub fn of(object: Object<'a, '_>) -> Option<Self> {
        let is_str = object.is_exact_instance_of::<PyString>();
        // SAFETY: not null.
        is_str.then(|| Self(unsafe { NonNull::new_unchecked(object.as_ptr()) }, PhantomData))
    }

    #[inline(always)]
    fn head(self) -> &'a ffi::PyASCIIObject {
        // SAFETY: a str starts so.
        unsafe { self.0.cast().as_ref() }
    }

    #[inline(always)]
    pub fn hash(self) -> isize {
        let hash = self.head().hash;
        // SAFETY: a str; its hash cannot fail.
        if hash == -1 { unsafe { ffi::PyObject_Hash(self.0.as_ptr()) } } else { hash }
    }

    /// The text of compact ASCII, right behind its head.
    #[inline(always)]
    pub fn ascii(self) -> Option<&'a [u8]> {
        // SAFETY: as said; it never changes, and lives as long as the str.
        unsafe {
            let is_ascii = ffi::PyUnicode_IS_COMPACT_ASCII(self.0.as_ptr()) != 0;
            let data = self.0.as_ptr().cast::<ffi::PyASCIIObject>().add(1).cast::<u8>();
            is_ascii.then(|| slice::from_raw_parts(data, self.head().length as usize))
        }
    }

    /// The UTF-8, which the str itself keeps. None, without an exception: a lone surrogate, or no memory.
    pub fn utf8(self) -> Option<&'a [u8]> {
        let mut size = 0;
        // SAFETY: a str; what it keeps never changes and lives as long as it.
        unsafe {
            let data = ffi::PyUnicode_AsUTF8AndSize(self.0.as_ptr(), &raw mut size);
            if data.is_null() {
                ffi::PyErr_Clear();
                return None;
            }
            Some(slice::from_raw_parts(data.cast(), size as usize))
        }
    }

    #[inline(always)]
    pub fn is(self, other: Text<'_>) -> bool {
        self.0 == other.0
    }

    /// By code points, as SQLite compares their UTF-8.
    pub fn compare(self, other: Text<'_>) -> std::cmp::Ordering {
        // SAFETY: two strs.
        unsafe { ffi::PyUnicode_Compare(self.0.as_ptr(), other.0.as_ptr()) }.cmp(&0)
    }

    #[inline(always)]
    pub fn to_ref(self) -> Ref<Exact> {
        // SAFETY: alive; the boundary runs with the GIL.
        unsafe { ffi::Py_INCREF(self.0.as_ptr()) };
        Ref(self.0, PhantomData)
    }
}

/// The text as an exact str: of a subclass, a copy that runs none of its code.
pub fn exact<'py>(text: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: GIL held; a new reference, or an exception.
    unsafe { Bound::from_owned_ptr_or_err(text.py(), ffi::PyUnicode_FromObject(text.as_ptr())) }
}

/// Of a reference: to an exact `str`.
pub struct Exact;

impl Ref<Exact> {
    #[inline(always)]
    pub fn text(&self) -> Text<'_> {
        Text(self.0, PhantomData)
    }
}

/// A str and its UTF-8, which threads may read without the GIL.
#[derive(Clone)]
pub struct Encoded {
    text: Ref<Exact>,
    utf8: *const [u8],
}

impl Encoded {
    /// The usual one, with no call of the interpreter.
    #[inline(always)]
    pub fn ascii(text: Text<'_>) -> Option<Self> {
        Some(Self { utf8: text.ascii()?, text: text.to_ref() })
    }

    pub fn of(text: Text<'_>) -> Option<Self> {
        Some(Self { utf8: text.utf8()?, text: text.to_ref() })
    }

    #[inline(always)]
    pub fn text(&self) -> &Ref<Exact> {
        &self.text
    }

    #[inline(always)]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: kept alive by `text`.
        unsafe { &*self.utf8 }
    }
}

impl Ref {
    /// The content of an exact bytes object (which never changes); empty for all else.
    #[inline(always)]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: alive as long as `self`; the type is checked. Types of builtins need no GIL.
        unsafe {
            let object = self.as_ptr();
            if ffi::Py_TYPE(object) != &raw mut ffi::PyBytes_Type {
                return &[];
            }
            slice::from_raw_parts(ffi::PyBytes_AS_STRING(object).cast(), ffi::Py_SIZE(object) as usize)
        }
    }
}

/// The length of an exact list or tuple.
#[inline(always)]
pub fn sequence_len(object: Object<'_, '_>) -> Option<usize> {
    let is_sequence = object.is_exact_instance_of::<PyList>() || object.is_exact_instance_of::<PyTuple>();
    // SAFETY: both have a size.
    is_sequence.then(|| unsafe { ffi::Py_SIZE(object.as_ptr()) } as usize)
}

/// Look at each item of an exact list or tuple until `look` says false. As with `GilCell::look`, `look` runs no Python
/// code: nothing may change the sequence meanwhile.
#[inline(always)]
pub fn all_items<'py>(sequence: Object<'_, 'py>, look: impl FnMut(&Object<'_, 'py>) -> bool) -> bool {
    let (object, Some(len)) = (sequence.as_ptr(), sequence_len(sequence)) else { return false };
    // SAFETY: a list or tuple of that length, whose items are alive; a `Borrowed` is a transparent non-null pointer.
    let items: &[Object<'_, 'py>] = unsafe {
        let first = if ffi::PyList_CheckExact(object) != 0 {
            (*object.cast::<ffi::PyListObject>()).ob_item
        } else {
            (&raw mut (*object.cast::<ffi::PyTupleObject>()).ob_item).cast()
        };
        if len == 0 { &[] } else { slice::from_raw_parts(first.cast(), len) }
    };
    items.iter().all(look)
}

/// The same for the items of an exact dict.
pub fn all_pairs<'py>(dict: Object<'_, 'py>, mut look: impl FnMut(Object<'_, 'py>, Object<'_, 'py>) -> bool) -> bool {
    if !dict.is_exact_instance_of::<PyDict>() {
        return false;
    }
    let (py, mut position, mut key, mut value) = (dict.py(), 0, ptr::null_mut(), ptr::null_mut());
    // SAFETY: a dict that does not change; its items are alive.
    unsafe {
        while ffi::PyDict_Next(dict.as_ptr(), &raw mut position, &raw mut key, &raw mut value) != 0 {
            let (key, value) = (Bound::ref_from_ptr(py, &key), Bound::ref_from_ptr(py, &value));
            if !look(key.as_borrowed(), value.as_borrowed()) {
                return false;
            }
        }
    }
    true
}

/// A list that nobody sees before it is full.
pub struct NewList {
    list: Ref,
    filled: usize,
    len: usize,
}

impl NewList {
    /// None: MemoryError is set. May collect garbage, and so run Python code.
    pub fn new(_py: Python<'_>, len: usize) -> Option<Self> {
        // SAFETY: GIL held.
        let list = unsafe { Ref::own(ffi::PyList_New(len as isize)) }?;
        Some(Self { list, filled: 0, len })
    }

    #[inline(always)]
    pub fn push(&mut self, item: Ref) -> bool {
        let room = self.filled < self.len;
        if room {
            // SAFETY: within the list; the item is given away.
            unsafe { ffi::PyList_SET_ITEM(self.list.as_ptr(), self.filled as isize, item.into_ptr()) };
            self.filled += 1;
        }
        room
    }

    /// One of those that were pushed.
    pub fn get(&self, index: usize) -> Option<Ref> {
        // SAFETY: filled up to there.
        (index < self.filled).then(|| unsafe { (*self.item(index)).clone() })
    }

    /// Put another one in its place; returns what was there.
    pub fn replace(&mut self, index: usize, item: Ref) -> Option<Ref> {
        // SAFETY: filled up to there; nobody else sees the list.
        (index < self.filled).then(|| unsafe { ptr::replace(self.item(index), item) })
    }

    /// # Safety
    /// `index` is below `filled`: a `Ref` is a transparent non-null pointer.
    unsafe fn item(&self, index: usize) -> *mut Ref {
        // SAFETY: as stated.
        unsafe { (*self.list.as_ptr().cast::<ffi::PyListObject>()).ob_item.add(index).cast() }
    }

    pub fn finish(self) -> Option<Ref> {
        (self.filled == self.len).then_some(self.list)
    }
}

/// Run without garbage collections, and so without the Python code of what they find. CPython 3.9 cannot be told.
pub fn without_collections<T>(_py: Python<'_>, run: impl FnOnce() -> T) -> T {
    // SAFETY: GIL held; sets a flag.
    #[cfg(Py_3_10)]
    let was_enabled = unsafe { ffi::PyGC_Disable() } != 0;
    let result = run();
    #[cfg(Py_3_10)]
    if was_enabled {
        // SAFETY: as above.
        unsafe { ffi::PyGC_Enable() };
    }
    result
}

// ---- exceptions and contexts ---------------------------------------------------------------------------------------

/// Raise an exception as C code does: in the context of the one that is handled.
pub fn raise(exception: &Bound<'_, PyAny>) {
    // SAFETY: GIL held; anything but an exception raises SystemError.
    unsafe { ffi::PyErr_SetObject(ffi::Py_TYPE(exception.as_ptr()).cast(), exception.as_ptr()) };
}

/// Of the loop that runs in this thread, as asyncio's C code keeps it before Python 3.12.
#[cfg(not(Py_3_12))]
#[repr(C)]
struct LoopHolder {
    head: PyObject,
    event_loop: *mut PyObject,
    pid: libc::pid_t,
}

/// The loop that runs in this thread, or Python's None. No answer: asyncio keeps it in another way than this looks for.
///
/// `asyncio._get_running_loop` makes a system call before Python 3.12: `getpid`, for in a child that was forked while a
/// loop ran there is none.
#[cfg(not(Py_3_12))]
pub fn kept_running_loop(py: Python<'_>) -> Option<Bound<'_, PyAny>> {
    let name = pyo3::intern!(py, "__asyncio_running_event_loop__");
    // SAFETY: GIL held; what is borrowed from the thread's dict stays while no Python code runs, and of a str none does.
    // The holder's type and size are what they were in 3.9 to 3.11 (`Modules/_asynciomodule.c`), or it is not looked into.
    unsafe {
        let kept = ffi::PyThreadState_GetDict();
        let holder = if kept.is_null() { kept } else { ffi::PyDict_GetItemWithError(kept, name.as_ptr()) };
        if holder.is_null() {
            return None;
        }
        let class = ffi::Py_TYPE(holder);
        let is_known = CStr::from_ptr((*class).tp_name) == c"_RunningLoopHolder"
            && (*class).tp_basicsize == size_of::<LoopHolder>() as isize;
        let holder: *const LoopHolder = holder.cast();
        if !is_known || (*holder).pid != process() {
            return None;
        }
        Bound::from_borrowed_ptr_or_opt(py, (*holder).event_loop)
    }
}

/// The id of this process, without a system call. With the GIL held.
#[cfg(not(Py_3_12))]
fn process() -> libc::pid_t {
    static PROCESS: AtomicI32 = AtomicI32::new(0);
    extern "C" fn note() {
        // SAFETY: a plain system call, and one that a forked child may make.
        PROCESS.store(unsafe { libc::getpid() }, Ordering::Relaxed);
    }
    if PROCESS.load(Ordering::Relaxed) == 0 {
        note();
        // SAFETY: the handler lives as long as this module, which is never unloaded.
        unsafe { libc::pthread_atfork(None, None, Some(note)) };
    }
    PROCESS.load(Ordering::Relaxed)
}

pub fn copy_context(_py: Python<'_>) -> Option<Ref> {
    // SAFETY: GIL held; a new reference.
    unsafe { Ref::own(ffi::PyContext_CopyCurrent()) }
}

/// Run in a `contextvars.Context`; None where it is entered already.
pub fn in_context<T>(py: Python<'_>, context: &Ref, run: impl FnOnce() -> T) -> Option<T> {
    // SAFETY: GIL held; what is no Context says so by an exception.
    if unsafe { ffi::PyContext_Enter(context.as_ptr()) } < 0 {
        drop(PyErr::take(py));
        return None;
    }
    let result = run();
    // SAFETY: entered above.
    unsafe { ffi::PyContext_Exit(context.as_ptr()) };
    Some(result)
}
