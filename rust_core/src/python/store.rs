//! The Python class `Store`: the first base of the backend's store class; its methods are those of `hot`.
use super::engine::Engine;
use super::gil_cell::GilCell;
use super::plain_pickle;
use super::reference::Ref;
use super::value::Kind;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

/// Base of the store class of the backend "rust": the methods `aget`, `aset`, `get` and `set` without a Python frame.
#[pyclass(subclass, frozen, module = "asyncdictsqlite._rust")]
pub struct Store {
    view: GilCell<Option<View>>,
}

/// A table of an engine through a codec: what a store shows while it is open.
pub struct View {
    engine: Ref<Engine>,
    pub table: u32,
    pub kind: Kind,
    pub codec: Ref,
    /// Of an encoded value.
    pub max_value_bytes: usize,
}

impl View {
    #[inline(always)]
    pub fn engine(&self) -> &Engine {
        self.engine.get()
    }

    pub fn engine_object<'py>(&self, py: Python<'py>) -> Bound<'py, Engine> {
        self.engine.bind(py).to_owned()
    }
}

impl Store {
    /// None: unopened, closed or forked. Use it before anything can run Python code.
    #[inline(always)]
    pub fn view<'a>(&'a self, py: Python<'a>) -> Option<&'a View> {
        self.view.look(py).as_ref()
    }

    fn set_view(&self, py: Python<'_>, view: Option<View>) {
        let old = std::mem::replace(self.view.look(py), view);
        drop(old); // when the cell is whole again
    }
}

#[pymethods]
impl Store {
    #[new]
    #[pyo3(signature = (*args, **kwargs))]
    #[allow(unused_variables)]
    fn new(args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self { view: GilCell::new(None) }
    }

    /// Show a table of an open engine.
    fn _bind(&self, engine: &Bound<'_, Engine>, table: &str, codec: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = engine.py();
        let mode: String = codec.getattr("storage_mode")?.extract()?;
        let max_value_bytes = codec.getattr("max_value_bytes")?.extract()?;
        let core = engine.get().core(py);
        let number = core.table(table);
        core.tables[number as usize].storage_mode = Some(mode.as_str().into());
        self.set_view(
            py,
            Some(View {
                engine: Ref::of_class(engine),
                table: number,
                kind: Kind::of_mode(&mode),
                codec: Ref::of(codec),
                max_value_bytes,
            }),
        );
        Ok(())
    }

    /// Show nothing any more.
    fn _unbind(&self, py: Python<'_>) {
        self.set_view(py, None);
    }

    /// Decode a value of that key, as `Table._decode`: a plain pickle without its codec.
    fn _decode<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        data: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        match slf.get().view(py).map(|view| view.kind) {
            Some(Kind::Bytes) => return Ok(data.clone()),
            Some(Kind::Pickle) => {
                if let Some(object) = plain_pickle::loads(py, &Ref::of(data)) {
                    return Ok(object.into_bound(py));
                }
            }
            _ => {}
        }
        slf.call_method1(intern!(py, "_unopened"), (intern!(py, "_decode"), (key, data)))
    }

    /// Decode a row of a page, as `Table._decode_item`.
    fn _decode_item<'py>(slf: &Bound<'py, Self>, row: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let (key, data): (Bound<'py, PyAny>, Bound<'py, PyAny>) = row.extract()?;
        let value = Self::_decode(slf, &key, &data)?;
        Ok((key, value).into_pyobject(slf.py())?.into_any())
    }

    /// The same, the value alone.
    fn _decode_value<'py>(slf: &Bound<'py, Self>, row: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let (key, data): (Bound<'py, PyAny>, Bound<'py, PyAny>) = row.extract()?;
        Self::_decode(slf, &key, &data)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(view) = self.view.in_traverse(&visit) else { return Ok(()) };
        visit.call(view.engine.as_py())?;
        visit.call(view.codec.as_py())
    }

    fn __clear__(&self, py: Python<'_>) {
        self.set_view(py, None);
    }
}
