//! Keys: exact strs with their cached hash, and the rules of what may be one.
use super::errors;
use super::reference::{self, Encoded, Exact, Object, Ref, Text};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyString;

const MOST_BYTES: usize = 64 * 1024;

/// A borrowed exact `str` with its hash.
#[derive(Clone, Copy)]
pub struct Key<'a> {
    pub text: Text<'a>,
    pub hash: isize,
}

impl<'a> Key<'a> {
    /// None: not an exact str.
    #[inline(always)]
    pub fn of(object: Object<'a, '_>) -> Option<Self> {
        let text = Text::of(object)?;
        Some(Self { text, hash: text.hash() })
    }

    /// The one of a str in memory.
    pub fn of_text(text: &'a Ref<Exact>) -> Self {
        let text = text.text();
        Self { text, hash: text.hash() }
    }

    #[inline(always)]
    pub fn is(&self, other: &Ref<Exact>) -> bool {
        self.text.is(other.text()) || is_equal(self.text, other.text())
    }
}

/// The tables compare seven bits of the hash before.
#[inline(never)]
fn is_equal(one: Text<'_>, other: Text<'_>) -> bool {
    match (one.ascii(), other.ascii()) {
        (Some(one), Some(other)) => one == other,
        _ => one.compare(other).is_eq(),
    }
}

/// A key that was checked, and its UTF-8.
#[derive(Clone)]
pub struct OwnedKey {
    encoded: Encoded,
    pub hash: isize,
}

impl OwnedKey {
    /// The usual key, with no call of the interpreter: an exact `str` of ASCII that is not too long.
    #[inline(always)]
    pub fn ascii(key: &Key<'_>) -> Option<Self> {
        let encoded = Encoded::ascii(key.text)?;
        (encoded.bytes().len() <= MOST_BYTES).then_some(Self { encoded, hash: key.hash })
    }

    /// Check a key as the contract says.
    pub fn check(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = object.py();
        if let Some(key) = Key::of(object.as_borrowed()).and_then(|key| Self::ascii(&key)) {
            return Ok(key);
        }
        let Ok(text) = object.cast::<PyString>() else {
            let kind = object.get_type();
            let shown: String = object.repr()?.to_string_lossy().chars().take(80).collect();
            return Err(PyTypeError::new_err(format!("key must be str, not {}: {shown}", kind.name()?)));
        };
        let exact = reference::exact(text)?;
        let key = Key::of(exact.as_borrowed());
        let Some(key) = key.and_then(|key| Some(Self { encoded: Encoded::of(key.text)?, hash: key.hash })) else {
            let message = format!("key {} holds a lone surrogate, which UTF-8 cannot encode", shown(text)?);
            return Err(errors::named(py, "KeyEncodingError", &message));
        };
        if key.bytes().len() > MOST_BYTES {
            let size = key.bytes().len();
            let message = format!("key {}... is {size} bytes long in UTF-8: at most {MOST_BYTES}", shown(text)?);
            return Err(errors::named(py, "KeyTooLongError", &message));
        }
        Ok(key)
    }

    pub fn text(&self) -> &Ref<Exact> {
        self.encoded.text()
    }

    #[inline(always)]
    pub fn borrow(&self) -> Key<'_> {
        Key { text: self.text().text(), hash: self.hash }
    }

    #[inline(always)]
    pub fn bytes(&self) -> &[u8] {
        self.encoded.bytes()
    }
}

fn shown(text: &Bound<'_, PyString>) -> PyResult<String> {
    Ok(text.repr()?.to_string_lossy().chars().take(40).collect())
}
