//! Arguments of a vectorcall.
use super::reference::{Object, Ref};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// Borrowed for the time of the call.
#[derive(Clone, Copy)]
pub struct Arguments<'a, 'py> {
    /// The positional ones, then one for each of `names`.
    all: &'a [Object<'a, 'py>],
    names: Option<Borrowed<'a, 'py, PyTuple>>,
}

impl<'a, 'py> Arguments<'a, 'py> {
    #[inline(always)]
    pub fn new(all: &'a [Object<'a, 'py>], names: Option<Borrowed<'a, 'py, PyTuple>>) -> Self {
        Self { all, names }
    }

    /// The first positional one, and the rest.
    #[inline(always)]
    pub fn split_first(self) -> Option<(Object<'a, 'py>, Self)> {
        let (first, rest) = self.all.split_first()?;
        (rest.len() >= self.named()).then_some((*first, Self { all: rest, names: self.names }))
    }

    /// The argument, where there is just one, by position.
    #[inline(always)]
    pub fn only(&self) -> Option<Object<'a, 'py>> {
        match self.all {
            [only] if self.names.is_none() => Some(*only),
            _ => None,
        }
    }

    /// The first one, where there is at most one more, both by position.
    #[inline(always)]
    pub fn first_of_two(&self) -> Option<Object<'a, 'py>> {
        match self.all {
            [first] | [first, _] if self.names.is_none() => Some(*first),
            _ => None,
        }
    }

    /// The two arguments, where there are just two, by position.
    #[inline(always)]
    pub fn pair(&self) -> Option<[Object<'a, 'py>; 2]> {
        match self.all {
            [one, two] if self.names.is_none() => Some([*one, *two]),
            _ => None,
        }
    }

    #[inline(always)]
    fn named(&self) -> usize {
        self.names.map_or(0, |names| names.len())
    }

    pub fn positional(&self) -> &'a [Object<'a, 'py>] {
        &self.all[..self.all.len() - self.named()]
    }

    /// The argument by name, where there is just one.
    #[inline(always)]
    pub fn only_named(&self) -> Option<Object<'a, 'py>> {
        (self.named() == 1).then(|| self.all.last().copied()).flatten()
    }

    /// (name, argument)
    pub fn keywords(&self) -> impl Iterator<Item = (Bound<'py, PyAny>, Object<'a, 'py>)> + use<'a, 'py> {
        let names = self.names.map(|names| names.iter().collect::<Vec<_>>()).unwrap_or_default();
        names.into_iter().zip(self.all[self.all.len() - self.named()..].iter().copied())
    }
}

/// Match arguments to two parameters, the first `required` of which must be given.
pub fn parse(
    function: &str,
    parameters: [&str; 2],
    required: usize,
    arguments: Arguments<'_, '_>,
) -> PyResult<[Option<Ref>; 2]> {
    let mut found = [None, None];
    let positional = arguments.positional();
    if positional.len() > found.len() {
        let message =
            format!("{function}() takes 2 arguments ({}), but {} were given", parameters.join(", "), positional.len());
        return Err(PyTypeError::new_err(message));
    }
    for (slot, object) in found.iter_mut().zip(positional) {
        *slot = Some(Ref::of(object));
    }
    for (name, object) in arguments.keywords() {
        let name = name.to_string();
        let index = parameters.iter().position(|parameter| *parameter == name);
        match index.map(|index| &mut found[index]) {
            Some(slot) if slot.is_none() => *slot = Some(Ref::of(&object)),
            Some(_) => return Err(PyTypeError::new_err(format!("{function}() got two values for {name:?}"))),
            None => return Err(PyTypeError::new_err(format!("{function}() has no parameter {name:?}"))),
        }
    }
    if let Some(missing) = (0..required).find(|&index| found[index].is_none()) {
        return Err(PyTypeError::new_err(format!("{function}() misses its argument {:?}", parameters[missing])));
    }
    Ok(found)
}
