//! Types made by `PyType_FromSpec`, where pyo3's classes are not fast enough: the raw side of their slots and methods.
//!
//! A `Spec` takes safe functions (of no size, so that each gets a C function of its own) and makes slots of them. CPython
//! calls those with the GIL held, on instances of the type. No panic leaves a slot: all that can fail returns None.
#![allow(unsafe_code)]

mod free_list;
mod spec;

use super::arguments::Arguments;
use super::gil_cell::GilCell;
use super::reference::{Object, Place, Ref};
use free_list::FreeList;
use pyo3::exceptions::PyTypeError;
use pyo3::ffi::{self, PyObject, PyTypeObject};
use pyo3::prelude::*;
use std::cell::{Cell, UnsafeCell};
use std::ffi::{CStr, c_int, c_ulong, c_void};
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::{self, NonNull};

use spec::{Many, Plain, Steps, With};
pub use spec::{Spec, Step};

/// What instances of a type hold.
pub trait Content: Sized + 'static {
    fn kind() -> &'static Kind<Self>;

    /// Before the content is dropped.
    fn finalize(_this: This<'_, '_, Self>) {}

    fn traverse(&self, visitor: &mut Visitor);

    /// Break cycles.
    fn clear(&self) {}
}

/// A type once it is made, and the memory of instances that died a moment ago.
pub struct Kind<T> {
    made: GilCell<Made>,
    content: PhantomData<fn() -> T>,
}

struct Made {
    raw: Cell<*mut PyTypeObject>,
    free: UnsafeCell<FreeList<256>>,
}

#[repr(C)]
struct Layout<T> {
    head: UnsafeCell<PyObject>,
    content: T,
    tracked: Cell<bool>,
}

/// An instance, borrowed.
pub struct This<'a, 'py, T>(Object<'a, 'py>, PhantomData<&'a T>);

impl<T> Clone for This<'_, '_, T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for This<'_, '_, T> {}

impl<T> Deref for This<'_, '_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.layout().content
    }
}

impl<'a, 'py, T> This<'a, 'py, T> {
    /// # Safety
    /// GIL held; a live instance of T's kind, for the time of 'a.
    #[inline(always)]
    unsafe fn new(object: &'a *mut PyObject) -> Self {
        // SAFETY: as stated.
        Self(unsafe { Bound::ref_from_ptr(Python::assume_attached(), object) }.as_borrowed(), PhantomData)
    }

    #[inline(always)]
    fn layout(&self) -> &'a Layout<T> {
        // SAFETY: an instance of T's kind, alive for 'a.
        unsafe { &*self.0.as_ptr().cast() }
    }

    #[inline(always)]
    pub fn py(self) -> Python<'py> {
        self.0.py()
    }

    #[inline(always)]
    pub fn to_ref(self) -> Ref {
        Ref::of(&self.0)
    }

    /// Let the collector know it, or not.
    #[inline(always)]
    pub fn track(self, track: bool) {
        if self.layout().tracked.get() != track {
            self.layout().tracked.set(track);
            let object = self.0.as_ptr().cast();
            // SAFETY: an object of the collector's that was not in that state.
            unsafe { if track { ffi::PyObject_GC_Track(object) } else { ffi::PyObject_GC_UnTrack(object) } };
        }
    }
}

impl<T: Content> Kind<T> {
    pub const fn new() -> Self {
        let made = Made { raw: Cell::new(ptr::null_mut()), free: UnsafeCell::new(FreeList::EMPTY) };
        Self { made: GilCell::new(made), content: PhantomData }
    }

    /// An instance that the collector does not know yet. None: MemoryError is set.
    #[inline(always)]
    pub fn instance(&self, py: Python<'_>, content: impl FnOnce() -> T) -> Option<Ref> {
        let made = self.made.get(py);
        // SAFETY: memory of such a type, filled before anybody sees it; nobody else looks at the list meanwhile.
        unsafe {
            let memory = (*made.free.get()).pop();
            let object = match memory {
                Some(memory) => ffi::PyObject_Init(memory.as_ptr().cast(), made.raw.get()),
                None => Self::allocate(made),
            };
            if object.is_null() {
                return None;
            }
            let layout: *mut Layout<T> = object.cast();
            (&raw mut (*layout).content).write(content());
            (&raw mut (*layout).tracked).write(Cell::new(false));
            Ref::own(object)
        }
    }

    #[cold]
    #[inline(never)]
    fn allocate(made: &Made) -> *mut PyObject {
        assert!(!made.raw.get().is_null(), "the type is made by init");
        // SAFETY: a type of the collector's.
        unsafe { ffi::PyObject_GC_New(made.raw.get()) }
    }

    #[inline(always)]
    pub fn cast<'a, 'py>(&self, object: Object<'a, 'py>) -> Option<This<'a, 'py, T>> {
        (object.get_type_ptr() == self.made.get(object.py()).raw.get()).then_some(This(object, PhantomData))
    }
}

/// What the collector asks.
pub struct Visitor {
    visit: ffi::visitproc,
    data: *mut c_void,
    stop: c_int,
}

impl Visitor {
    fn raw(&mut self, object: *mut PyObject) {
        if self.stop == 0 && !object.is_null() {
            // SAFETY: as the collector asks for: a reference that the object holds.
            self.stop = unsafe { (self.visit)(object, self.data) };
        }
    }

    pub fn place(&mut self, place: &Place) {
        self.raw(place.as_ptr());
    }

    pub fn reference<T>(&mut self, reference: &Ref<T>) {
        self.raw(reference.as_ptr());
    }
}

/// Content whose instances are called without a tuple.
#[repr(C)]
pub struct Callable<T> {
    vectorcall: ffi::vectorcallfunc,
    content: T,
}

impl<T> Deref for Callable<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.content
    }
}

impl<T> Callable<T>
where
    Self: Content,
{
    pub fn new<F: Many<Self>>(content: T, _: F) -> Self {
        Self { vectorcall: raw::vectorcall::<Self, F>, content }
    }
}

/// Make T's type, which lives for ever. For `spec` alone, which fills each slot with what its number asks for.
fn finish<'py, T: Content>(
    py: Python<'py>,
    name: &'static CStr,
    flags: c_ulong,
    slots: Vec<ffi::PyType_Slot>,
) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: as said; the tables are never freed, and `raw` keeps the rules of a heap type.
    unsafe {
        let made = make(py, name, size_of::<Layout<T>>(), flags, slots, ptr::null_mut())?;
        T::kind().made.get(py).raw.set(made);
        Ok(Bound::from_borrowed_ptr(py, made.cast()))
    }
}

/// Make a garbage-collected type of instances of `size` bytes.
///
/// # Safety
/// Each slot holds a function (or table) of the kind that its number asks for, alive for ever; the functions keep
/// the rules of a heap type (visit and release the type).
unsafe fn make(
    py: Python<'_>,
    name: &'static CStr,
    size: usize,
    flags: c_ulong,
    mut slots: Vec<ffi::PyType_Slot>,
    bases: *mut PyObject,
) -> PyResult<*mut PyTypeObject> {
    slots.push(ffi::PyType_Slot { slot: 0, pfunc: ptr::null_mut() });
    let mut spec = ffi::PyType_Spec {
        name: name.as_ptr(),
        basicsize: c_int::try_from(size)?,
        itemsize: 0,
        flags: (ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_HAVE_GC | flags) as _,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: the spec is read during the call only; what it points to is the caller's word.
    let made = unsafe { ffi::PyType_FromSpecWithBases(&raw mut spec, bases) };
    if made.is_null() { Err(PyErr::fetch(py)) } else { Ok(made.cast()) }
}

/// What CPython calls.
///
/// # Safety (the whole module)
/// GIL held; `object` is an instance of T's kind; arguments live as long as the call.
#[allow(unsafe_op_in_unsafe_fn, clippy::wildcard_imports)]
mod raw {
    use super::*;

    type Any = *mut PyObject;

    /// A function of no size, from nothing.
    ///
    /// # Safety
    /// A value of it was given to `Spec` or `Callable`.
    #[inline(always)]
    unsafe fn the<F: Copy + 'static>() -> F {
        const { assert!(size_of::<F>() == 0, "a function, not a pointer to one") };
        std::mem::zeroed()
    }

    #[inline(always)]
    fn given(result: Option<Ref>) -> Any {
        result.map_or(ptr::null_mut(), Ref::into_ptr)
    }

    #[inline(always)]
    unsafe fn borrow<'py>(object: &Any) -> Object<'_, 'py> {
        Bound::ref_from_ptr(Python::assume_attached(), object).as_borrowed()
    }

    #[inline(always)]
    unsafe fn slice<'a, 'py>(args: *const Any, count: usize, names: &'a Any) -> Arguments<'a, 'py> {
        let names = (!names.is_null()).then(|| borrow(names).cast_unchecked::<pyo3::types::PyTuple>());
        let count = count + names.map_or(0, |names| names.len());
        // A `Borrowed` is a transparent non-null pointer.
        let all = if count == 0 { &[] } else { std::slice::from_raw_parts(args.cast::<Object<'a, 'py>>(), count) };
        Arguments::new(all, names)
    }

    pub unsafe extern "C" fn refuse(kind: *mut PyTypeObject, _: Any, _: Any) -> Any {
        let kind: Any = kind.cast();
        let name = borrow(&kind).getattr("__name__").map_or_else(|_| String::new(), |name| name.to_string());
        PyTypeError::new_err(format!("cannot create '{name}' instances")).restore(Python::assume_attached());
        ptr::null_mut()
    }

    pub unsafe extern "C" fn dealloc<T: Content>(object: Any) {
        let this = This::<T>::new(&object);
        T::finalize(this);
        this.track(false);
        ptr::drop_in_place(&raw mut (*object.cast::<Layout<T>>()).content);
        let kind = ffi::Py_TYPE(object);
        if !(*T::kind().made.get(this.py()).free.get()).push(NonNull::new_unchecked(object.cast())) {
            ffi::PyObject_GC_Del(object.cast());
        }
        ffi::Py_DECREF(kind.cast());
    }

    pub unsafe extern "C" fn traverse<T: Content>(object: Any, visit: ffi::visitproc, data: *mut c_void) -> c_int {
        let mut visitor = Visitor { visit, data, stop: 0 };
        visitor.raw(ffi::Py_TYPE(object).cast());
        (*object.cast::<Layout<T>>()).content.traverse(&mut visitor);
        visitor.stop
    }

    pub unsafe extern "C" fn clear<T: Content>(object: Any) -> c_int {
        (*object.cast::<Layout<T>>()).content.clear();
        0
    }

    pub unsafe extern "C" fn itself(object: Any) -> Any {
        ffi::Py_INCREF(object);
        object
    }

    pub unsafe extern "C" fn stay(object: Any, _: Any, _: Any) -> Any {
        itself(object)
    }

    pub unsafe extern "C" fn plain<T, F: Plain<T>>(object: Any) -> Any {
        given(the::<F>()(This::new(&object)))
    }

    pub unsafe extern "C" fn no_arguments<T, F: Plain<T>>(object: Any, _: Any) -> Any {
        plain::<T, F>(object)
    }

    pub unsafe extern "C" fn get<T, F: Plain<T>>(object: Any, _: *mut c_void) -> Any {
        plain::<T, F>(object)
    }

    pub unsafe extern "C" fn with<T, F: With<T>>(object: Any, argument: Any) -> Any {
        given(the::<F>()(This::new(&object), borrow(&argument)))
    }

    pub unsafe extern "C" fn bind<T, F: With<T>>(object: Any, instance: Any, _: Any) -> Any {
        if instance.is_null() || instance == ffi::Py_None() { itself(object) } else { with::<T, F>(object, instance) }
    }

    pub unsafe extern "C" fn set<T, F>(object: Any, value: Any, _: *mut c_void) -> c_int
    where
        F: for<'a, 'py> Fn(This<'a, 'py, T>, Option<Object<'a, 'py>>) + Copy + 'static,
    {
        the::<F>()(This::new(&object), (!value.is_null()).then(|| borrow(&value)));
        0
    }

    pub unsafe extern "C" fn arguments<T, F: Many<T>>(object: Any, args: *const Any, count: isize, names: Any) -> Any {
        given(the::<F>()(This::new(&object), slice(args, count as usize, &names)))
    }

    pub unsafe extern "C" fn vectorcall<T, F: Many<T>>(object: Any, args: *const Any, flags: usize, names: Any) -> Any {
        arguments::<T, F>(object, args, ffi::PyVectorcall_NARGS(flags), names)
    }

    pub unsafe extern "C" fn next<T, F: Steps<T>>(object: Any) -> Any {
        match the::<F>()(This::new(&object)) {
            Step::Returned(value) => {
                // None needs no exception at all: null means just that.
                if value.as_ptr() != ffi::Py_None() {
                    super::stop::raise(Python::assume_attached(), value);
                }
                ptr::null_mut()
            }
            Step::Yielded(value) => value.into_ptr(),
            Step::Raised => ptr::null_mut(),
        }
    }

    #[cfg(Py_3_10)]
    pub unsafe extern "C" fn send<T, F: Steps<T>>(object: Any, _: Any, result: *mut Any) -> ffi::PySendResult {
        match the::<F>()(This::new(&object)) {
            Step::Returned(value) => {
                *result = value.into_ptr();
                ffi::PySendResult::PYGEN_RETURN
            }
            Step::Yielded(value) => {
                *result = value.into_ptr();
                ffi::PySendResult::PYGEN_NEXT
            }
            Step::Raised => {
                *result = ptr::null_mut();
                ffi::PySendResult::PYGEN_ERROR
            }
        }
    }

    pub unsafe extern "C" fn compare<T: Content, F>(one: Any, other: Any, operation: c_int) -> Any
    where
        F: for<'a, 'py> Fn(This<'a, 'py, T>, This<'a, 'py, T>) -> bool + Copy + 'static,
    {
        match (T::kind().cast(borrow(&one)), T::kind().cast(borrow(&other)), operation) {
            (Some(one), Some(other), ffi::Py_EQ | ffi::Py_NE) => {
                ffi::PyBool_FromLong((the::<F>()(one, other) == (operation == ffi::Py_EQ)).into())
            }
            _ => itself(ffi::Py_NotImplemented()),
        }
    }

    pub unsafe extern "C" fn hash<T, F>(object: Any) -> ffi::Py_hash_t
    where
        F: for<'a, 'py> Fn(This<'a, 'py, T>) -> isize + Copy + 'static,
    {
        let hash = the::<F>()(This::new(&object));
        if hash == -1 { -2 } else { hash }
    }
}

/// The StopIteration of `next` and `send`, made from the memory of the one before.
#[allow(clippy::wildcard_imports)]
pub mod stop {
    use super::*;
    use std::mem;

    static KIND: GilCell<Stops> =
        GilCell::new(Stops { kind: Cell::new(ptr::null_mut()), free: UnsafeCell::new(FreeList::EMPTY) });

    struct Stops {
        kind: Cell<*mut PyTypeObject>,
        free: UnsafeCell<FreeList<8>>,
    }

    pub fn init(py: Python<'_>) -> PyResult<()> {
        let size = size_of::<ffi::PyStopIterationObject>();
        // SAFETY: functions of the right kinds; the parent's traverse fits, for the layout is the parent's.
        let made = unsafe {
            let parent: *mut PyTypeObject = ffi::PyExc_StopIteration.cast();
            let traverse_parent = (*parent).tp_traverse.map_or(ptr::null_mut(), |function| function as *mut c_void);
            let slots = vec![
                ffi::PyType_Slot { slot: ffi::Py_tp_dealloc, pfunc: dealloc as *mut c_void },
                ffi::PyType_Slot { slot: ffi::Py_tp_traverse, pfunc: traverse_parent },
            ];
            let bases = Bound::from_owned_ptr_or_err(py, ffi::PyTuple_Pack(1, parent))?;
            make(py, c"asyncdictsqlite._rust.StopIteration", size, 0, slots, bases.as_ptr())?
        };
        KIND.get(py).kind.set(made);
        Ok(())
    }

    #[inline(always)]
    pub fn raise(py: Python<'_>, value: Ref) {
        let stops = KIND.get(py);
        // SAFETY: GIL held; memory of a dead one holds nothing but `args`, a fresh one holds None as its value.
        unsafe {
            let kind = stops.kind.get();
            let memory = (*stops.free.get()).pop();
            let exception = match memory {
                Some(memory) => ffi::PyObject_Init(memory.as_ptr().cast(), kind),
                None => ffi::PyObject_CallNoArgs(kind.cast()),
            };
            if exception.is_null() {
                return;
            }
            if memory.is_none() {
                ffi::PyObject_GC_UnTrack(exception.cast()); // short-lived: the collector need not know it
            }
            let stop: *mut ffi::PyStopIterationObject = exception.cast();
            ffi::Py_XDECREF(mem::replace(&mut (*stop).value, value.into_ptr()));
            #[cfg(Py_3_12)]
            ffi::PyErr_SetRaisedException(exception);
            #[cfg(not(Py_3_12))]
            {
                ffi::Py_INCREF(kind.cast());
                ffi::PyErr_Restore(kind.cast(), exception, ptr::null_mut());
            }
        }
    }

    /// Keeps nothing but `args` (an empty tuple) for the next one.
    ///
    /// # Safety
    /// GIL held; called by CPython on an instance of this type.
    #[allow(unsafe_op_in_unsafe_fn)]
    unsafe extern "C" fn dealloc(object: *mut PyObject) {
        let stop: *mut ffi::PyStopIterationObject = object.cast();
        ffi::PyObject_GC_UnTrack(object.cast());
        for field in [
            &raw mut (*stop).value,
            &raw mut (*stop).traceback,
            &raw mut (*stop).context,
            &raw mut (*stop).cause,
            &raw mut (*stop).dict,
        ] {
            ffi::Py_XDECREF(mem::replace(&mut *field, ptr::null_mut()));
        }
        let kind = ffi::Py_TYPE(object);
        if !(*KIND.get(Python::assume_attached()).free.get()).push(NonNull::new_unchecked(object.cast())) {
            ffi::Py_XDECREF(mem::replace(&mut (*stop).args, ptr::null_mut()));
            ffi::PyObject_GC_Del(object.cast());
        }
        ffi::Py_DECREF(kind.cast());
    }
}
