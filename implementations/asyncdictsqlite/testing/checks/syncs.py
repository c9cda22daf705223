"""Syncs and locks, counted by a preloaded library in a child: what durable and cheap mean."""

from __future__ import annotations

import ast
import asyncio
import sys
from typing import Any, List

from ... import AsyncDictSQLite
from ...protocol import Capability
from ..check import Bench, check
from ..peer import Peer, Servant, run
from ..preload import build, counts

_SYNCED = {Capability.WRITETHROUGH, Capability.SYNCED}


def _open(backend: str, path: str, **options: Any) -> AsyncDictSQLite:
    return AsyncDictSQLite(path, backend=backend, **{"persist_mode": "writethrough", **options}).open()


def count_sequential(backend: str, path: str) -> None:
    """Print how many syncs of the WAL each of 20 writes had caused when it was acknowledged."""

    async def main() -> List[int]:
        caused = []
        for number in range(20):
            before = counts().wal_syncs
            await db.aset(f"k{number}", number)
            caused.append(counts().wal_syncs - before)
        return caused

    with _open(backend, path) as db:
        print(ascii((asyncio.run(main()), db.stats()["syncs"])))


@check("3.6", "3.8", needs=_SYNCED, seconds=20)
async def a_write_is_synced_before_it_is_acknowledged(bench: Bench) -> None:
    """Writethrough, full: each acknowledgement comes after a sync of its own commit, and stats() counts them."""
    caused, told = run(count_sequential, bench.backend, bench.path(), environment=build(bench.directory))
    assert all(caused), f"syncs when each write was acknowledged: {caused}"
    assert told >= len(caused), f"stats() tells {told} syncs for {len(caused)} durable writes"


def count_concurrent(backend: str, path: str) -> None:
    """Print the syncs and commits that 64 concurrent writers cost, and stats() before and after."""

    async def main() -> None:
        await asyncio.gather(*(db.aset(f"k{number}", number) for number in range(64)))

    with _open(backend, path) as db:
        db.set("first", 1)
        before, synced = db.stats(), counts().wal_syncs
        asyncio.run(main())
        after = db.stats()
        changes = {name: after[name] - before[name] for name in ("commits", "syncs", "writes")}
        print(ascii((counts().wal_syncs - synced, changes)))


@check("3.12", needs={*_SYNCED, Capability.GROUP_COMMIT}, seconds=20)
async def concurrent_writers_share_commits_and_syncs(bench: Bench) -> None:
    """64 concurrent durable writers cost a few commits and syncs, not 64; stats() tells the same."""
    synced, changes = run(count_concurrent, bench.backend, bench.path(), environment=build(bench.directory))
    assert 1 <= synced <= 16, f"{synced} syncs for 64 concurrent writers"
    assert 1 <= changes["commits"] <= 16 and changes["syncs"] <= 16, changes
    assert changes["writes"] == 64, changes


def count_flushes(backend: str, path: str, mode: str, synchronous: str) -> None:
    """Print the syncs that 20 writes caused, and those that each of two flushes of a write caused."""
    with _open(backend, path, persist_mode=mode, synchronous=synchronous, flush_interval=1000.0) as db:
        db.set("first", 1)
        db.flush()
        start = counts().wal_syncs
        for number in range(20):
            db.set(f"k{number}", number)
        synced = [counts().wal_syncs - start]
        for number in range(2):
            db.set("k", number)
            before = counts().wal_syncs
            db.flush()
            synced.append(counts().wal_syncs - before)
        print(ascii(synced))


def _flushes(bench: Bench, *modes: str) -> List[int]:
    environment = build(bench.directory)
    return run(count_flushes, bench.backend, bench.path(), *modes, environment=environment)  # type: ignore[no-any-return]


@check("3.9", needs=_SYNCED, seconds=20)
async def normal_syncs_at_aflush(bench: Bench) -> None:
    """Writethrough, normal: writes are not synced one by one; each aflush syncs the WAL."""
    writes, *flushes = _flushes(bench, "writethrough", "normal")
    assert writes < 20, f"{writes} syncs for 20 writes in synchronous='normal'"
    assert all(flushes), f"syncs of each aflush: {flushes}"


@check("3.4", "3.11", needs={Capability.LAZY, Capability.SYNCED}, seconds=20)
async def lazy_flushes_are_synced(bench: Bench) -> None:
    """Lazy: a write syncs nothing, each aflush that had something to save syncs the WAL."""
    writes, *flushes = _flushes(bench, "lazy", "full")
    assert writes == 0, f"{writes} syncs for 20 lazy writes"
    assert all(flushes), f"syncs of each aflush: {flushes}"


def count_locks(backend: str, path: str) -> None:
    """Print what a neighbour changed meanwhile, how many file locks 200 hits took, and how many hits they were."""
    with _open(backend, path, exclusive=False) as db:
        db.set("k", 1)
        print("ready", flush=True)
        sys.stdin.readline()
        seen = db.get("k")
        before, hits = counts().locks, db.stats()["hits"]
        for _ in range(200):
            db.get("k")
        print(ascii((seen, counts().locks - before, db.stats()["hits"] - hits)))


@check("4.5", needs={Capability.COHERENT, Capability.CHEAP_COHERENCE, Capability.WRITETHROUGH}, seconds=20)
async def a_shared_hit_needs_no_sql(bench: Bench) -> None:
    """exclusive=False: a hit is validated without SQL: 200 hits take not one file lock, which any SQL would."""
    path = bench.path()
    with Peer(count_locks, bench.backend, path, environment=build(bench.directory)) as reader:
        reader.hear()
        with Servant(bench.backend) as other:
            other.call(path, "open", persist_mode="writethrough", exclusive=False)
            other.call(path, "set", "k", 2)
            reader.tell("go")
            seen, locks, hits = ast.literal_eval(reader.hear())
    assert seen == 2, "a hit that takes no lock, but is stale"
    assert hits == 200, f"{hits} hits of 200 reads"
    assert locks == 0, f"200 hits took {locks} file locks"
