"""Several processes on one file: coherent reads, own and foreign commits told apart, a fair queue of writers."""

from __future__ import annotations

import ast
import asyncio
import fcntl
import os
import random
import sqlite3
import sys
import time
import warnings
from contextlib import ExitStack
from typing import Any, Dict

from ... import AsyncDictSQLite
from ...errors import LockedError, WalResetWarning
from ...protocol import Capability
from ..check import Bench, check
from ..peer import Peer, Servant

_SHARED = {Capability.WRITETHROUGH, Capability.COHERENT}
_ROUNDS = 4
_LAST = b"last"


def open_shared(bench: Bench, name: str = "store.db", **options: Any) -> AsyncDictSQLite:
    """Open a store that other processes may open, too, whatever SQLite is in use."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WalResetWarning)
        return bench.open(name, exclusive=False, **{"persist_mode": "writethrough", **options})


def _open_there(servant: Servant, path: str, **options: Any) -> None:
    servant.call(path, "open", exclusive=False, **{"persist_mode": "writethrough", **options})


@check("4.3", needs=_SHARED, seconds=20)
async def a_read_sees_what_another_process_committed(bench: Bench) -> None:
    """Two processes set, delete and read the same cached keys in turn; each sees the other's newest commit."""
    path = bench.path()
    async with open_shared(bench) as db:
        with Servant(bench.backend) as other:
            _open_there(other, path)
            model: Dict[str, Any] = {}
            for number in range(60):
                key, ours = f"k{bench.random.randrange(6)}", bench.random.random() < 0.5
                delete = bench.random.random() < 0.2
                arguments = (key,) if delete else (key, number)
                if ours:
                    await (db.adelete(key) if delete else db.aset(key, number))
                else:
                    other.call(path, "delete" if delete else "set", *arguments)
                model[key] = None if delete else number
                keys = sorted(model)
                expected = [model[one] for one in keys]
                assert [await db.aget(one) for one in keys] == expected, "this process read an older state"
                assert await db.abatch_get(keys) == expected, "this process read an older state by batch"
                assert other.call(path, "batch_get", keys) == expected, "the other process read an older state"


@check("4.4", needs={Capability.LAZY, Capability.COHERENT}, seconds=20)
async def a_lazy_write_is_visible_elsewhere_once_flushed(bench: Bench) -> None:
    """Lazy: another process sees a write after aflush, not before, though it has the key cached."""
    path = bench.path()
    async with open_shared(bench, persist_mode="lazy", flush_interval=1000.0) as db:
        with Servant(bench.backend) as other:
            _open_there(other, path)
            other.call(path, "set", "k", "theirs")
            assert await db.aget("k") == "theirs"
            await db.aset("k", "ours")
            assert other.call(path, "get", "k") == "theirs"
            assert await db.aget("k") == "ours"
            await db.aflush()
            assert other.call(path, "get", "k") == "ours"


@check("4.5", needs=_SHARED, seconds=20)
async def own_commits_leave_hits_hits(bench: Bench) -> None:
    """After own commits a cached key is still a hit; after a foreign one it is read again, once."""
    path = bench.path()
    async with open_shared(bench) as db:
        with Servant(bench.backend) as other:
            _open_there(other, path)
            await db.aset("k", 0)
            await db.aget("k")
            before = db.stats()
            for number in range(20):
                await db.aset(f"other{number % 5}", number)
                await db.aset("k", number)
                assert await db.aget("k") == number
            after = db.stats()
            assert after["misses"] == before["misses"], "own commits made reads cold"
            assert after["hits"] - before["hits"] == 20
            assert after["foreign_changes"] == before["foreign_changes"]
            other.call(path, "set", "elsewhere", 1)
            assert [await db.aget("k") for _ in range(5)] == [19] * 5
            moved = db.stats()
            assert moved["misses"] - after["misses"] == 1, "a key is read once after a foreign commit"
            assert moved["foreign_changes"] > after["foreign_changes"]


def slip_in(path: str, marker: str) -> None:
    """With a plain SQLite connection: as soon as `marker` is seen to be 0, 1, ..., set k to b"foreign N"; say N."""
    connection = sqlite3.connect(path, timeout=20, isolation_level=None)
    print("ready", flush=True)
    for number in range(_ROUNDS):
        wanted = b"own %d" % number
        while connection.execute("SELECT value FROM main WHERE key = ?", (marker,)).fetchone() != (wanted,):
            time.sleep(0.0005)
        connection.execute("UPDATE main SET value = ? WHERE key = 'k'", (b"foreign %d" % number,))
        print(number, flush=True)


@check("4.3", needs={*_SHARED, Capability.SWITCHES, Capability.FORMAT_V1}, seconds=30)
async def a_commit_between_our_commit_and_its_publication_is_foreign(bench: Bench) -> None:
    """A neighbour that commits between our COMMIT and its publication is seen, on another key and on the same one."""
    for marker in ("marker", "k"):
        name = f"{marker}.db"
        async with open_shared(bench, name, storage_mode="bytes") as db:
            await db.abatch_set({"k": b"", "marker": b""})
            bench.inject(db, seed=bench.seed, writer_delay_s=0.08)
            with Peer(slip_in, bench.path(name), marker) as neighbour:
                neighbour.hear()
                for number in range(_ROUNDS):
                    await db.aget("k")
                    await db.aset(marker, b"own %d" % number)
                    neighbour.hear()
                    found = [await db.aget("k"), *await db.abatch_get(["k"])]
                    assert found == [b"foreign %d" % number] * 2, f"after a neighbour set {marker}: {found}"


def watch_a_batch(path: str, seconds: float) -> None:
    """Read the keys of a batch by a plain connection until they all have the last number; print each torn state."""
    connection = sqlite3.connect(path, timeout=20, isolation_level=None)
    torn, deadline = [], time.monotonic() + seconds
    print("ready", flush=True)
    while time.monotonic() < deadline:
        values = [row[0] for row in connection.execute("SELECT DISTINCT value FROM main WHERE key LIKE 'b%'")]
        if len(values) != 1:
            torn.append(values)
        if values == [_LAST]:
            break
    print(ascii(torn[:3]))


@check("1.18", "3.12", needs={*_SHARED, Capability.FORMAT_V1}, seconds=20)
async def a_batch_is_never_seen_in_part(bench: Bench) -> None:
    """Another process that reads all the time never sees one part of a batch without the other."""
    async with open_shared(bench, storage_mode="bytes") as db:
        await db.abatch_set((f"b{index}", b"") for index in range(40))
        with Peer(watch_a_batch, bench.path(), 10.0) as watcher:
            watcher.hear()
            for number in range(200):
                await db.abatch_set((f"b{index}", b"%d" % number) for index in range(40))
            await db.abatch_set((f"b{index}", _LAST) for index in range(40))
            torn = ast.literal_eval(watcher.hear())
    assert not torn, f"a batch was seen in part: {torn}"


def contend(backend: str, path: str, name: str, seed: int, keys: int) -> None:
    """Claim, take and write in one shared file; print what was claimed, taken and how many errors there were."""
    chance = random.Random(seed)
    db = AsyncDictSQLite(path, backend=backend, persist_mode="writethrough", exclusive=False, busy_timeout=20.0).open()
    print("ready", flush=True)
    sys.stdin.readline()

    async def main() -> None:
        order = chance.sample(range(keys), keys)
        claims = {number: await db.asetdefault(f"claim{number}", name) for number in order[: keys // 2]}
        taken = await asyncio.gather(*(db.apop(f"token{number}", None) for number in order))
        await db.abatch_set((f"{name}-{number}", number) for number in range(keys))
        print(ascii((claims, [token for token in taken if token is not None])))

    asyncio.run(main())
    db.close()


@check("1.73", "4.7", needs=_SHARED, seconds=40)
async def writers_of_several_processes_queue(bench: Bench) -> None:
    """Four processes claim, pop and write one file at once: none fails, one winner per key, each token popped once."""
    keys, path = 40, bench.path()
    async with open_shared(bench, busy_timeout=20.0) as db:
        await db.abatch_set((f"token{number}", number) for number in range(keys))
        with ExitStack() as stack:
            started = [Peer(contend, bench.backend, path, f"p{number}", number, keys) for number in range(4)]
            peers = [stack.enter_context(peer) for peer in started]
            for peer in peers:
                peer.hear()
            for peer in peers:
                peer.tell("go")
            answers = [_claims(peer) for peer in peers]
        for number in range(keys):
            seen = {claims[number] for claims, _ in answers if number in claims}
            assert seen <= {await db.aget(f"claim{number}")}, f"claim{number} had several winners: {seen}"
        popped = sorted(token for _, taken in answers for token in taken)
        assert popped == list(range(keys)), f"{len(popped)} pops of {keys} tokens"
        assert await db.alen() == len({n for claims, _ in answers for n in claims}) + 4 * keys


def _claims(peer: Peer) -> Any:
    ended = peer.end()
    assert ended.returncode == 0, ended.stderr
    return ast.literal_eval(ended.stdout)


def hold_queue(path: str) -> None:
    """Hold the writers' queue (byte 1 of the side file) until told."""
    descriptor = os.open(path + "-adsq", os.O_RDWR)
    fcntl.lockf(descriptor, fcntl.LOCK_EX, 1, 1)
    print("held", flush=True)
    sys.stdin.readline()


def hold_transaction(path: str) -> None:
    """Hold SQLite's own write lock by a plain connection until told."""
    connection = sqlite3.connect(path, timeout=20, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    print("held", flush=True)
    sys.stdin.readline()
    connection.execute("ROLLBACK")


@check("3.16", "4.8", needs=_SHARED, seconds=20)
async def a_write_that_waits_too_long_is_withdrawn(bench: Bench) -> None:
    """While a neighbour holds the queue, or SQLite's lock, writes are a LockedError, reads go on; then all works."""
    async with open_shared(bench, busy_timeout=0.2) as db:
        await db.aset("k", "old")
        for holder in (hold_queue, hold_transaction):
            with Peer(holder, bench.path()) as neighbour:
                neighbour.hear()
                await _check_refused(db, holder.__name__)
                neighbour.tell("release")
                neighbour.end()
            await db.aset("k", "new")
            assert await db.abatch_get(["k", "refused"]) == ["new", None], f"{holder.__name__}: applied late"
            await db.aset("k", "old")


async def _check_refused(db: AsyncDictSQLite, holder: str) -> None:
    results: Any = await asyncio.gather(db.aset("k", "refused"), db.aset("refused", 1), return_exceptions=True)
    for error in results:
        assert isinstance(error, LockedError), f"{holder}: {error!r}"
        assert error.applied is False and error.temporary, f"{holder}: applied={error.applied}"
    assert await db.abatch_get(["k", "refused"]) == ["old", None], f"{holder}: a refused write is seen"
