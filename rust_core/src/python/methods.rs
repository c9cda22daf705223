//! Methods that are called without a frame and yet known as coroutine functions.
//!
//! A method descriptor of CPython's own cannot carry asyncio's and inspect's marks. This one keeps its fast unbound call
//! (`Py_TPFLAGS_METHOD_DESCRIPTOR`) and gives a marked callable where it is bound.
use super::arguments::Arguments;
use super::descriptions::{Description, METHODS};
use super::heap_type::{Callable, Content, Kind, Spec, This, Visitor};
use super::reference::{Object, Ref, Usual};
use super::store::Store;
use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::prelude::*;

struct Method {
    description: &'static Description,
}

struct BoundMethod {
    description: &'static Description,
    method: Ref,
    store: Ref<Store>,
}

static METHOD: Kind<Callable<Method>> = Kind::new();
static BOUND: Kind<Callable<BoundMethod>> = Kind::new();
static STORES: Usual<Store> = Usual::new();

impl Content for Callable<Method> {
    fn kind() -> &'static Kind<Self> {
        &METHOD
    }

    fn traverse(&self, _: &mut Visitor) {}
}

impl Content for Callable<BoundMethod> {
    fn kind() -> &'static Kind<Self> {
        &BOUND
    }

    fn traverse(&self, visitor: &mut Visitor) {
        visitor.reference(&self.method);
        visitor.reference(&self.store);
    }
}

type Unbound<'a, 'py> = This<'a, 'py, Callable<Method>>;
type Bounded<'a, 'py> = This<'a, 'py, Callable<BoundMethod>>;

// ---- calls ---------------------------------------------------------------------------------------------------------

#[inline(always)]
fn call_unbound(this: Unbound<'_, '_>, arguments: Arguments<'_, '_>) -> Option<Ref> {
    let Some((store, arguments)) = arguments.split_first() else { return refuse(this) };
    let Some(store) = STORES.cast(store) else { return refuse(this) };
    (this.description.function)(store, arguments)
}

#[inline(always)]
fn call_bound(this: Bounded<'_, '_>, arguments: Arguments<'_, '_>) -> Option<Ref> {
    (this.description.function)(this.store.bind(this.py()), arguments)
}

#[cold]
fn refuse(this: Unbound<'_, '_>) -> Option<Ref> {
    let message = format!("{}() needs a store as its first argument", this.description.name);
    PyTypeError::new_err(message).restore(this.py());
    None
}

/// `__get__`
fn bind(this: Unbound<'_, '_>, store: Object<'_, '_>) -> Option<Ref> {
    let Some(store) = STORES.cast(store) else { return refuse(this) };
    let content = || BoundMethod { description: this.description, method: this.to_ref(), store: Ref::of_class(&store) };
    let bound = BOUND.instance(this.py(), || Callable::new(content(), call_bound))?;
    if let Some(made) = BOUND.cast(bound.bind(this.py())) {
        made.track(true);
    }
    Some(bound)
}

// ---- attributes ----------------------------------------------------------------------------------------------------

/// What both kinds tell.
trait Described {
    /// As `inspect` shows it.
    const SELF: &'static str;

    fn description(&self) -> &'static Description;
}

impl Described for Callable<Method> {
    const SELF: &'static str = "self, ";

    fn description(&self) -> &'static Description {
        self.description
    }
}

impl Described for Callable<BoundMethod> {
    const SELF: &'static str = "";

    fn description(&self) -> &'static Description {
        self.description
    }
}

fn answer(py: Python<'_>, result: PyResult<Bound<'_, PyAny>>) -> Option<Ref> {
    result.map_err(|error| error.restore(py)).ok().map(Ref::from)
}

fn get_signature<T: Described>(this: This<'_, '_, T>) -> Option<Ref> {
    let py = this.py();
    let make = || {
        let source = std::ffi::CString::new(format!("lambda {}{}: None", T::SELF, this.description().parameters))?;
        py.import("inspect")?.call_method1("signature", (py.eval(&source, None, None)?,))
    };
    answer(py, make())
}

fn get_asyncio_mark<T: Described>(this: This<'_, '_, T>) -> Option<Ref> {
    answer(this.py(), mark(this, |py| py.import("asyncio.coroutines")?.getattr("_is_coroutine")))
}

/// Python 3.12: what `inspect.markcoroutinefunction` puts on a function.
fn get_inspect_mark<T: Described>(this: This<'_, '_, T>) -> Option<Ref> {
    let make = |py: Python<'_>| {
        let function = py.eval(c"lambda: None", None, None)?;
        py.import("inspect")?.call_method1("markcoroutinefunction", (&function,))?;
        Ok(function.getattr("_is_coroutine_marker")?.unbind())
    };
    answer(this.py(), mark(this, |py| make(py).map(|mark| mark.into_bound(py))))
}

fn mark<'py, T: Described>(
    this: This<'_, 'py, T>,
    mark: impl Fn(Python<'py>) -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    if !this.description().is_coroutine_function {
        return Err(PyAttributeError::new_err("not a coroutine function"));
    }
    mark(this.py())
}

fn show_bound(this: Bounded<'_, '_>) -> Option<Ref> {
    let py = this.py();
    let shown = this.store.bind(py).repr();
    let shown = shown.map(|shown| format!("<bound method {} of {shown}>", this.description.name));
    shown.map_err(|error| error.restore(py)).ok().map(|shown| Ref::of_text(py, &shown))
}

// ---- the types -----------------------------------------------------------------------------------------------------

fn described<T: Content + Described>() -> Spec<T> {
    Spec::new()
        .attribute(c"__name__", |this: This<'_, '_, T>| Some(Ref::of_text(this.py(), this.description().name)))
        .attribute(c"__qualname__", |this: This<'_, '_, T>| {
            Some(Ref::of_text(this.py(), &format!("AsyncDictSQLite.{}", this.description().name)))
        })
        .attribute(c"__doc__", |this: This<'_, '_, T>| Some(Ref::of_text(this.py(), this.description().doc)))
        .attribute(c"__signature__", get_signature::<T>)
        .attribute(c"_is_coroutine", get_asyncio_mark::<T>)
        .attribute(c"_is_coroutine_marker", get_inspect_mark::<T>)
}

/// Put the methods into the class; once, from the module's init.
pub fn install(py: Python<'_>) -> PyResult<()> {
    described::<Callable<Method>>()
        .called()
        .method_descriptor()
        .binding(bind)
        .repr(|this: Unbound<'_, '_>| {
            Some(Ref::of_text(this.py(), &format!("<method {} of AsyncDictSQLite>", this.description.name)))
        })
        .make(py, c"asyncdictsqlite._rust.Method")?;
    described::<Callable<BoundMethod>>()
        .called()
        .bound() // as Python's own do; by having it, `inspect.isroutine` knows it
        .attribute(c"__self__", |this: Bounded<'_, '_>| Some(this.store.clone().untyped()))
        .attribute(c"__func__", |this: Bounded<'_, '_>| Some(this.method.clone()))
        .repr(show_bound)
        .equality(is_equal, hash)
        .make(py, c"asyncdictsqlite._rust.BoundMethod")?;
    let class = py.get_type::<Store>();
    for description in &METHODS {
        let method = METHOD.instance(py, || Callable::new(Method { description }, call_unbound));
        class.setattr(description.name, method.ok_or_else(|| PyErr::fetch(py))?.into_bound(py))?;
    }
    Ok(())
}

fn is_equal(one: Bounded<'_, '_>, other: Bounded<'_, '_>) -> bool {
    one.method.as_ptr() == other.method.as_ptr() && one.store.as_ptr() == other.store.as_ptr()
}

fn hash(this: Bounded<'_, '_>) -> isize {
    (this.store.as_ptr() as isize >> 4) ^ (this.method.as_ptr() as isize).rotate_left(17)
}
