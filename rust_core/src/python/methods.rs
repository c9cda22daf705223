//! Methods that are called without a frame and yet known as coroutine functions.
//!
//! A method descriptor of CPython's own cannot carry asyncio's and inspect's marks. This one keeps its fast unbound call
//! (`Py_TPFLAGS_METHOD_DESCRIPTOR`) and gives a marked callable where it is bound.
//!
//! # Safety (the whole file)
//! Slots and getters: CPython calls them with the GIL held, on instances of the two types, whose fields are set once, in
//! `new_method` and `bind`, before anybody sees the object.
#![allow(unsafe_code, unsafe_op_in_unsafe_fn)]

use super::arguments::Arguments;
use super::descriptions::{Description, METHODS};
use super::gil_cell::GilCell;
use super::heap_type::{self, attribute, slot};
use super::store::Store;
use pyo3::exceptions::PyAttributeError;
use pyo3::ffi::{self, PyObject, PyTypeObject};
use pyo3::prelude::*;
use pyo3::types::PyString;
use std::ffi::{CStr, c_int, c_ulong, c_void};
use std::mem::offset_of;
use std::ptr;

type Vectorcall = unsafe extern "C" fn(*mut PyObject, *const *mut PyObject, usize, *mut PyObject) -> *mut PyObject;

#[repr(C)]
struct Method {
    head: PyObject,
    vectorcall: Vectorcall,
    description: &'static Description,
}

#[repr(C)]
struct BoundMethod {
    head: PyObject,
    vectorcall: Vectorcall,
    description: &'static Description,
    method: *mut PyObject, // owned
    this: *mut PyObject,   // owned
}

#[cfg(Py_3_10)]
const IMMUTABLE: c_ulong = ffi::Py_TPFLAGS_IMMUTABLETYPE;
#[cfg(not(Py_3_10))]
const IMMUTABLE: c_ulong = 0;

struct Types {
    bound: *mut PyTypeObject,
    store: *mut PyTypeObject,
    /// The first concrete class that was used, kept alive for ever: it needs no walk up its bases.
    usual: *mut PyTypeObject,
}

static TYPES: GilCell<Types> =
    GilCell::new(Types { bound: ptr::null_mut(), store: ptr::null_mut(), usual: ptr::null_mut() });

// ---- calls ---------------------------------------------------------------------------------------------------------

unsafe extern "C" fn call_unbound(
    object: *mut PyObject,
    args: *const *mut PyObject,
    flags: usize,
    names: *mut PyObject,
) -> *mut PyObject {
    let description = (*object.cast::<Method>()).description;
    let count = ffi::PyVectorcall_NARGS(flags) as usize;
    if count == 0 || !is_store(*args) {
        return refuse(description);
    }
    (description.function)(*args, Arguments::new(args.add(1), count - 1, names))
}

unsafe extern "C" fn call_bound(
    object: *mut PyObject,
    args: *const *mut PyObject,
    flags: usize,
    names: *mut PyObject,
) -> *mut PyObject {
    let bound: *mut BoundMethod = object.cast();
    let count = ffi::PyVectorcall_NARGS(flags) as usize;
    ((*bound).description.function)((*bound).this, Arguments::new(args, count, names))
}

#[inline(always)]
unsafe fn is_store(object: *mut PyObject) -> bool {
    ffi::Py_TYPE(object) == (*TYPES.get()).usual || is_other_store(object)
}

#[cold]
unsafe fn is_other_store(object: *mut PyObject) -> bool {
    let types = &mut *TYPES.get();
    let kind = ffi::Py_TYPE(object);
    let is_store = ffi::PyType_IsSubtype(kind, types.store) != 0;
    if is_store && types.usual.is_null() {
        ffi::Py_INCREF(kind.cast());
        types.usual = kind;
    }
    is_store
}

#[cold]
unsafe fn refuse(description: &Description) -> *mut PyObject {
    let message = format!("{}() needs a store as its first argument", description.name);
    pyo3::exceptions::PyTypeError::new_err(message).restore(Python::assume_attached());
    ptr::null_mut()
}

/// `__get__`
unsafe extern "C" fn bind(method: *mut PyObject, this: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    if this.is_null() || this == ffi::Py_None() {
        ffi::Py_INCREF(method);
        return method;
    }
    let description = (*method.cast::<Method>()).description;
    if !is_store(this) {
        return refuse(description);
    }
    let bound: *mut BoundMethod = ffi::PyObject_GC_New((*TYPES.get()).bound);
    if bound.is_null() {
        return ptr::null_mut();
    }
    ffi::Py_INCREF(method);
    ffi::Py_INCREF(this);
    (*bound).vectorcall = call_bound;
    (*bound).description = description;
    (*bound).method = method;
    (*bound).this = this;
    ffi::PyObject_GC_Track(bound.cast());
    bound.cast()
}

/// `__get__` of one that is bound: it stays so, as Python's own do. By having it, `inspect.isroutine` knows it.
unsafe extern "C" fn stay_bound(bound: *mut PyObject, _: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    ffi::Py_INCREF(bound);
    bound
}

// ---- life ----------------------------------------------------------------------------------------------------------

unsafe extern "C" fn dealloc_method(object: *mut PyObject) {
    ffi::PyObject_GC_UnTrack(object.cast());
    let kind = ffi::Py_TYPE(object);
    ffi::PyObject_GC_Del(object.cast());
    ffi::Py_DECREF(kind.cast());
}

unsafe extern "C" fn traverse_method(object: *mut PyObject, visit: ffi::visitproc, data: *mut c_void) -> c_int {
    visit(ffi::Py_TYPE(object).cast(), data)
}

unsafe extern "C" fn dealloc_bound(object: *mut PyObject) {
    ffi::PyObject_GC_UnTrack(object.cast());
    let bound: *mut BoundMethod = object.cast();
    let (method, this) = ((*bound).method, (*bound).this);
    let kind = ffi::Py_TYPE(object);
    ffi::PyObject_GC_Del(object.cast());
    ffi::Py_DECREF(method);
    ffi::Py_DECREF(this);
    ffi::Py_DECREF(kind.cast());
}

unsafe extern "C" fn traverse_bound(object: *mut PyObject, visit: ffi::visitproc, data: *mut c_void) -> c_int {
    let bound: *mut BoundMethod = object.cast();
    for referent in [ffi::Py_TYPE(object).cast(), (*bound).method, (*bound).this] {
        let stop = visit(referent, data);
        if stop != 0 {
            return stop;
        }
    }
    0
}

// ---- equality ------------------------------------------------------------------------------------------------------

unsafe extern "C" fn compare(a: *mut PyObject, b: *mut PyObject, operation: c_int) -> *mut PyObject {
    let kind = (*TYPES.get()).bound;
    if ffi::Py_TYPE(a) != kind || ffi::Py_TYPE(b) != kind || !matches!(operation, ffi::Py_EQ | ffi::Py_NE) {
        let answer = ffi::Py_NotImplemented();
        ffi::Py_INCREF(answer);
        return answer;
    }
    let (a, b): (*mut BoundMethod, *mut BoundMethod) = (a.cast(), b.cast());
    let equal = (*a).method == (*b).method && (*a).this == (*b).this;
    ffi::PyBool_FromLong((equal == (operation == ffi::Py_EQ)).into())
}

unsafe extern "C" fn hash(object: *mut PyObject) -> ffi::Py_hash_t {
    let bound: *mut BoundMethod = object.cast();
    let mixed = ((*bound).this as isize >> 4) ^ ((*bound).method as isize).rotate_left(17);
    if mixed == -1 { -2 } else { mixed }
}

// ---- attributes ----------------------------------------------------------------------------------------------------

/// The description of either type.
unsafe fn description_of(object: *mut PyObject) -> &'static Description {
    (*object.cast::<Method>()).description // both begin alike
}

unsafe fn answer(result: PyResult<Bound<'_, PyAny>>) -> *mut PyObject {
    result.map_or_else(
        |error| {
            error.restore(Python::assume_attached());
            ptr::null_mut()
        },
        Bound::into_ptr,
    )
}

unsafe fn text(text: &str) -> *mut PyObject {
    PyString::new(Python::assume_attached(), text).into_ptr()
}

unsafe extern "C" fn get_name(object: *mut PyObject, _: *mut c_void) -> *mut PyObject {
    text(description_of(object).name)
}

unsafe extern "C" fn get_qualified_name(object: *mut PyObject, _: *mut c_void) -> *mut PyObject {
    text(&format!("AsyncDictSQLite.{}", description_of(object).name))
}

unsafe extern "C" fn get_doc(object: *mut PyObject, _: *mut c_void) -> *mut PyObject {
    text(description_of(object).doc)
}

unsafe extern "C" fn get_signature(object: *mut PyObject, _: *mut c_void) -> *mut PyObject {
    let py = Python::assume_attached();
    let parameters = description_of(object).parameters;
    let own = if ffi::Py_TYPE(object) == (*TYPES.get()).bound { "" } else { "self, " };
    let make = || {
        let source = std::ffi::CString::new(format!("lambda {own}{parameters}: None"))?;
        py.import("inspect")?.call_method1("signature", (py.eval(&source, None, None)?,))
    };
    answer(make())
}

unsafe extern "C" fn get_asyncio_mark(object: *mut PyObject, _: *mut c_void) -> *mut PyObject {
    answer(mark(object, |py| py.import("asyncio.coroutines")?.getattr("_is_coroutine")))
}

/// Python 3.12: what `inspect.markcoroutinefunction` puts on a function.
unsafe extern "C" fn get_inspect_mark(object: *mut PyObject, _: *mut c_void) -> *mut PyObject {
    answer(mark(object, |py| {
        let function = py.eval(c"lambda: None", None, None)?;
        py.import("inspect")?.call_method1("markcoroutinefunction", (&function,))?;
        function.getattr("_is_coroutine_marker")
    }))
}

type Mark = fn(Python<'_>) -> PyResult<Bound<'_, PyAny>>;

unsafe fn mark<'py>(object: *mut PyObject, mark: Mark) -> PyResult<Bound<'py, PyAny>> {
    if !description_of(object).is_coroutine_function {
        return Err(PyAttributeError::new_err("not a coroutine function"));
    }
    mark(Python::assume_attached())
}

unsafe extern "C" fn get_self(object: *mut PyObject, _: *mut c_void) -> *mut PyObject {
    let this = (*object.cast::<BoundMethod>()).this;
    ffi::Py_INCREF(this);
    this
}

unsafe extern "C" fn get_function(object: *mut PyObject, _: *mut c_void) -> *mut PyObject {
    let method = (*object.cast::<BoundMethod>()).method;
    ffi::Py_INCREF(method);
    method
}

unsafe extern "C" fn represent(object: *mut PyObject) -> *mut PyObject {
    let py = Python::assume_attached();
    let name = description_of(object).name;
    if ffi::Py_TYPE(object) != (*TYPES.get()).bound {
        return text(&format!("<method {name} of AsyncDictSQLite>"));
    }
    let this = Borrowed::from_ptr(py, (*object.cast::<BoundMethod>()).this);
    answer(this.repr().map(|shown| PyString::new(py, &format!("<bound method {name} of {shown}>")).into_any()))
}

// ---- the types -----------------------------------------------------------------------------------------------------

fn attributes(of_bound: bool) -> Vec<ffi::PyGetSetDef> {
    let mut all = vec![
        attribute(c"__name__", get_name, None),
        attribute(c"__qualname__", get_qualified_name, None),
        attribute(c"__doc__", get_doc, None),
        attribute(c"__signature__", get_signature, None),
        attribute(c"_is_coroutine", get_asyncio_mark, None),
        attribute(c"_is_coroutine_marker", get_inspect_mark, None),
    ];
    if of_bound {
        all.push(attribute(c"__self__", get_self, None));
        all.push(attribute(c"__func__", get_function, None));
    }
    all.push(ffi::PyGetSetDef::default());
    all
}

/// Where CPython finds the function for a vectorcall.
fn members(vectorcall_offset: usize) -> Vec<ffi::PyMemberDef> {
    let offset = vectorcall_offset as ffi::Py_ssize_t;
    let name = c"__vectorcalloffset__".as_ptr();
    vec![
        ffi::PyMemberDef { name, type_code: ffi::Py_T_PYSSIZET, offset, flags: ffi::Py_READONLY, doc: ptr::null() },
        // SAFETY: the end of the table is all zeros, by CPython's convention.
        unsafe { std::mem::zeroed() },
    ]
}

unsafe fn make_type(
    py: Python<'_>,
    name: &'static CStr,
    size: usize,
    flags: c_ulong,
    of_bound: bool,
    mut own: Vec<ffi::PyType_Slot>,
) -> PyResult<*mut PyTypeObject> {
    const _: () = assert!(offset_of!(Method, vectorcall) == offset_of!(BoundMethod, vectorcall));
    own.push(slot(ffi::Py_tp_call, ffi::PyVectorcall_Call as *mut c_void));
    own.push(slot(ffi::Py_tp_repr, represent as *mut c_void));
    own.push(slot(ffi::Py_tp_getset, attributes(of_bound).leak().as_mut_ptr().cast()));
    own.push(slot(ffi::Py_tp_members, members(offset_of!(Method, vectorcall)).leak().as_mut_ptr().cast()));
    heap_type::make(py, name, size, ffi::Py_TPFLAGS_HAVE_VECTORCALL | flags, own, ptr::null_mut())
}

unsafe fn new_method<'py>(
    py: Python<'py>,
    kind: *mut PyTypeObject,
    description: &'static Description,
) -> PyResult<Bound<'py, PyAny>> {
    let method: *mut Method = ffi::PyObject_GC_New(kind);
    if method.is_null() {
        return Err(PyErr::fetch(py));
    }
    (*method).vectorcall = call_unbound;
    (*method).description = description;
    ffi::PyObject_GC_Track(method.cast());
    Ok(Bound::from_owned_ptr(py, method.cast()))
}

/// Put the methods into the class; once, from the module's init.
pub fn install(py: Python<'_>) -> PyResult<()> {
    let class = py.get_type::<Store>();
    // SAFETY: the slots are functions of the right kinds; `TYPES` is set before a method can be called.
    unsafe {
        let method_slots = vec![
            slot(ffi::Py_tp_dealloc, dealloc_method as *mut c_void),
            slot(ffi::Py_tp_traverse, traverse_method as *mut c_void),
            slot(ffi::Py_tp_descr_get, bind as *mut c_void),
        ];
        let bound_slots = vec![
            slot(ffi::Py_tp_dealloc, dealloc_bound as *mut c_void),
            slot(ffi::Py_tp_traverse, traverse_bound as *mut c_void),
            slot(ffi::Py_tp_descr_get, stay_bound as *mut c_void),
            slot(ffi::Py_tp_richcompare, compare as *mut c_void),
            slot(ffi::Py_tp_hash, hash as *mut c_void),
        ];
        // CPython specialises the lookup (LOAD_METHOD) of descriptors of immutable types alone.
        let descriptor = ffi::Py_TPFLAGS_METHOD_DESCRIPTOR | IMMUTABLE;
        let method =
            make_type(py, c"asyncdictsqlite._rust.Method", size_of::<Method>(), descriptor, false, method_slots)?;
        let bound =
            make_type(py, c"asyncdictsqlite._rust.BoundMethod", size_of::<BoundMethod>(), 0, true, bound_slots)?;
        *TYPES.get() = Types { bound, store: class.as_type_ptr(), usual: ptr::null_mut() };
        for description in &METHODS {
            class.setattr(description.name, new_method(py, method, description)?)?;
        }
    }
    Ok(())
}
