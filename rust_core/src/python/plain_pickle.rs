//! Pickles that name nothing: exact builtins inside of exact lists, tuples and dicts, by CPython's own C functions.
//!
//! What is not surely plain goes to the codec, which knows all rules and words all errors.
use super::reference::{Object, Ref, all_items, all_pairs, sequence_len, without_collections};
use super::value::{MOST_NODES, is_atom, takes};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString};

const PROTOCOL: i32 = 5;
/// As in the codec: beyond, hashing or releasing what nests could exhaust the C stack.
const MOST_NESTING: usize = 20_000;

/// The pickle of a list, tuple or dict that is plain and whose dicts have atoms as keys. None, without an exception:
/// ask the codec. May run Python code, but not while the value is looked at: nothing may change it meanwhile.
pub fn dumps(value: Object<'_, '_>) -> Option<Ref> {
    static DUMPS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    if is_atom(value) || !is_plain(value, &mut { MOST_NODES }) {
        return None;
    }
    let py = value.py();
    let dumps = DUMPS.get_or_try_init(py, || function(py, intern!(py, "dumps"))).ok()?;
    let encoded: Ref = without_collections(py, || dumps.bind(py).call1((value, PROTOCOL))).ok()?.into();
    (cfg!(Py_3_10) || names_nothing(encoded.bytes())).then_some(encoded)
}

/// The value of a plain pickle. None, without an exception: ask the codec. May run Python code as `dumps` may.
pub fn loads(py: Python<'_>, encoded: &Ref) -> Option<Ref> {
    if names_nothing(encoded.bytes()) { loads_known(py, encoded) } else { None }
}

/// The same for one that is known to be plain.
pub fn loads_known(py: Python<'_>, encoded: &Ref) -> Option<Ref> {
    static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let loads = LOADS.get_or_try_init(py, || function(py, intern!(py, "loads"))).ok()?;
    loads.bind(py).call1((encoded.bind(py),)).ok().map(Ref::from)
}

fn function(py: Python<'_>, name: &Bound<'_, PyString>) -> PyResult<Py<PyAny>> {
    Ok(py.import("pickle")?.getattr(name)?.unbind())
}

/// Each level of nesting takes a node, so that no tree is deep.
fn is_plain(value: Object<'_, '_>, nodes: &mut usize) -> bool {
    if is_atom(value) {
        return true;
    }
    if let Ok(dict) = value.cast_exact::<PyDict>() {
        return takes(dict.len(), nodes) && all_pairs(value, |key, value| is_atom(key) && is_plain(value, nodes));
    }
    sequence_len(value).is_some_and(|items| takes(items, nodes)) && all_items(value, |&item| is_plain(item, nodes))
}

/// Whether loading runs no code, allocates a constant times the length at most, and hashes nothing costly: it has none
/// but the opcodes with which protocols 2 to 5 write builtins, and no tuple that is used twice (the hash of tuples that
/// share tuples takes exponential time). Such a stream may still be broken in ways that the loader refuses.
fn names_nothing(data: &[u8]) -> bool {
    let mut stream = Stream { data, at: 0 };
    let (mut memoized, mut nestings, mut fresh) = (0usize, 0usize, false);
    let mut tuples = Vec::new(); // memo indexes, sorted as they come
    while let Some(opcode) = stream.byte() {
        let was_fresh = std::mem::take(&mut fresh);
        let known = match opcode {
            // MARK, APPEND, APPENDS, SETITEM, SETITEMS, ADDITEMS, None, True, False, EMPTY_TUPLE
            b'(' | b'a' | b'e' | b's' | b'u' | 0x90 | b'N' | 0x88 | 0x89 | b')' => true,
            b'K' => stream.skip(1),
            0x80 => stream.byte().is_some_and(|version| (2..=5).contains(&version)),
            b'M' => stream.skip(2),
            b'J' => stream.skip(4),
            b'G' | 0x95 => stream.skip(8), // FRAME, too
            b']' | b'}' | 0x8f => {
                fresh = true;
                true
            }
            // SHORT_BINUNICODE, SHORT_BINBYTES, LONG1
            0x8c | b'C' | 0x8a => {
                fresh = true;
                stream.number(1).is_some_and(|size| stream.skip(size))
            }
            // BINUNICODE, BINBYTES, LONG4
            b'X' | b'B' | 0x8b => {
                fresh = true;
                stream.number(4).is_some_and(|size| stream.skip(size))
            }
            // BINUNICODE8, BINBYTES8, BYTEARRAY8
            0x8d | 0x8e | 0x96 => {
                fresh = true;
                stream.number(8).is_some_and(|size| stream.skip(size))
            }
            // TUPLE, TUPLE1, TUPLE2, TUPLE3, FROZENSET
            b't' | 0x85 | 0x86 | 0x87 | 0x91 => {
                nestings += 1;
                nestings <= MOST_NESTING
            }
            // MEMOIZE
            0x94 => {
                if !was_fresh {
                    tuples.push(memoized);
                }
                memoized += 1;
                true
            }
            b'h' => stream.number(1).is_some_and(|index| tuples.binary_search(&index).is_err()),
            b'j' => stream.number(4).is_some_and(|index| tuples.binary_search(&index).is_err()),
            b'.' => return stream.at == data.len(),
            _ => false,
        };
        if !known {
            return false;
        }
    }
    false
}

struct Stream<'a> {
    data: &'a [u8],
    at: usize,
}

impl Stream<'_> {
    #[inline(always)]
    fn byte(&mut self) -> Option<u8> {
        let byte = self.data.get(self.at).copied();
        self.at += 1;
        byte
    }

    #[inline(always)]
    fn skip(&mut self, bytes: usize) -> bool {
        self.at = self.at.saturating_add(bytes);
        self.at < self.data.len() // STOP is still to come
    }

    /// A little-endian number of so many bytes.
    #[inline(always)]
    fn number(&mut self, size: usize) -> Option<usize> {
        let bytes = self.data.get(self.at..self.at.checked_add(size)?)?;
        self.at += size;
        let mut number = [0; 8];
        number[..size].copy_from_slice(bytes);
        usize::try_from(u64::from_le_bytes(number)).ok()
    }
}
