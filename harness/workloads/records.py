"""Small dicts: as the store keeps them, and pickled by hand into a store of bytes, which is what it costs at least."""

from __future__ import annotations

import pickle
from typing import Any, Dict, List, Tuple

from harness.workloads import micro, streams
from harness.workloads.workload import Params, Workload

PROTOCOL = 5
Records = List[Tuple[str, Dict[str, Any]]]


def _records(params: Params, purpose: str) -> List[Dict[str, Any]]:
    """Draw records whose pickles have 64 bytes, whatever ``value_size`` says."""
    source = streams.draw(params, f"{purpose} records")
    return [
        {"id": source.randrange(10**5, 10**6), "name": f"{source.randrange(10**11):011}", "score": source.random()}
        for _ in range(streams.DIFFERENT_VALUES)
    ]


def _entries(params: Params) -> Any:
    stored = _records(params, "entries")
    return [(streams.key(number), stored[number % len(stored)]) for number in range(params.keys)]


def _pickled_entries(params: Params) -> Any:
    return [(key, pickle.dumps(record, PROTOCOL)) for key, record in _entries(params)]


def _keys(params: Params) -> List[str]:
    return streams.keys_in_random_order(params, "record hits")


async def pickled_hits(store: Any, keys: List[str], n: int) -> None:
    """Read each key in turn, and load what is there."""
    loads = pickle.loads
    for _ in range(n // len(keys)):
        for key in keys:
            loads(await store.aget(key))


def sync_pickled_hits(store: Any, keys: List[str], n: int) -> None:
    """Read each key in turn, and load what is there."""
    loads = pickle.loads
    for _ in range(n // len(keys)):
        for key in keys:
            loads(store.get(key))


def _writes(params: Params) -> Records:
    keys = streams.keys_in_random_order(params, "record sets")
    found: Any = streams.changes(keys, _records(params, "sets"))
    return list(found)


async def pickled_sets(store: Any, items: Records, n: int) -> None:
    """Dump each value in turn and write it, another than the key has."""
    dumps = pickle.dumps
    for _ in range(n // len(items)):
        for key, value in items:
            await store.aset(key, dumps(value, PROTOCOL))


def sync_pickled_sets(store: Any, items: Records, n: int) -> None:
    """Dump each value in turn and write it, another than the key has."""
    dumps = pickle.dumps
    for _ in range(n // len(items)):
        for key, value in items:
            store.set(key, dumps(value, PROTOCOL))


def _keys_of(params: Params) -> int:
    return params.keys


def _twice(params: Params) -> int:
    return 2 * params.keys


RECORD_HITS = Workload(
    name="record-hits",
    version=1,
    question="What does it cost to read a small dict that was read before?",
    per="hit",
    entries=_entries,
    state=_keys,
    body=micro.hits,
    sync_body=micro.sync_hits,
    step=_keys_of,
)
PICKLED_HITS = Workload(
    name="pickled-hits",
    version=1,
    question="What does the same cost with bytes and pickle.loads?",
    per="hit",
    entries=_pickled_entries,
    state=_keys,
    body=pickled_hits,
    sync_body=sync_pickled_hits,
    step=_keys_of,
)
RECORD_SETS = Workload(
    name="record-sets",
    version=1,
    question="What does it cost to write a small dict?",
    per="write",
    entries=_entries,
    state=_writes,
    body=micro.sets,
    sync_body=micro.sync_sets,
    step=_twice,
    writes=True,
)
PICKLED_SETS = Workload(
    name="pickled-sets",
    version=1,
    question="What does the same cost with bytes and pickle.dumps?",
    per="write",
    entries=_pickled_entries,
    state=_writes,
    body=pickled_sets,
    sync_body=sync_pickled_sets,
    step=_twice,
    writes=True,
)
