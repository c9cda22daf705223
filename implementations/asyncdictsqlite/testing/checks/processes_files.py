"""The file itself: its format, creation, other backends' files, backup."""

from __future__ import annotations

import ast
import os
import sqlite3
import stat
from contextlib import ExitStack
from typing import Any, Dict

from ... import AsyncDictSQLite
from ...protocol import Capability
from ..check import Bench, check
from ..peer import Peer, RefusedError, Servant, run, sql
from .processes_locks import loadable

_V1 = {Capability.FORMAT_V1, Capability.WRITETHROUGH}
_WRITETHROUGH = {"persist_mode": "writethrough"}
NEW_TABLE = 'CREATE TABLE "main"(key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL, expires_ms INTEGER)'
NEW_META = (
    "CREATE TABLE adsq_meta(table_name TEXT PRIMARY KEY NOT NULL, storage_mode TEXT NOT NULL, format INTEGER NOT NULL)"
)
APPLICATION_ID = 0x61647371
MARKS = (f"PRAGMA application_id={APPLICATION_ID}", "PRAGMA user_version=1", "PRAGMA journal_mode=WAL")


@check("2.13", "7.1", "7.2", needs={*_V1, Capability.TABLES}, seconds=20)
async def the_file_is_format_v1(bench: Bench) -> None:
    """A closed file shows to a plain SQLite the marks, columns and storage classes of format v1."""
    async with bench.open(**_WRITETHROUGH, storage_mode="bytes") as db:
        await db.aset("ké", b"\0v")
        await db.table("texts", storage_mode="json").aset("k", {"a": 1})
    answers = sql(
        bench.path(),
        "PRAGMA application_id",
        "PRAGMA user_version",
        "PRAGMA journal_mode",
        "PRAGMA page_size",
        "SELECT table_name, storage_mode, format FROM adsq_meta ORDER BY 1",
        "SELECT name, type, \"notnull\", pk FROM pragma_table_info('main')",
        "SELECT name, type, \"notnull\", pk FROM pragma_table_info('texts')",
        "SELECT rowid > 0, key, value, typeof(value), expires_ms FROM main",
        "SELECT rowid > 0, key, value, typeof(value), expires_ms FROM texts",
        "PRAGMA integrity_check",
    )
    assert answers[:4] == [[(APPLICATION_ID,)], [(1,)], [("wal",)], [(4096,)]], answers[:4]
    assert answers[4] == [("main", "bytes", 1), ("texts", "json", 1)], answers[4]
    columns = [("key", "TEXT", 1, 1), ("value", "BLOB", 1, 0), ("expires_ms", "INTEGER", 0, 0)]
    assert answers[5] == answers[6] == columns, answers[5:7]
    assert answers[7] == [(1, "ké", b"\0v", "blob", None)], answers[7]
    assert answers[8] == [(1, "k", '{"a":1}', "text", None)], answers[8]
    assert answers[9] == [("ok",)]


@check("7.2", needs=_V1, seconds=20)
async def a_file_made_by_hand_can_be_read(bench: Bench) -> None:
    """A file that a plain SQLite made by the page of the format is read, whichever storage class a value has."""
    insert = "INSERT INTO main(key, value) VALUES(?, ?)"
    meta = "INSERT INTO adsq_meta VALUES('main', 'json', 1)"
    sql(bench.path(), *MARKS, NEW_META, NEW_TABLE, meta, (insert, ("text", "[1]")), (insert, ("blob", b"[2]")))
    async with bench.open(**_WRITETHROUGH, storage_mode="json") as db:
        assert await db.abatch_get(["text", "blob"]) == [[1], [2]]
        assert [item async for item in db.aitems()] == [("blob", [2]), ("text", [1])]


_VALUES: Dict[str, Any] = {
    "pickle": {"a": [1, (2, None)], "b": b"x", "c": {1.5}},
    "json": {"a": [1, "é", None, True]},
    "bytes": b"\0\xff",
}


def exchange(backend: str, path: str, mode: str, wanted: Any) -> None:
    """Print what another backend reads, and write a key of its own."""
    with AsyncDictSQLite(path, backend=backend, persist_mode="writethrough", storage_mode=mode) as db:
        print(ascii((db.get("first"), list(db.keys()))))
        db.set("second", wanted)
        db.delete("gone")


@check("7.3", needs=_V1, seconds=40)
async def backends_read_and_write_each_others_files(bench: Bench) -> None:
    """What this backend wrote every other one reads, and the reverse, in each storage mode."""
    others = loadable(other_than=bench.backend) or [bench.backend]
    for mode in bench.storage_modes:
        value = _VALUES.get(mode, _VALUES["json"])
        with ExitStack() as stack:
            peers = []
            for other in others:
                name = f"{other}-{mode}.db"
                async with bench.open(name, **_WRITETHROUGH, storage_mode=mode) as db:
                    await db.abatch_set({"first": value, "gone": value})
                peers.append((name, stack.enter_context(Peer(exchange, other, bench.path(name), mode, value))))
            for name, peer in peers:
                ended = peer.end()
                assert ended.returncode == 0, f"{name}: {ended.stderr}"
                assert ast.literal_eval(ended.stdout) == (value, ["first", "gone"]), f"{name}: {ended.stdout}"
                async with bench.open(name, **_WRITETHROUGH, storage_mode=mode) as db:
                    assert dict([item async for item in db.aitems()]) == {"first": value, "second": value}, name


def show_modes(backend: str, path: str) -> None:
    """Print the modes of the new files of a store, made without a umask."""
    os.umask(0)
    with AsyncDictSQLite(path, backend=backend, persist_mode="writethrough") as db:
        db.set("k", 1)
        print(ascii({name: stat.S_IMODE(os.stat(path + name).st_mode) for name in ("", "-adsq", "-wal")}))


@check("4.9", "6.17", needs=_V1)
async def a_new_file_is_its_owners_alone(bench: Bench) -> None:
    """The new database, its WAL and its side file have mode 0600, whatever the umask."""
    assert run(show_modes, bench.backend, bench.path()) == {"": 0o600, "-adsq": 0o600, "-wal": 0o600}


@check("4.6", "7.1", needs={Capability.WRITETHROUGH, Capability.COHERENT, Capability.EXCLUSIVE}, seconds=30)
async def processes_may_create_one_file_at_once(bench: Bench) -> None:
    """Of processes that create one file at once all succeed if shared, and one if exclusive; nothing is lost."""
    with ExitStack() as stack:
        servants = [stack.enter_context(Servant(bench.backend)) for _ in range(3)]
        for number in range(12):
            exclusive = number % 3 == 2
            path = bench.path(f"{number}.db")
            for servant in servants:
                servant.ask(path, "open", persist_mode="writethrough", exclusive=exclusive, busy_timeout=20.0)
            opened = [servant for servant in servants if _opened(servant)]
            assert len(opened) == (1 if exclusive else 3), f"exclusive={exclusive}: {len(opened)} of 3 opened the file"
            for servant in opened:
                servant.call(path, "set", f"k{servant.pid}", 1)
            assert opened[0].call(path, "keys") == sorted(f"k{servant.pid}" for servant in opened)


def _opened(servant: Servant) -> bool:
    try:
        servant.answer()
    except RefusedError as error:
        if error.name == "LockedError":
            return False
        raise
    return True


@check("1.24", needs={*_V1, Capability.BACKUP}, seconds=20)
async def a_backup_may_be_inspected(bench: Bench) -> None:
    """A backup is whole, 0600, holds all acknowledged before, and a plain connection of this process may open it."""
    copy = bench.path("copy.db")
    for mode in bench.file_modes:
        async with bench.open(f"{mode}.db", persist_mode=mode) as db:
            await db.abatch_set((f"k{number}", number) for number in range(100))
            await db.abackup(copy)
            assert stat.S_IMODE(os.stat(copy).st_mode) == 0o600
            connection = sqlite3.connect(copy)
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert connection.execute("SELECT count(*) FROM main").fetchone() == (100,)
            connection.close()
            async with bench.open("copy.db", **_WRITETHROUGH) as restored:
                assert await restored.abatch_get([f"k{number}" for number in range(100)]) == list(range(100))
        os.unlink(copy)


async def make_file(bench: Bench, name: str, rows: int = 400) -> None:
    """Make a whole file of a few hundred rows."""
    async with bench.open(name, **_WRITETHROUGH, storage_mode="bytes") as db:
        await db.abatch_set((f"k{number:04}", b"v" * 500) for number in range(rows))
