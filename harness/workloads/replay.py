"""Replay of a recorded trace in the CSV form of public cache traces, as fast as the store goes.

A line is ``time,key,key_size,value_size,client,operation,ttl``, a heading may come first. A client's operations keep
their order: they belong to one task. Every key is stored before the clock starts, so that reads hit. Neither the time
nor ``ttl`` is used, and operations that only remove are left out: what is compared is reads and writes.

Source: https://github.com/twitter/cache-trace
"""

from __future__ import annotations

import csv
import zlib
from collections import Counter
from functools import lru_cache
from itertools import cycle
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Sequence, Tuple

from harness.workloads import streams, ycsb
from harness.workloads.workload import Items, Params, Workload

SAMPLE = Path(__file__).with_name("sample_trace.csv")
_READS = {"get", "gets"}
_WRITES = {"set", "add", "replace", "cas", "append", "prepend", "incr", "decr"}
_LEFT_OUT = {"delete"}
_FIELDS = 7
MOST_VALUE = 2**24


class Request(NamedTuple):
    """One line: a read, or a write of so many bytes."""

    key: str
    value_size: int
    client: str
    writes: bool


def parse(lines: Sequence[str]) -> List[Request]:
    """Return the reads and writes of a trace.

    Raises:
        ValueError: a line is no request; the message has its number.
    """
    rows = [(number, row) for number, row in enumerate(csv.reader(lines), start=1) if row]
    if rows and rows[0][1][0].strip().lower() in ("time", "timestamp"):
        rows = rows[1:]
    found = [_request(number, row) for number, row in rows]
    kept = [request for request in found if request is not None]
    if not kept:
        raise ValueError("it has no read and no write")
    return kept


def _request(number: int, row: List[str]) -> Any:
    if len(row) != _FIELDS:
        raise ValueError(f"line {number} has {len(row)} fields, not time,key,key_size,value_size,client,operation,ttl")
    _, key, _, size, client, operation, _ = (cell.strip() for cell in row)
    operation = operation.lower()
    if not size.isdigit() or int(size) > MOST_VALUE:
        raise ValueError(f"line {number}: value_size {size!r} is no number of bytes up to {MOST_VALUE}")
    if operation not in _READS | _WRITES | _LEFT_OUT:
        known = ", ".join(sorted(_READS | _WRITES | _LEFT_OUT))
        raise ValueError(f"line {number}: operation {operation!r} is none of {known}")
    return None if operation in _LEFT_OUT else Request(key, int(size), client, operation in _WRITES)


@lru_cache(maxsize=2)
def _requests(path: str) -> List[Request]:
    return parse(Path(path or SAMPLE).read_text(encoding="utf-8").splitlines())


class _Values:
    """Values of any size, cut from one stretch of random bytes; each other than the one before of the same key."""

    def __init__(self, params: Params, most: int) -> None:
        self._bytes = streams.draw(params, "replay").randbytes(most + streams.DIFFERENT_VALUES)
        self._written: Dict[str, int] = Counter()

    def next(self, key: str, size: int) -> bytes:
        start = self._written[key] % streams.DIFFERENT_VALUES
        self._written[key] += 1
        return self._bytes[start : start + max(size, 1)]


def entries(params: Params) -> Items:
    """Return every key of the trace, its value as long as it is at first."""
    requests = _requests(params.trace)
    sizes = {request.key: request.value_size for request in reversed(requests)}
    values = _Values(params, max(sizes.values()))
    return [(key, values.next(key, size)) for key, size in sorted(sizes.items())]


def _state(params: Params) -> List[Iterator[Tuple[str, Any]]]:
    """Deal the requests to the tasks by client; who has no client is idle, and his share goes to the others."""
    requests = _requests(params.trace)
    values = _Values(params, max(request.value_size for request in requests))
    for request in {request.key: request for request in requests}.values():
        values.next(request.key, 1)  # what the entries have taken
    hands: List[List[ycsb.Operation]] = [[] for _ in range(params.tasks)]
    for request in [*requests] * 2:
        value = values.next(request.key, request.value_size) if request.writes else None
        hands[zlib.crc32(request.client.encode()) % params.tasks].append((request.key, value))
    busy = [hand for hand in hands if hand]
    return [cycle(busy[number % len(busy)]) for number in range(params.tasks)]


def _tasks(params: Params) -> int:
    return params.tasks


REPLAY = Workload(
    name="replay",
    version=1,
    question="What does an operation of a recorded trace cost?",
    per="operation",
    entries=entries,
    state=_state,
    body=ycsb.clients,
    sync_body=ycsb.sync_clients,
    control_body=ycsb.clients,
    step=_tasks,
    writes=True,
)


def sample(requests: int = 600) -> str:
    """Return a small trace in that form, always the same: what ``sample_trace.csv`` is."""
    draw = streams.draw(Params(), "sample trace")
    keys = ycsb.zipfian(Params(keys=200), "sample trace", requests)
    sizes = {key: min(4096, int(draw.lognormvariate(5, 1)) + 1) for key in sorted(set(keys))}
    lines = ["time,key,key_size,value_size,client,operation,ttl"]
    for number, key in enumerate(keys):
        writes = draw.random() < 0.2
        operation, ttl = ("set", 3600) if writes else ("get", 0)
        lines.append(f"{number // 20},{key},{len(key)},{sizes[key]},{draw.randrange(24)},{operation},{ttl}")
    return "\n".join(lines) + "\n"
