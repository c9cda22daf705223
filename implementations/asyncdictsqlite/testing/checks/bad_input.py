"""Section 6: each row of the table of bad input, and the error tree."""

from __future__ import annotations

import hashlib
import os
from typing import Any, Dict, List, Tuple

from ... import (
    AsyncDictSQLite,
    ConfigError,
    InvalidTableNameError,
    NotADatabaseError,
    ReadOnlyError,
    SchemaMismatchError,
    StorageError,
    errors,
)
from ...protocol import Capability
from ..check import Bench, check
from ..expect import equal, raises, same

_FILE = frozenset({Capability.WRITETHROUGH})

_TREE: Dict[str, Tuple[str, ...]] = {
    "ConfigError": ("AsyncDictError", "ValueError"), "UnknownBackendError": ("ConfigError", ),
    "InvalidTableNameError": ("ConfigError", ), "StorageModeMismatchError": ("ConfigError", ),
    "InvalidKeyError": ("AsyncDictError", "ValueError"), "KeyEncodingError": ("InvalidKeyError", ),
    "KeyTooLongError": ("InvalidKeyError", ), "InvalidValueError": ("AsyncDictError", ),
    "ValueEncodingError": ("InvalidValueError", "TypeError"), "ValueDecodingError": ("InvalidValueError",
    "ValueError"), "ValueTooLargeError": ("InvalidValueError", "ValueError"),
    "UnsafePickleError": ("InvalidValueError", "ValueError"), "StateError": ("AsyncDictError", "RuntimeError"),
    "ClosedError": ("StateError", ), "ForkedError": ("StateError", ), "AlreadyOpenError": ("StateError", ),
    "StorageError": ("AsyncDictError", "OSError"), "LockedError": ("StorageError", ), "ReadOnlyError": ("StorageError",
    "PermissionError"), "DiskFullError": ("StorageError", ), "CorruptError": ("StorageError", ),
    "NotADatabaseError": ("StorageError", ), "SchemaMismatchError": ("StorageError", ),
    "FlushFailedError": ("StorageError", ), "DurabilityUnknownError": ("StorageError", ),
    "CapacityExceededError": ("StorageError", "MemoryError"),
}  # fmt: skip


@check("6.1", "6.2")
async def the_error_tree(bench: Bench) -> None:
    """The tree of errors is that of the contract, with `temporary`, and `applied` for storage errors."""
    for name, bases in _TREE.items():
        kind = getattr(errors, name)
        equal((name, tuple(base.__name__ for base in kind.__bases__)), (name, bases))
        assert isinstance(kind.temporary, bool), f"{name}.temporary"
        if issubclass(kind, StorageError):
            assert kind("x").applied in (True, False, None), f"{name}.applied"
    equal(
        [name for name in _TREE if getattr(errors, name).temporary],
        ["LockedError", "DiskFullError", "FlushFailedError"],
    )


@check("6.10", "6.3")
async def bad_table_names(bench: Bench) -> None:
    """A table name of the wrong form, or a reserved one, is an InvalidTableNameError; every other one works."""
    wrong = [
        "",
        "1a",
        "a b",
        "a-b",
        "ä",
        "a.b",
        'a"b',
        "a;b",
        "a\0",
        "a\n",
        "x" * 64,
        "sqlite_x",
        "SQLITE_x",
        "adsq_x",
        "ADSQ_meta",
    ]
    for mode in bench.persist_modes:
        for name in wrong:
            with raises(InvalidTableNameError):
                AsyncDictSQLite("x", persist_mode=mode, table_name=name, backend=bench.backend)
        db = bench.open(f"{mode}.db", persist_mode=mode, table_name="_9")
        for name in wrong:
            with raises(InvalidTableNameError):
                db.table(name)
        for nothing in (None, 1, b"main"):
            with raises(TypeError):
                db.table(nothing)  # type: ignore[arg-type]
        for name in ("x" * 63, "select", "Table", "_", "sqlite", "adsq", "key", "main"):
            await db.table(name).aset("k", name)
            same(await db.table(name).aget("k"), name)


@check("6.11", needs=_FILE)
async def bad_paths(bench: Bench) -> None:
    """NUL: ValueError; a directory: IsADirectoryError; a missing parent: FileNotFoundError; no folder is made."""
    with raises(ValueError, "NUL"):
        await AsyncDictSQLite("a\0b", backend=bench.backend).aget("k")
    (bench.directory / "folder").mkdir()
    for mode in bench.file_modes:
        with raises(IsADirectoryError, "folder"):
            await bench.open("folder", persist_mode=mode).aget("k")
        with raises(FileNotFoundError, "missing"):
            bench.open("missing/x.db", persist_mode=mode).set("k", 1)
        with raises((FileNotFoundError, NotADirectoryError)):
            (bench.directory / "file").write_bytes(b"")
            await bench.open("file/x.db", persist_mode=mode).aget("k")
    equal(sorted(one.name for one in bench.directory.iterdir()), ["file", "folder"])


@check("6.11", needs=_FILE)
async def names_with_a_meaning_elsewhere_are_plain(bench: Bench) -> None:
    """`file:x?mode=ro`, `%41`, `#`, spaces and quotes in a path are plain characters."""
    before = os.getcwd()
    for number, name in enumerate(
        ("file:x.db", "file:y.db?mode=memory", "a%41b.db", "a#b?c.db", "sp ace'\".db", "ü😀.db", "-x.db")
    ):
        db = bench.open(name)
        await db.aset("k", number)
        await db.aclose()
        assert (bench.directory / name).stat().st_size > 0, f"{name!r} is not the file"
        same(await bench.open(name).aget("k"), number)
    os.chdir(bench.directory)
    try:
        relative = AsyncDictSQLite("file:rel.db?mode=memory", backend=bench.backend, persist_mode="writethrough")
        await relative.aset("k", 1)
    finally:
        os.chdir(before)
    await relative.aclose()
    assert (bench.directory / "file:rel.db?mode=memory").exists(), "a relative file: path is a plain path"


@check("6.12", "6.3", needs=_FILE)
async def files_that_are_no_database(bench: Bench) -> None:
    """Garbage, text, or a cut header is a NotADatabaseError and stays as it was; an empty file is a new database."""
    contents = {
        "text": b"hello world\n" * 50,
        "noise": bench.random.getrandbits(8 * 9000).to_bytes(9000, "big"),
        "short": b"x",
        "header": b"SQLite format 3\0",
        "zeros": b"\0" * 4096,
        "gzip": b"\x1f\x8b" + b"x" * 5000,
    }
    for name, content in contents.items():
        path = bench.directory / name
        path.write_bytes(content)
        for mode in bench.file_modes:
            for options in ({}, {"readonly": True}):
                db = bench.open(name, persist_mode=mode, **options)
                with raises(NotADatabaseError, name):
                    await db.aget("k")
                equal((name, path.read_bytes() == content), (name, True))
    (bench.directory / "empty").write_bytes(b"")
    async with bench.open("empty") as db:
        await db.aset("k", 1)
        same(await db.aget("k"), 1)


def _digest(bench: Bench, name: str) -> str:
    return hashlib.sha256((bench.directory / name).read_bytes()).hexdigest()


_FOREIGN = """
import sqlite3, sys
path, *statements = sys.argv[1:]
db = sqlite3.connect(path, isolation_level=None)
for statement in statements:
    db.execute(statement)
db.close()
"""


@check("6.14", "7.2", needs=_FILE)
async def tables_of_another_shape(bench: Bench) -> None:
    """A table of that name with another shape, or that adsq_meta does not know, is a SchemaMismatchError."""
    shapes = [
        "CREATE TABLE t(a, b)",
        "CREATE TABLE t(key TEXT PRIMARY KEY, value BLOB)",
        "CREATE VIEW t AS SELECT 1 AS key, 2 AS value",
    ]
    for number, shape in enumerate(shapes):
        for known in (False, True):
            name = f"{number}{known}.db"
            db = bench.open(name)
            await db.aset("k", 1)
            await db.aclose()
            meta = (
                ["INSERT INTO adsq_meta(table_name, storage_mode, format) VALUES ('t', 'pickle', 1)"] if known else []
            )
            child = bench.child(_FOREIGN, bench.path(name), shape, *meta)
            assert child.returncode == 0, child.stderr
            before = _digest(bench, name)
            with raises(SchemaMismatchError):
                await bench.open(name, table_name="t").aget("k")
            equal(_digest(bench, name), before)


@check("6.16", "6.2", needs={Capability.READONLY, Capability.WRITETHROUGH})
async def readonly_stores(bench: Bench) -> None:
    """readonly=True: reading works, every write is a ReadOnlyError, a missing file or table is no new one."""
    for mode in bench.file_modes:
        name = f"{mode}.db"
        async with bench.open(name, persist_mode=mode) as db:
            await db.abatch_set({"a": 1, "b": 2})
        db = bench.open(name, persist_mode=mode, readonly=True)
        same([await db.aget("a"), db["b"], await db.aget("no")], [1, 2, None])
        equal((list(db.items()), len(db), await db.atables()), ([("a", 1), ("b", 2)], 2, ["main"]))
        writes: List[Any] = [
            lambda: db.aset("a", 3), lambda: db.adelete("a"), lambda: db.apop("a"),  # noqa: B023
            lambda: db.asetdefault("c", 1), lambda: db.abatch_set({"a": 1}),  # noqa: B023
            lambda: db.abatch_delete(["a"]), db.aclear, lambda: db.adrop_table("main"),  # noqa: B023
            lambda: db.table("new").aset("a", 1),  # noqa: B023
        ]  # fmt: skip
        for write in writes:
            with raises(ReadOnlyError) as caught:
                await write()
            equal(caught.error.applied, False)
            assert issubclass(ReadOnlyError, PermissionError), "a ReadOnlyError is a PermissionError"
        with raises(ReadOnlyError):
            db["a"] = 3
        same(await db.aget("a"), 1)
        await db.aflush()
        await db.aclose()
        with raises(FileNotFoundError, "no-such"):
            await bench.open("no-such.db", persist_mode=mode, readonly=True).aget("a")
        assert not (bench.directory / "no-such.db").exists(), "readonly=True made a file"


@check("1.6", "6.19", "6.3")
async def bad_options(bench: Bench) -> None:
    """An unknown mode, or a number out of range or of the wrong type, is a ConfigError that names option and values."""
    numbers: Dict[str, List[Any]] = {
        "capacity": [-1, 1.5, "1", None, True, 2**63], "buffer_size": [0, -1, 1.5, "1"], "capacity_bytes": [-1, 0.5,
        None], "max_unsaved": [0, -5, 2.0], "max_unsaved_bytes": [0, "1"], "flush_interval": [0, -1, "1", None,
        float("nan"), float("inf")], "busy_timeout": [-1, "5", float("nan")], "max_value_bytes": [0, -1, 1.5],
    }  # fmt: skip
    choices: Dict[str, List[Any]] = {
        "persist_mode": ["", "Lazy", "write_through", None, 1], "storage_mode": ["", "yaml", 3, None],
        "synchronous": ["off", "FULL", None, 1], "exclusive": ["yes", 0, 1], "readonly": [None, 1, "no"],
        "evict": [None, 1, "yes"],
    }  # fmt: skip
    allowed = {
        "persist_mode": "'lazy'",
        "storage_mode": "'json'",
        "synchronous": "'normal'",
        "exclusive": "True",
        "readonly": "False",
    }
    for name, values in {**numbers, **choices}.items():
        for value in values:
            with raises(ConfigError, name, allowed.get(name, name)):
                bench.open(**{name: value})
    if Capability.MEMORY in bench.capabilities:
        with raises(ConfigError, "readonly"):
            bench.open(persist_mode="memory", readonly=True)
    with raises(ConfigError, "evict", "memory"):
        bench.open(persist_mode="writethrough", evict=True)
    for wrong in ({"nosuch": 1}, {"capacity": 1, "timeout": 2}):
        with raises(TypeError):
            AsyncDictSQLite("x", backend=bench.backend, **wrong)  # type: ignore[arg-type]
    equal(list(bench.directory.iterdir()), [])
