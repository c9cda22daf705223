"""Programs that end: closed or not, by return, exit, exception or interrupt; multiprocessing's children."""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
from typing import Any, Dict, Tuple

from ... import AsyncDictSQLite
from ...protocol import Capability
from ..check import Bench, check
from ..peer import Peer, run

_WAYS = {"return": 0, "exit": 3, "error": 1, "interrupt": -2, "pending": 0}
_NOISE = ("Exception ignored", "never awaited", "never retrieved", "destroyed but it is", "Fatal Python", "threading")


def write_and_leave(backend: str, path: str, options: Dict[str, Any], way: str, close: bool) -> None:
    """Write 20 keys, then end the program in the given way."""
    db = AsyncDictSQLite(path, backend=backend, **options)

    async def main() -> None:
        await asyncio.gather(*(db.aset(f"k{number}", number) for number in range(20)))
        if close:
            await db.aclose()
        print("ready", flush=True)
        if way == "exit":
            sys.exit(3)
        if way == "error":
            raise ZeroDivisionError("planned")
        if way == "interrupt":
            await asyncio.sleep(60)
        if way == "pending" and not close:
            for number in range(20, 40):
                _ = db.aset(f"k{number}", number)  # handed over, never awaited

    asyncio.run(main())


def _options(mode: str) -> Dict[str, Any]:
    return {"persist_mode": mode, "flush_interval": 1000.0} if mode == "lazy" else {"persist_mode": mode}


def _quiet(way: str, stderr: str) -> bool:
    """Tell whether a program wrote nothing but the traceback of what it raised itself."""
    if any(noise in stderr for noise in _NOISE):
        return False
    last = stderr.strip().rpartition("\n")[2]
    if way == "interrupt":
        return last == "KeyboardInterrupt"
    if way == "error":
        return stderr.count("Traceback") == 1 and last == "ZeroDivisionError: planned"
    return stderr == ""


@check("3.10", "5.4", "5.5", needs={Capability.CRASH_SAFE, Capability.WRITETHROUGH}, seconds=60)
async def every_way_to_end_a_program_keeps_what_was_written(bench: Bench) -> None:
    """Return, sys.exit, an exception, SIGINT and writes in flight: no hang, no noise, all written is there."""
    cases = [(mode, way) for mode in bench.file_modes for way in _WAYS]
    if cases:
        cases.append((cases[0][0], "closed"))
    peers = [(mode, way, _leave(bench, mode, way)) for mode, way in cases]
    for mode, way, peer in peers:
        with peer:
            await _check_leaving(bench, mode, way, peer)


def _leave(bench: Bench, mode: str, way: str) -> Peer:
    path = bench.path(f"{mode}-{way}.db")
    return Peer(write_and_leave, bench.backend, path, _options(mode), way, way == "closed")


async def _check_leaving(bench: Bench, mode: str, way: str, peer: Peer) -> None:
    peer.hear()
    if way == "interrupt":
        peer.interrupt()
    ended = peer.end()
    assert ended.returncode == _WAYS.get(way, 0), f"{mode}, {way}: exit code {ended.returncode}: {ended.stderr}"
    assert _quiet(way, ended.stderr), f"{mode}, {way}: noise on stderr: {ended.stderr}"
    written = 40 if way == "pending" else 20
    async with bench.open(f"{mode}-{way}.db", **_options(mode)) as db:
        found = await db.abatch_get([f"k{number}" for number in range(written)])
    assert found == list(range(written)), f"{mode}, {way}: lost {found.count(None)} of {written}"


@check("3.10", needs={Capability.CRASH_SAFE, Capability.WRITETHROUGH}, seconds=20)
async def a_store_never_closed_gives_a_resource_warning(bench: Bench) -> None:
    """A store never closed is told by a ResourceWarning that names its file; a closed one is not."""
    mode = bench.file_modes[0]
    for close in (False, True):
        name = f"{close}.db"
        arguments = (bench.backend, bench.path(name), _options(mode), "return", close)
        with Peer(write_and_leave, *arguments, flags=("-W", "always::ResourceWarning")) as peer:
            ended = peer.end()
        warned = "ResourceWarning" in ended.stderr and name in ended.stderr
        assert warned != close, f"closed: {close}; stderr: {ended.stderr}"


def forget_a_store(backend: str, path: str) -> None:
    """Write lazily, let the store be collected, use the file again through another one."""
    store = AsyncDictSQLite(path, backend=backend, persist_mode="lazy", flush_interval=1000.0)
    store.set("a", 1)
    del store
    again = AsyncDictSQLite(path, backend=backend, persist_mode="lazy", flush_interval=1000.0)
    print(ascii(again.get("a")))


@check("1.64", needs={Capability.LAZY, Capability.CRASH_SAFE})
async def a_collected_store_keeps_its_engine(bench: Bench) -> None:
    """What a collected store wrote is seen by the next store on its file, and flushed at exit."""
    with Peer(forget_a_store, bench.backend, bench.path(), flags=("-W", "always::ResourceWarning")) as peer:
        ended = peer.end()
    assert ended.stdout == "1\n", ended
    assert "ResourceWarning" in ended.stderr, ended
    async with bench.open(persist_mode="lazy") as db:
        assert await db.aget("a") == 1


def write_lazily(backend: str, path: str) -> None:
    """Write without close; for multiprocessing's children."""
    for number in range(20):
        AsyncDictSQLite(path, backend=backend, persist_mode="lazy", flush_interval=1000.0).set(f"k{number}", number)


def start_a_worker(backend: str, path: str, used: str, method: str) -> None:
    """Run `write_lazily` in a multiprocessing child, after another store was used here."""
    with AsyncDictSQLite(used, backend=backend) as db:
        db.set("parent", 1)
        context: Any = multiprocessing.get_context(method)
        worker = context.Process(target=write_lazily, args=(backend, path))
        worker.start()
        worker.join(15)
        code, alive = worker.exitcode, db.get("parent")
        if code is None:
            worker.kill()
        print(ascii((code, alive)))


@check("3.10", needs={Capability.LAZY, Capability.CRASH_SAFE}, seconds=40)
async def a_multiprocessing_child_flushes_at_its_end(bench: Bench) -> None:
    """Lazy, fork and spawn: a multiprocessing child that never closes its store loses nothing."""
    for method in ("fork", "spawn"):
        path = bench.path(f"{method}.db")
        answer: Tuple[Any, Any] = run(start_a_worker, bench.backend, path, bench.path(f"used-{method}.db"), method)
        assert answer == (0, 1), f"{method}: the worker's exit code and the parent's value: {answer}"
        async with bench.open(f"{method}.db", persist_mode="lazy") as db:
            found = await db.abatch_get([f"k{number}" for number in range(20)])
        assert found == list(range(20)), f"{method}: lost {found.count(None)} of 20"
