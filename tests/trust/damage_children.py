"""What the children of the tests of damaged files do: make a sound file, damage a copy, use it."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import random
import shutil
from pathlib import Path
from typing import Any, AsyncIterator, Callable, List, Tuple

from asyncdictsqlite import AsyncDictError, AsyncDictSQLite
from tests.trust.damage import DAMAGES
from tests.trust.farm import Case, Lines, Say

KINDS = ["", ".live", ".live-wal", ".other-wal"]  # sound; left by a killed process; the WAL of another file
KEYS = [f"k{number:03d}" for number in range(400)]


def make(case: Case, _before: Lines, _say: Say) -> None:
    """Make a sound file; and two whose stores were never closed: this process ends like a killed one."""
    for name, rows in ((case["path"], 400), (case["path"] + ".live", 200), (case["path"] + ".other", 100)):
        db = AsyncDictSQLite(name, **options(case)).open()
        value = "value " * 4 if case["storage_mode"] != "bytes" else b"value " * 4
        for start in range(0, rows, 50):
            db.batch_set({key: value * (1 + 300 * (key[-1] == "7")) for key in KEYS[start : start + 50]})
        db.table("second")["a"] = value
        if name == case["path"]:
            db.close()


def options(case: Case) -> dict[str, Any]:
    modes = {"persist_mode": "writethrough", "storage_mode": case["storage_mode"]}
    return {"backend": case["backend"], "capacity": 50, "synchronous": "normal", **modes}


def damage(case: Case, _before: Lines, say: Say) -> None:
    """Copy the sound file and damage the copy."""
    for kind in KINDS:
        if Path(case["sound"] + kind).exists():
            shutil.copyfile(case["sound"] + kind, case["path"] + kind)
    DAMAGES[case["damage"]](case["path"], random.Random(case["seed"]))
    say(["hash", *_hashed(case["path"])])


def _hashed(path: str) -> Tuple[str, bool]:
    """Return a hash of the database, and whether nothing else belongs to it."""
    alone = not any(os.path.exists(path + end) for end in ("-wal", "-journal", "-shm"))
    return hashlib.sha256(Path(path).read_bytes()).hexdigest(), alone


def use(case: Case, before: Lines, say: Say) -> None:
    """Open the damaged file and make every kind of call."""
    asyncio.run(_use(case, before, say))


async def _use(case: Case, before: Lines, say: Say) -> None:
    db = AsyncDictSQLite(case["path"], **options(case))
    try:
        await db.aopen()
    except Exception as error:
        _judge("open", error, say)
        say(["opened", False])
        name = type(error).__name__
        ((_, data, alone),) = [line for line in before if line[0] == "hash"]
        if alone and name in ("NotADatabaseError", "SchemaMismatchError") and _hashed(case["path"])[0] != data:
            say(["bad", f"{name} touched the file"])
        return
    say(["opened", True])
    value: Any = b"new" if case["storage_mode"] == "bytes" else "new"
    calls: List[Tuple[str, Callable[[], Any]]] = [
        *((key, lambda key=key: db.aget(key)) for key in KEYS[::23]),
        ("batch", lambda: db.abatch_get(KEYS[:120])),
        ("keys", lambda: _taken(db.akeys())),
        ("items", lambda: _taken(db.aitems(reverse=True))),
        ("len", db.alen),
        ("tables", db.atables),
        ("second", lambda: db.table("second").aget("a")),
        ("set", lambda: db.aset("k001", value)),
        ("pop", lambda: db.apop("k002", None)),
        ("batch set", lambda: db.abatch_set(dict.fromkeys(KEYS[::7], value))),
        ("batch delete", lambda: db.abatch_delete(KEYS[::5])),
        ("backup", lambda: db.abackup(case["path"] + ".backup")),
        ("clear", db.aclear),
        ("drop", lambda: db.adrop_table("second")),
        ("flush", db.aflush),
        ("close", db.aclose),
    ]
    for name, call in calls:
        try:
            await call()
        except Exception as error:
            _judge(name, error, say)


async def _taken(rows: AsyncIterator[Any]) -> int:
    """Count rows; there may be more in a circle of pages than in the file."""
    counted = 0
    async for _ in rows:
        counted += 1
        if counted > 100_000:
            raise AssertionError("an iteration does not end")
    return counted


def _judge(what: str, error: Exception, say: Say) -> None:
    say(["error", type(error).__name__])
    if not isinstance(error, AsyncDictError):
        say(["bad", f"{what}: {error!r}"])


def cases(folder: Path, backend: str, seed: int, each: int, modes: List[str]) -> List[Case]:
    """Return so many cases of each kind of damage, the storage modes in turn."""
    in_turn = itertools.cycle(modes)
    found = []
    for name, number in itertools.product(DAMAGES, range(each)):
        mode = next(in_turn)
        path = str(folder / f"{name.replace(' ', '-')}-{number}.db")
        found.append(dict(backend=backend, storage_mode=mode, damage=name, seed=f"{seed}/{number}",
                          sound=str(folder / f"{mode}.sound"), path=path))  # fmt: skip
    return found
