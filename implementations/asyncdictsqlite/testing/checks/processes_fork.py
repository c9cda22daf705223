"""fork: the child is told, the parent is unharmed."""

from __future__ import annotations

import ast
import asyncio
import os
import threading
from typing import Any, Callable, List, Tuple

from ... import AsyncDictSQLite
from ...protocol import Capability
from ..check import Bench, check
from ..peer import outcome, run

Outcomes = List[Tuple[str, Any]]


def _in_forked_child(report: Callable[[], Outcomes]) -> Outcomes:
    """Fork; the child reports through a pipe and ends at once, whatever is open."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writing, ascii(report()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    return ast.literal_eval(answer.decode() or "[]")  # type: ignore[no-any-return]


def fork_with_an_open_store(backend: str, persist_mode: str, used: str, unused: str, other: str) -> None:
    """Print what a forked child gets from a store in use, its file, an unused store, another file; then the parent."""
    options: Any = {"backend": backend, "persist_mode": persist_mode}
    db = AsyncDictSQLite(used, **options)
    db["a"] = 1
    later = AsyncDictSQLite(unused, **options)

    async def aget() -> Any:
        return await db.aget("a")

    def use(store: AsyncDictSQLite) -> Any:
        with store:
            store["b"] = 3
            return store.get("b")

    def report() -> Outcomes:
        asked = [outcome(db.get, "a"), outcome(db.set, "a", 2), outcome(lambda: asyncio.run(aget()))]
        asked.append(outcome(lambda: AsyncDictSQLite(used, **options).get("a")))
        return [*asked, outcome(use, later), outcome(use, AsyncDictSQLite(other, **options))]

    child = _in_forked_child(report)
    db.set("after", 5)
    print(ascii((child, (db.get("a"), db.get("after")))))
    db.close()


def _fork(bench: Bench, mode: str) -> Tuple[Outcomes, Tuple[Any, Any]]:
    paths = [bench.path(name) for name in ("used.db", "unused.db", "other.db")]
    answer: Tuple[Outcomes, Tuple[Any, Any]] = run(fork_with_an_open_store, bench.backend, mode, *paths)
    return answer


@check("4.12", "4.13", needs={Capability.WRITETHROUGH}, seconds=20)
async def a_forked_child_is_refused_what_was_open(bench: Bench) -> None:
    """A child gets ForkedError from a used store and its file; an unused store, other files and the parent work."""
    child, parent = _fork(bench, "writethrough")
    assert [name for name, _ in child[:4]] == ["ForkedError"] * 4, child
    assert child[4:] == [("value", 3), ("value", 3)], child
    assert parent == (1, 5), parent


@check("4.12", "4.13", needs={Capability.MEMORY}, seconds=20)
async def a_forked_child_is_refused_a_memory_store(bench: Bench) -> None:
    """A child gets ForkedError from a used memory store; memory stores that are new to it work."""
    child, parent = _fork(bench, "memory")
    assert [name for name, _ in child[:3]] == ["ForkedError"] * 3, child
    assert child[4:] == [("value", 3), ("value", 3)], child
    assert parent == (1, 5), parent


def _write(db: AsyncDictSQLite) -> None:
    for number in range(200):
        db.set(f"k{number}", number)


def fork_while_writing(backend: str, path: str) -> None:
    """Fork five times while a thread writes; print what the children got."""
    db = AsyncDictSQLite(path, backend=backend, persist_mode="writethrough").open()
    writer = threading.Thread(target=_write, args=(db,))
    writer.start()
    answers = [_in_forked_child(lambda: [outcome(db.get, "k0")])[0][0] for _ in range(5)]
    writer.join()
    print(ascii((answers, db.get("k199"))))
    db.close()


@check("4.12", needs={Capability.WRITETHROUGH, Capability.CRASH_SAFE}, seconds=20)
async def a_fork_during_writes_harms_no_parent(bench: Bench) -> None:
    """Forks while a writer works lose nothing and hang nobody, in child and parent."""
    answers, last = run(fork_while_writing, bench.backend, bench.path())
    assert (answers, last) == (["ForkedError"] * 5, 199)
    async with bench.open(persist_mode="writethrough") as db:
        assert await db.abatch_get([f"k{number}" for number in range(200)]) == list(range(200))
