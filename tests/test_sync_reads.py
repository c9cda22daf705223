"""Cold reads of the Rust backend's sync callers: on their own threads, without the GIL."""

from __future__ import annotations

import os
import resource
import sys
import threading
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from asyncdictsqlite import AsyncDictSQLite, errors
from tests.stores import child

pytestmark = pytest.mark.timeout(60)

ROWS = 3000


def key(i: int) -> str:
    return f"k{i % ROWS}"


def opened(path: Path, **options: Any) -> AsyncDictSQLite[Any]:
    """Open a store with room for one key in memory."""
    options = {"persist_mode": "writethrough", "storage_mode": "bytes", "capacity": 1, "exclusive": False, **options}
    return AsyncDictSQLite(path / "a.db", backend="rust", **options).open()


@pytest.fixture
def db(tmp_path: Path) -> Iterator[AsyncDictSQLite[Any]]:
    with opened(tmp_path) as store:
        store.batch_set({key(i): b"%d" % i for i in range(ROWS)})
        yield store


def in_threads(count: int, function: Callable[[int], None]) -> None:
    """Call it in so many threads at once; an error in one of them is raised here."""
    found: List[BaseException] = []

    def call(number: int) -> None:
        try:
            function(number)
        except BaseException as error:
            found.append(error)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if found:
        raise found[0]


@pytest.mark.parametrize("read", [lambda db, key: db.get(key), lambda db, key: db.get(key, 7), lambda db, key: db[key]])
def test_other_threads_run_during_a_cold_read(db: AsyncDictSQLite[Any], read: Callable[[Any, str], bytes]) -> None:
    may_run, ran = threading.Event(), threading.Event()
    before = sys.getswitchinterval()
    sys.setswitchinterval(1000)  # nobody gets the GIL unless it is given up
    try:
        other = threading.Thread(target=lambda: may_run.wait() and ran.set())
        other.start()
        may_run.set()
        reads = 0
        while not ran.is_set() and reads < ROWS:
            read(db, key(reads))
            reads += 1
        seen = ran.is_set()
    finally:
        sys.setswitchinterval(before)
    other.join()
    assert seen


@pytest.mark.skipif(not hasattr(resource, "RUSAGE_THREAD"), reason="this system counts no thread's waits")
def test_a_thread_that_waited_for_one_that_computes_reads_many_keys_at_its_turn(db: AsyncDictSQLite[Any]) -> None:
    stop = threading.Event()
    waits: List[int] = []

    def compute(number: int) -> None:
        if number == 0:
            while not stop.is_set():
                pass
            return
        before = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
        for i in range(ROWS):
            db.get(key(i))
        waits.append(resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw - before)
        stop.set()

    in_threads(2, compute)
    assert waits[0] < ROWS / 10


def test_threads_read_what_is_in_the_file(db: AsyncDictSQLite[Any]) -> None:
    def read(number: int) -> None:
        for i in range(number, ROWS, 2):
            assert db.get(key(i)) == db[key(i)] == b"%d" % i
            assert db.get(f"no{i}", number) == number

    in_threads(6, read)


def test_a_large_value_is_read_as_any_other(db: AsyncDictSQLite[Any]) -> None:
    db.set("large", b"x" * 2**20)
    db.set("other", b"")  # memory has room for one
    assert db.get("large") == b"x" * 2**20


def test_no_thread_sees_an_older_value_after_a_newer_one(db: AsyncDictSQLite[Any]) -> None:
    written = threading.Event()

    def run(number: int) -> None:
        if number == 0:
            for value in range(300):
                db.set("k0", b"%d" % value)
            written.set()
            return
        last = 0
        while not written.is_set():
            db.get(key(number))  # takes the place in memory
            value = int(db.get("k0"))
            assert value >= last
            last = value

    in_threads(4, run)
    assert db.get("k0") == b"299"


def test_a_close_waits_for_reads_and_leaves_no_file_open(tmp_path: Path) -> None:
    db = opened(tmp_path)
    db.batch_set({key(i): b"v" for i in range(ROWS)})
    begun = threading.Barrier(4)

    def read(number: int) -> None:
        begun.wait()
        for i in range(10**9):
            db.get(key(number + i))

    def run(number: int) -> None:
        if number > 0:
            with pytest.raises(errors.ClosedError):
                read(number)
        else:
            begun.wait()
            db.close()

    in_threads(4, run)
    assert not (tmp_path / "a.db-wal").exists(), "the last connection takes it away"


def test_a_read_of_a_dropped_table_fails_as_everywhere(db: AsyncDictSQLite[Any], tmp_path: Path) -> None:
    table = db.table("other")
    table.set("k", b"v")
    table.set("l", b"w")
    assert table.get("k") == b"v"
    child("import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('DROP TABLE other')", tmp_path / "a.db")
    with pytest.raises(errors.AsyncDictError):
        table.get("l")


def test_a_file_that_was_put_in_its_place_is_not_read(db: AsyncDictSQLite[Any], tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with opened(tmp_path / "other") as other:
        other.set(key(7), b"of the other")
    os.replace(tmp_path / "other" / "a.db", tmp_path / "a.db")
    assert db.get(key(7)) == b"7"


@pytest.mark.parametrize("persist_mode", ["lazy", "memory"])
def test_what_memory_decides_is_read_from_memory(tmp_path: Path, persist_mode: str) -> None:
    with opened(tmp_path, persist_mode=persist_mode, capacity=ROWS) as db:
        db.set("k", b"v")
        db.delete("k")
        assert db.get("k") is None
        db.set("k", b"w")
        db.clear()
        assert db.get("k", 7) == 7
