"""Who may open a file: exclusive and shared processes, a second SQLite library, the WAL-reset bug."""

from __future__ import annotations

import os
import sqlite3
import sys
import warnings
from typing import Any, Dict, List

from ... import AsyncDictSQLite, registry
from ...errors import AsyncDictError, LockedError, WalResetWarning
from ...protocol import Capability
from ..check import Bench, check
from ..expect import raises
from ..peer import Peer, RefusedError, Servant, outcome, run
from .processes_shared import open_shared

_PATIENT = {"persist_mode": "writethrough", "busy_timeout": 600.0}  # a refusal must not wait for it


@check("4.6", needs={Capability.EXCLUSIVE}, seconds=20)
async def exclusive_refuses_whoever_comes_second(bench: Bench) -> None:
    """Whoever comes second, shared or exclusive, is refused at once with the holder's pid, the promise and the cure."""
    pairs = [(True, True), (True, False), (False, True)]
    for number, (here, there) in enumerate(pairs if Capability.COHERENT in bench.capabilities else pairs[:1]):
        name = f"{number}.db"
        with Servant(bench.backend) as other:
            async with _open(bench, name, here) as db:
                await db.aset("k", 1)
                message = _refused_there(other, bench.path(name), there)
                assert str(os.getpid()) in message, message
                assert await db.aget("k") == 1
            other.call(bench.path(name), "open", exclusive=there, **_PATIENT)
            message = await _refused_here(bench, name, here)
            assert str(other.pid) in message, message
            other.kill()
        async with _open(bench, name, here) as db:
            assert await db.aget("k") == 1, "a killed holder must not keep others out"


def _open(bench: Bench, name: str, exclusive: bool) -> AsyncDictSQLite:
    return bench.open(name, exclusive=True, **_PATIENT) if exclusive else open_shared(bench, name, **_PATIENT)


def _refused_there(other: Servant, path: str, exclusive: bool) -> str:
    with raises(RefusedError, "LockedError", "exclusive") as caught:
        other.call(path, "open", exclusive=exclusive, **_PATIENT)
    return str(caught.error)


async def _refused_here(bench: Bench, name: str, exclusive: bool) -> str:
    with raises(LockedError, "exclusive") as caught:
        await _open(bench, name, exclusive).aget("k")
    return str(caught.error)


def use_a_plain_connection(path: str) -> None:
    """Print what a plain SQLite connection gets when it writes, then when it reads."""
    connection = sqlite3.connect(path, timeout=0.1, isolation_level=None)
    write = outcome(lambda: connection.execute("INSERT INTO main(key, value) VALUES('foreign', x'00')").rowcount)
    print(ascii([write, outcome(lambda: connection.execute("SELECT count(*) FROM main").fetchone()[0])]))


@check("4.6", needs={Capability.EXCLUSIVE, Capability.FORMAT_V1}, seconds=20)
async def exclusive_refuses_foreign_tools(bench: Bench) -> None:
    """While a store is open with exclusive=True, a plain SQLite connection elsewhere is "locked", and harms nothing."""
    async with bench.open(exclusive=True, persist_mode="writethrough") as db:
        await db.aset("k", 1)
        answers = run(use_a_plain_connection, bench.path())
        assert [name for name, _ in answers] == ["OperationalError"] * 2, answers
        await db.aset("k", 2)
    async with bench.open(exclusive=True, persist_mode="writethrough") as db:
        assert dict([item async for item in db.aitems()]) == {"k": 2}


def _has_wal_reset_bug(version: str) -> bool:
    """Tell it by the versions that sqlite.org names: fixed in 3.44.6, 3.50.7 and 3.51.3."""
    major, minor, patch = (int(part) for part in version.split(".")[:3])
    if (major, minor) in ((3, 44), (3, 50)):
        return patch < {44: 6, 50: 7}[minor]
    return (3, 7, 0) <= (major, minor, patch) < (3, 51, 3)


@check("4.10", needs={Capability.EXCLUSIVE, Capability.COHERENT})
async def the_wal_reset_bug_decides_the_default(bench: Bench) -> None:
    """On an affected SQLite a store is exclusive by default and exclusive=False is a WalResetWarning; else neither."""
    async with bench.open("default.db", persist_mode="writethrough") as db:
        stats = db.stats()
        affected = _has_wal_reset_bug(stats["sqlite_version"])
        assert stats["exclusive"] is affected, stats
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        shared = bench.open("shared.db", persist_mode="writethrough", exclusive=False)
    assert [one.category for one in caught] == [WalResetWarning] * affected, caught
    async with shared as db:
        assert db.stats()["exclusive"] is False


# ---- two SQLite libraries in one process ----------------------------------------------------------------


def loadable(other_than: str) -> List[str]:
    names = []
    for name in registry.names():
        try:
            registry.load(name)
        except AsyncDictError:
            continue
        if name != other_than:
            names.append(name)
    return names


def open_twice(backend: str, path: str) -> None:
    """Open a file; print what each other backend and the standard library get on it, then again after the close."""
    link = path + "-link"
    os.symlink(path, link)
    places = [path, os.path.relpath(path), link, f"file:{path}?mode=ro"]

    def second(name: str) -> Any:
        return AsyncDictSQLite(link, backend=name, persist_mode="writethrough").get("k")

    def connect(place: str) -> Any:
        return sqlite3.connect(place, uri=place.startswith("file:")).execute("SELECT count(*) FROM main").fetchone()[0]

    with AsyncDictSQLite(path, backend=backend, persist_mode="writethrough") as db:
        db.set("k", 1)
        own_library = db.stats()["sqlite_version"] != sqlite3.sqlite_version
        stores = {name: outcome(second, name) for name in loadable(backend)}
        connections = [outcome(connect, place) for place in places] if own_library else []
        alive = db.get("k")
    print(ascii((stores, connections, alive, outcome(connect, path))))


@check("4.11", needs={Capability.FORMAT_V1, Capability.WRITETHROUGH}, seconds=20)
async def a_second_library_in_one_process_is_refused(bench: Bench) -> None:
    """Other backends, and the standard library beside a SQLite of our own, are refused an open file, by any name."""
    stores, connections, alive, after = run(open_twice, bench.backend, bench.path())
    assert all(name == "AlreadyOpenError" for name, _ in stores.values()), stores
    assert all(name == "AlreadyOpenError" for name, _ in connections), connections
    assert alive == 1 and after == ("value", 1), (alive, after)


def hold_open(backend: str, path: str, options: Dict[str, Any]) -> None:
    """Hold a store open until told."""
    with AsyncDictSQLite(path, backend=backend, **options) as db:
        db.set("k", 1)
        print("open", flush=True)
        sys.stdin.readline()


@check("4.9", needs={Capability.EXCLUSIVE, Capability.CRASH_SAFE}, seconds=20)
async def a_killed_holder_keeps_nobody_out(bench: Bench) -> None:
    """The side lock of a killed process is gone, the side file stays, and the next process may open exclusively."""
    options: Dict[str, Any] = {"persist_mode": "writethrough", "exclusive": True}
    with Peer(hold_open, bench.backend, bench.path(), options) as holder:
        holder.hear()
        holder.kill()
    assert os.path.exists(bench.path() + "-adsq")
    async with bench.open(**options) as db:
        assert await db.aget("k") == 1
