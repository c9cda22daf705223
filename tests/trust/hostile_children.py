"""What the children of the test of hostile pickles do: plant them in a file, read them in every way."""

from __future__ import annotations

import asyncio
import os
import resource
import sqlite3
import sys
from pathlib import Path
from typing import Any, Callable, List, Mapping, Tuple

from asyncdictsqlite import AsyncDictSQLite, UnsafePickleError, ValueDecodingError
from asyncdictsqlite.codec import make_codec
from tests.trust.farm import Case, Lines, Say
from tests.trust.hostile_forms import MARK, forms

# No reading does any of these.
EVENTS = ("os.system", "os.exec", "os.fork", "os.posix_spawn", "os.mkdir", "os.remove", "subprocess.Popen", "pty.spawn")
MODULES = ("this", "code", "pty", "runpy")


def plant(case: Case, _before: Lines, say: Say) -> None:
    """Make a file whose values are hostile, each beside a harmless one."""
    make(case["path"], case["backend"], forms())
    say(["planted", len(forms())])


def make(path: str, backend: str, streams: Mapping[str, bytes]) -> None:
    """Make a file that holds streams as pickles."""
    with AsyncDictSQLite(path, backend=backend, persist_mode="writethrough") as db:
        db["harmless"] = 1
    connection = sqlite3.connect(path)
    connection.executemany("INSERT INTO main (key, value) VALUES (?, ?)", streams.items())
    connection.commit()
    connection.close()


def read(case: Case, _before: Lines, say: Say) -> None:
    """Read each value alone, in a batch, by iterating; take it out; watch for code that runs."""
    folder = case["path"] + ".folder"
    os.mkdir(folder)
    os.chdir(folder)
    asyncio.run(_read(case, say))
    if os.listdir(folder):
        say(["bad", f"code ran: {os.listdir(folder)}"])


async def _read(case: Case, say: Say) -> None:
    db = await AsyncDictSQLite(case["path"], backend=case["backend"], persist_mode="writethrough").aopen()
    resource.setrlimit(resource.RLIMIT_AS, (2 * 2**30, 2 * 2**30))
    sys.addaudithook(lambda event, arguments: _watch(event, arguments, say))
    for name in forms():
        ways: List[Callable[[], Any]] = [
            lambda: db.aget(name),  # noqa: B023
            lambda: db.abatch_get(["harmless", name]),  # noqa: B023
            lambda: _first(db, name),  # noqa: B023
            lambda: db.asetdefault(name, 1),  # noqa: B023
            lambda: db.apop(name),  # noqa: B023
        ]
        for way in ways:
            try:
                await way()
            except (UnsafePickleError, ValueDecodingError) as error:
                say(["error", type(error).__name__])
            except Exception as error:
                say(["bad", f"{name}: {error!r}"])
            else:
                say(["bad", f"{name} was loaded"])
    if await db.aget("harmless") != 1:
        say(["bad", "a neighbour is lost"])
    await db.aclose()


async def _first(db: AsyncDictSQLite, name: str) -> Any:
    values: List[Any] = [value async for value in db.avalues(start=name, limit=1)]
    return values


def plant_corpus(case: Case, _before: Lines, _say: Say) -> None:
    """Make a file of a corpus."""
    make(case["path"], "threads", {one.name: one.read_bytes() for one in Path(case["corpus"]).iterdir()})


def compare_corpus(case: Case, _before: Lines, say: Say) -> None:
    """Read a corpus from a file, which in Rust has a way of its own for what is plain: it ends as the codec ends."""
    codec, compared = make_codec("pickle"), 0
    with AsyncDictSQLite(case["path"], backend="rust") as db:
        for one in Path(case["corpus"]).iterdir():
            wanted = _end(codec.decode, one.read_bytes())
            for _ in ("cold", "hit"):
                found = _end(db.get, one.name)
                if found != wanted:
                    say(["bad", f"{one.read_bytes()!r}: {found}, not {wanted}"])
            compared += 1
    say(["compared", compared])


def _end(call: Callable[[Any], Any], argument: Any) -> Tuple[str, str]:
    try:
        value = call(argument)
        return type(value).__name__, ascii(value)  # which fails where the pieces of an object do not fit
    except Exception as error:
        return type(error).__name__, ""


def _watch(event: str, arguments: Any, say: Say) -> None:
    if event in EVENTS or (event == "import" and arguments[0] in MODULES):
        say(["bad", f"{event} {arguments!r}"[:200]])
    if event in ("open", "sqlite3.connect") and MARK in str(arguments[0]):
        say(["bad", f"{event} {arguments!r}"[:200]])
