"""What the rust backend keeps in memory, and when it lets go of it."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any, Iterator

import pytest

from asyncdictsqlite import AsyncDictSQLite

SEED = 20261127


def memory(storage_mode: str, **options: Any) -> AsyncDictSQLite:
    return AsyncDictSQLite("a name", backend="rust", persist_mode="memory", storage_mode=storage_mode, **options)


@pytest.fixture
def store() -> Iterator[AsyncDictSQLite]:
    with memory("bytes") as found:
        yield found


def test_a_memory_that_was_emptied_is_released_a_part_a_write(store: AsyncDictSQLite) -> None:
    value = bytes(range(64))
    before = sys.getrefcount(value)
    store.batch_set({f"key-{number}": value for number in range(2000)})
    store.clear()
    assert (store.stats()["entries"], store.stats()["bytes"], len(store)) == (0, 0, 0)
    held = [sys.getrefcount(value) - before]
    for number in range(3):
        store[f"new-{number}"] = b""
        held.append(sys.getrefcount(value) - before)
    assert held == [1500, 1000, 500, 0]  # `ENTRIES_AT_ONCE` of the extension


def test_to_close_releases_all_that_was_emptied() -> None:
    value = bytes(range(64))
    before = sys.getrefcount(value)
    with memory("bytes") as store:
        store.batch_set({f"key-{number}": value for number in range(2000)})
        store.clear()
    assert sys.getrefcount(value) == before


@pytest.mark.parametrize("kept", [0, 1, 700, 3000])
def test_to_empty_a_table_leaves_the_others(store: AsyncDictSQLite, kept: int) -> None:
    other = store.table("other")
    expected = {f"key-{number}": b"%d" % number for number in range(kept)}
    other.update(expected)
    store.batch_set({f"key-{number}": b"" for number in range(2000)})
    store.clear()
    assert (len(store), dict(other.items()), store.stats()["entries"]) == (0, expected, kept)
    store["key-1"] = b"new"
    assert (dict(store.items()), dict(other.items())) == ({"key-1": b"new"}, expected)


@pytest.mark.parametrize("storage_mode", ["json", "pickle"])
def test_an_object_is_given_back_by_every_way(storage_mode: str) -> None:
    chance = random.Random(SEED)
    values = {"json": ["text", "ä", 1.5, 10**30, None, True], "pickle": [("a", ("b",)), 10**30, "ä\ud800", b"x"]}
    expected = {}
    with memory(storage_mode, capacity=50, evict=True) as store:
        for number in range(2000):
            key = f"key-{number % 70}"
            expected[key] = chance.choice([*values[storage_mode], [number]])
            store[key] = expected[key]
            if number % 7 == 0:
                store.pop(key, None)
                del expected[key]
        kept = dict(store.items())
        assert len(kept) == 50
        assert store.batch_get(list(kept)) == [store.get(key) for key in kept] == list(kept.values())
        assert kept.items() <= expected.items()


def test_the_index_finds_every_key_as_it_grows(store: AsyncDictSQLite) -> None:
    keys = [f"key-{number}" for number in range(5000)]
    for number, key in enumerate(keys):
        store[key] = b"%d" % number
        if number % 3 == 0:
            del store[keys[number // 2]]
            store[keys[number // 2]] = b"%d" % (number // 2)
    assert [store.get(key) for key in keys] == [b"%d" % number for number in range(5000)]


def test_a_hit_of_an_atom_that_came_from_the_file_is_one_object(tmp_path: Path) -> None:
    with AsyncDictSQLite(tmp_path / "store.db", backend="rust") as store:
        store.update({"text": "ä" * 100, "tuple": ("a", 1)})
    with AsyncDictSQLite(tmp_path / "store.db", backend="rust") as store:
        for key in ("text", "tuple"):
            assert store.get(key) is store.get(key)
