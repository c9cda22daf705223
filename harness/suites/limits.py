"""The limits suite: what the Rust backend costs beside the least that it could cost, both measured in one run."""

from __future__ import annotations

from typing import List, Sequence

from harness.measure.case import Case
from harness.suites.limit import CPU, DICT, LARGE, MAIN, SQL, Group, Measurable, Probed, Row, control, rust
from harness.suites.limits_disk import cold, durable
from harness.suites.limits_memory import hits
from harness.workloads import Params


def curves(*, full: bool) -> List[Group]:
    """Publish how costs grow, beside what grows at least."""
    found = []
    for name, keys in {"1 k": 1000, "10 k": 10_000, "100 k": 100_000, "1 M": 1_000_000}.items():
        params = Params(keys=keys)
        cases = {MAIN: rust("hits", "lazy", params), DICT: control("hits", params)}
        row = Row(f"hit-{name.replace(' ', '')}", f"hit among {name} entries", DICT)
        found.append(Group(f"Hits among {name}", cases, (row,), CPU if keys <= 10_000 else LARGE))
    for name, keys in {"10 k": 10_000, "100 k": 100_000, "1 M": 1_000_000, "10 M": 10_000_000}.items():
        params = Params(keys=keys)
        cases = {
            MAIN: rust("writers", "writethrough-full", params),
            SQL: Case("writers", "sqlite3", "wal-full", params),
        }
        row = Row(f"commit-{name.replace(' ', '')}", f"durable aset, random key of {name} rows", SQL)
        if full or keys < 10_000_000:
            found.append(Group(f"Commits among {name}", cases, (row,), LARGE))
    return found


def probed() -> List[Probed]:
    """Compare what no workload can tell."""
    found = []
    for name, slice_ms in {"short": 0.1, "medium": 1, "long": 20}.items():
        operation = f"cold aget by the thread, loop busy in slices of {slice_ms:g} ms"
        row = Row(f"busy-{name}", operation, "two slices", least=1.0)
        found.append(Probed(operation, "busy", row, {"slice_ms": slice_ms}))
    attached = "ours, exclusive=True"
    shared = Row("attached", "hit, another process attached", attached, most=1.15, headline=True)
    found.append(Probed("Hits beside another process", "attached", shared))
    for rate in (0, 1, 10, 100, 1000):
        row = Row(f"neighbour-{rate}", f"read, a neighbour commits {rate} times a second", "no commits")
        found.append(Probed(row.operation, "neighbour", row, {"rate": rate}))
    stall = Row("stall", "voluntary context switches in callbacks, 64 tasks writing, 1 M rows", "none", most=0)
    memory = Row("memory", "memory of a cached entry, the objects left out", "a dict", most=1.2)
    threads = Row("sync-threads", "cold get from 2 threads, sync", "1 thread", least=1.5)
    readers = Row("readers", "cold abatch_get of 10,000, a key", "one reader", least=1.6)
    return [
        *found,
        Probed("Loop stalls", "stall", stall, unit="1"),
        Probed("Memory", "memory", memory, unit="B"),
        Probed("Threads", "threads", threads),
        Probed("Large cold batches", "readers", readers),
    ]


def groups(*, full: bool) -> List[Measurable]:
    """Return all that is measured, `Group` or `Probed`, in order."""
    return [*hits(), *cold(), *durable(), *probed(), *curves(full=full)]


def select(found: Sequence[Measurable], names: Sequence[str]) -> List[Measurable]:
    """Keep what gives one of these rows, or everything."""
    return [group for group in found if not names or any(row.name in names for row in group.rows)]


def names() -> List[str]:
    """Name every row."""
    return [row.name for group in groups(full=True) for row in group.rows]
