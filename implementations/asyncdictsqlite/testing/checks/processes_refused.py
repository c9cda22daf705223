"""Files that are refused and stay untouched: no database, damaged, foreign, newer; and read-only ones."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple, Type

from ... import AsyncDictSQLite
from ...errors import (
    CorruptError,
    InvalidTableNameError,
    NotADatabaseError,
    SchemaMismatchError,
    StorageError,
)
from ...protocol import Capability
from ..check import Bench, check
from ..expect import raises
from ..peer import Servant, run, sql
from .processes_files import APPLICATION_ID, NEW_META, NEW_TABLE, make_file

_V1 = {Capability.FORMAT_V1, Capability.WRITETHROUGH}
_WRITETHROUGH = {"persist_mode": "writethrough"}
_DICTSQLITE = (
    "PRAGMA journal_mode=WAL",
    """CREATE TABLE IF NOT EXISTS kv_store (
           key TEXT PRIMARY KEY, value BLOB NOT NULL, tier INTEGER DEFAULT 2,
           access_count INTEGER DEFAULT 0, last_access INTEGER DEFAULT 0
       )""",
    "CREATE INDEX IF NOT EXISTS idx_access ON kv_store(access_count DESC, last_access DESC)",
    "INSERT INTO kv_store(key, value) VALUES('a', x'01')",
)


def _digest(path: str) -> str:
    """Hash a file that no store has open."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


async def _untouched(bench: Bench, name: str, error: Type[StorageError], says: str = "") -> None:
    """Assert that opening and using a file is refused with this error, and changes no byte of it."""
    before = _digest(bench.path(name))
    for mode in bench.file_modes:
        db = bench.open(name, persist_mode=mode)
        for attempt in (db.aopen, lambda: db.aset("k", 1)):  # noqa: B023 (called at once)
            with raises(error, says, bench.path(name)):
                await attempt()
        await db.aclose()
    assert _digest(bench.path(name)) == before, f"{name} was changed"


@check("6.12", needs=_V1)
async def what_is_no_database_is_refused_untouched(bench: Bench) -> None:
    """Text, noise, a database without its header: NotADatabaseError, untouched; an empty file is a new database."""
    noise = bytes(bench.random.randrange(256) for _ in range(8192))
    await make_file(bench, "header.db")
    damaged = bytearray(Path(bench.path("header.db")).read_bytes())
    damaged[:16] = bytes(16)
    contents = {"text.db": b"hello\n" * 200, "short.db": b"x" * 20, "noise.db": noise, "header.db": bytes(damaged)}
    for name, content in contents.items():
        Path(bench.path(name)).write_bytes(content)
        await _untouched(bench, name, NotADatabaseError)
    Path(bench.path("empty.db")).touch()
    async with bench.open("empty.db", **_WRITETHROUGH) as db:
        await db.aset("k", 1)
        assert await db.aget("k") == 1


@check("6.13", needs=_V1, seconds=30)
async def a_damaged_file_is_a_corrupt_error(bench: Bench) -> None:
    """Truncated, zeroed pages, flipped page headers: CorruptError from open or read; nothing is repaired or deleted."""
    await make_file(bench, "whole.db")
    whole = Path(bench.path("whole.db")).read_bytes()
    pages = len(whole) // 4096
    damages: Dict[str, Callable[[bytearray], None]] = {
        "truncated": lambda data: data.__delitem__(slice(4096 * (pages // 2), None)),
        "zeroed": lambda data: _for_pages(data, 4, pages, bytes(4096)),
        "flipped": lambda data: _for_pages(data, 4, pages, b"\xff"),
        "schema": lambda data: data.__setitem__(slice(100, 108), b"\xff" * 8),
    }
    for name, damage in damages.items():
        data = bytearray(whole)
        damage(data)
        Path(bench.path(f"{name}.db")).write_bytes(data)
        await _corrupt(bench, f"{name}.db", bytes(data))


def _for_pages(data: bytearray, first: int, end: int, content: bytes) -> None:
    for page in range(first, end):
        data[4096 * page : 4096 * page + len(content)] = content


async def _corrupt(bench: Bench, name: str, content: bytes) -> None:
    db = bench.open(name, **_WRITETHROUGH, storage_mode="bytes", readonly=Capability.READONLY in bench.capabilities)
    with raises(CorruptError, bench.path(name)):
        await _read_all(db)
    await db.aclose()
    assert Path(bench.path(name)).read_bytes() == content, f"{name} was changed"


async def _read_all(db: AsyncDictSQLite) -> None:
    async for _ in db:
        pass
    for number in range(400):
        await db.aget(f"k{number:04}")


@check("6.14", needs=_V1, seconds=20)
async def a_foreign_database_is_refused_untouched(bench: Bench) -> None:
    """Another program's database, a table of another shape or without its row: SchemaMismatchError, untouched."""
    ours = f"PRAGMA application_id={APPLICATION_ID}"
    row = "INSERT INTO adsq_meta VALUES('main', 'pickle', 1)"
    files: Dict[str, List[str]] = {
        "foreign.db": ["CREATE TABLE notes(id INTEGER PRIMARY KEY, text TEXT)"],
        "marked.db": ["PRAGMA application_id=12345", "CREATE TABLE notes(id INTEGER PRIMARY KEY)"],
        "shape.db": [ours, "PRAGMA user_version=1", NEW_META, row, "CREATE TABLE main(id INTEGER, value BLOB)"],
        "rowless.db": [ours, "PRAGMA user_version=1", NEW_META, NEW_TABLE],
    }
    for name, statements in files.items():
        sql(bench.path(name), "PRAGMA journal_mode=WAL", *statements)
        await _untouched(bench, name, SchemaMismatchError)


@check("6.14", needs=_V1)
async def a_file_of_dictsqlite_is_refused_with_the_importer(bench: Bench) -> None:
    """A file of dictsqlite 2.1.3 is recognised, never touched, and the message names the importer."""
    sql(bench.path("old.db"), *_DICTSQLITE)
    await _untouched(bench, "old.db", SchemaMismatchError, "python -m asyncdictsqlite import")


@check("7.4", needs=_V1)
async def a_newer_format_is_refused_untouched(bench: Bench) -> None:
    """A file of a newer format is refused with its version, and untouched."""
    await make_file(bench, "newer.db", 1)
    sql(bench.path("newer.db"), "PRAGMA user_version=7")
    await _untouched(bench, "newer.db", SchemaMismatchError, "7")


@check("6.10", needs={*_V1, Capability.TABLES})
async def a_table_that_differs_in_case_is_refused(bench: Bench) -> None:
    """A table name equal to an existing one but for case is refused, also in a file opened anew."""
    await make_file(bench, "store.db", 1)
    with raises(InvalidTableNameError, "'main'"):
        await bench.open(**_WRITETHROUGH, storage_mode="bytes", table_name="Main").aget("k")


def read_as_nobody(backend: str, folder: str, file_mode: int, folder_mode: int, readonly: bool) -> None:
    """Make a file, take the permission to write and root's power away, and print what reading and writing give."""
    path = os.path.join(folder, "store.db")
    with AsyncDictSQLite(path, backend=backend, persist_mode="writethrough") as db:
        db.set("k", "v")
    with AsyncDictSQLite(path + "-warm-up", backend=backend, persist_mode="writethrough", storage_mode="json") as db:
        db.set("k", db.get("k"))
    _drop_root(folder)
    os.chmod(path, file_mode)
    os.chmod(folder, folder_mode)
    db = AsyncDictSQLite(path, backend=backend, persist_mode="writethrough", readonly=readonly)
    asked = [_applied(db.get, "k"), _applied(db.set, "k", "new"), _applied(db.batch_set, {"new": 1})]
    asked.append(_applied(db.get, "k"))
    db.close()
    os.chmod(folder, 0o700)
    os.chmod(path, 0o600)
    with AsyncDictSQLite(path, backend=backend, persist_mode="writethrough") as db:
        print(ascii((asked, dict(db.items()))))


def _drop_root(folder: str) -> None:
    """Become nobody, since permissions do not bind root; the files become nobody's, too."""
    if os.getuid():
        return
    for name in [folder, *(os.path.join(folder, name) for name in os.listdir(folder))]:
        os.chown(name, 65534, 65534)
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)


def _applied(function: Callable[..., Any], *arguments: Any) -> Tuple[str, Any]:
    try:
        return "value", function(*arguments)
    except StorageError as error:
        return type(error).__name__, error.applied


@check("3.16", "6.15", needs={*_V1, Capability.READONLY}, seconds=30)
async def what_cannot_be_written_can_be_read(bench: Bench) -> None:
    """A read-only file or folder: reading works where SQLite can, writing is a ReadOnlyError, nothing changes."""
    cases = [(0o400, 0o700, False), (0o400, 0o700, True), (0o600, 0o500, False), (0o600, 0o500, True)]
    for number, (file_mode, folder_mode, readonly) in enumerate(cases):
        folder = _reachable_folder(bench, str(number))
        asked, after = run(read_as_nobody, bench.backend, folder, file_mode, folder_mode, readonly)
        case = f"file {file_mode:o} in folder {folder_mode:o}, readonly={readonly}: {asked}"
        assert [name for name, _ in asked[1:3]] == ["ReadOnlyError"] * 2, case
        assert all(applied is False for _, applied in asked[1:3]), case
        assert after == {"k": "v"}, case
        if folder_mode & 0o200:  # SQLite needs the folder for the WAL's index
            assert asked[0] == asked[3] == ("value", "v"), case


def _reachable_folder(bench: Bench, name: str) -> str:
    """Make a folder that another user can reach."""
    folder = bench.directory / name
    folder.mkdir()
    for parent in bench.directory, *bench.directory.parents:
        mode = stat.S_IMODE(parent.stat().st_mode)
        if mode & 0o001:
            break
        parent.chmod(mode | 0o011)
    return str(folder)


@check("6.16", needs={*_V1, Capability.READONLY}, seconds=20)
async def a_readonly_store_beside_a_writer(bench: Bench) -> None:
    """readonly=True in another process reads while a writer works, and leaves the file as it was."""
    shared = {"exclusive": False, "persist_mode": "writethrough"}
    with Servant(bench.backend) as writer, Servant(bench.backend) as reader:
        path = bench.path()
        writer.call(path, "open", **shared)
        writer.call(path, "set", "k", 1)
        reader.call(path, "open", readonly=True, **shared)
        assert reader.call(path, "get", "k") == 1
        writer.call(path, "set", "k", 2)
        assert reader.call(path, "get", "k") == 2
