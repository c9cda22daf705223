//! The methods of `Store`: their names, parameters and documentation.
use super::arguments::Arguments;
use super::hot::This;
use super::reference::Ref;
use super::{batch, hot};

/// None: an exception is set.
type Function = for<'a, 'py> fn(This<'a, 'py>, Arguments<'a, 'py>) -> Option<Ref>;

/// What there is to know of a method.
pub struct Description {
    pub name: &'static str,
    pub doc: &'static str,
    /// Parameters after `self`, as Python writes them.
    pub parameters: &'static str,
    pub function: Function,
    pub is_coroutine_function: bool,
}

const AGET_DOC: &str = "Return the value of a key, or the default; never a KeyError.\n\n\
    Guarantee: the newest acknowledged value (lazy, memory: the newest written one).\n\
    Cost: a hit touches neither disk nor thread.";
const ASET_DOC: &str = "Set a key; the value is encoded, and so snapshotted, at the call.\n\n\
    Guarantee: as the persist mode says: writethrough returns when committed (and synced).\n\n\
    Raises:\n    InvalidKeyError, InvalidValueError: at the call; nothing changed.\n    \
    StorageError: the write did not apply (`applied` False) or nobody knows (None).";

pub static METHODS: [Description; 8] = [
    Description {
        name: "aget",
        doc: AGET_DOC,
        parameters: "key, default=None",
        function: hot::aget,
        is_coroutine_function: true,
    },
    Description {
        name: "aset",
        doc: ASET_DOC,
        parameters: "key, value",
        function: hot::aset,
        is_coroutine_function: true,
    },
    Description {
        name: "get",
        doc: "Return the value of a key, or the default; see `aget`.",
        parameters: "key, default=None",
        function: hot::get,
        is_coroutine_function: false,
    },
    Description {
        name: "set",
        doc: "Set a key; see `aset`.",
        parameters: "key, value",
        function: hot::set,
        is_coroutine_function: false,
    },
    Description {
        name: "abatch_get",
        doc: "Return the values in the order given, the default where missing; duplicates are allowed.",
        parameters: "keys, default=None",
        function: batch::abatch_get,
        is_coroutine_function: true,
    },
    Description {
        name: "abatch_set",
        doc: "Set many keys, all or none; of duplicates the last wins.\n\n\
    Args:\n    items: a mapping, or (key, value) pairs.",
        parameters: "items",
        function: batch::abatch_set,
        is_coroutine_function: true,
    },
    Description {
        name: "batch_get",
        doc: "Return the values in the order given, the default where missing.",
        parameters: "keys, default=None",
        function: batch::batch_get,
        is_coroutine_function: false,
    },
    Description {
        name: "batch_set",
        doc: "Set many keys, all or none; of duplicates the last wins.",
        parameters: "items",
        function: batch::batch_set,
        is_coroutine_function: false,
    },
];
