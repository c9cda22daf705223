"""Limits of what is on disk: cold reads, synced writes, batches of new rows, iteration, opening."""

from __future__ import annotations

from typing import List, Mapping

from harness.measure.case import Case
from harness.measure.rounds import Effort
from harness.suites.limit import ALONE, DISK, LARGE, MAIN, SEED, SQL, Group, Row, rust
from harness.workloads import Params


def cold() -> List[Group]:
    """Compare reads of what is not in memory: pages in the system's cache."""
    params = Params(keys=100_000)
    batches = {f"ours, batch of {size}": Params(keys=100_000, batch=size) for size in (100, 1000)}
    select = Case("cold-reads", "sqlite3", "wal-normal", params)
    return [
        Group(
            "Cold reads",
            {
                MAIN: rust("cold-reads", "writethrough-normal", params),
                "ours, gathered": rust("cold-gathers", "writethrough-normal", params),
                **{name: rust("cold-batches", "writethrough-normal", size) for name, size in batches.items()},
                SQL: select,
                SEED: Case("cold-reads", "dictsqlite", "writethrough", params),
            },
            (
                Row("cold", "cold aget, one at a time", SQL, most=0.7, headline=True),
                Row("cold-gather", "cold aget, 100 gathered", SQL, most=0.35, ours="ours, gathered", headline=True),
                Row("cold-batch-100", "cold abatch_get of 100, a key", SQL, most=0.35, ours="ours, batch of 100"),
                Row("cold-batch", "cold abatch_get of 1000, a key", SQL, most=0.35, ours="ours, batch of 1000"),
                Row("cold-dictsqlite", "cold aget, one at a time", SEED, least=15),
            ),
            DISK,
        ),
        Group(
            "Iteration over 100,000 rows",
            {MAIN: rust("iteration", "lazy", params), SQL: Case("iteration", "sqlite3", "wal-normal", params)},
            (Row("iteration", "async for over aitems(), a row", SQL, least=1.0),),
            DISK,
        ),
        Group(
            "Opening",
            {
                MAIN: rust("opening", "lazy", Params(keys=1_000_000)),
                "an empty file": rust("opening", "lazy", Params(keys=0)),
            },
            (Row("open", "open, read a key, close: 1 M rows", "an empty file", most=2.0),),
            DISK,
        ),
    ]


def _writers(keys: int, name: str, operation: str, least: Mapping[int, float], effort: Effort) -> List[Group]:
    found = []
    for tasks, times in least.items():
        params = Params(keys=keys, tasks=tasks)
        cases = {
            MAIN: rust("writers", "writethrough-full", params),
            ALONE: rust("writers", "writethrough-full", params, buffer_size=1),
        }
        operation_of = f"{operation}, {tasks} tasks, a write"
        rows = [Row(f"{name}-{tasks}", operation_of, ALONE, least=times, headline=True)]
        if keys <= 10_000:
            cases[SQL] = Case("writers", "sqlite3", "wal-full", params)
            rows.append(Row(f"{name}-{tasks}-stock", operation_of, SQL, least=times))
            if tasks == 512:
                large = "ours, buffer_size=1000"
                cases[large] = rust("writers", "writethrough-full", params, buffer_size=1000)
                rows.append(Row(f"{name}-{tasks}-1000", f"the same, {large[6:]}", ALONE, least=60, ours=large))
        found.append(Group(f"{operation}, {tasks} tasks", cases, tuple(rows), effort))
    return found


LADDER = "Write-through buffering, 64 B values, 1024 tasks"  # what the report's ladder looks for


def durable() -> List[Group]:
    """Compare synced writes."""
    alone, together = Params(keys=10_000), Params(keys=10_000, tasks=1024)
    sizes = (1, 10, 100, 1000)
    steps = {f"groups of {size}": rust("writers", "writethrough-full", together, buffer_size=size) for size in sizes}
    rows_of = Params(batch=10_000)
    return [
        Group(
            "Durable writes, one at a time",
            {MAIN: rust("sets", "writethrough-full"), SQL: Case("sets", "sqlite3", "wal-full")},
            (Row("durable", "durable aset, one at a time", SQL, most=1.15, headline=True),),
            DISK,
        ),
        *_writers(10_000, "writers", "durable aset", {64: 15, 512: 40}, DISK),
        Group(
            LADDER,
            {
                "default journal": Case("writers", "sqlite3", "default-journal", alone),
                "WAL": Case("writers", "sqlite3", "wal-full", alone),
                **steps,
            },
            (_ladder(),),
            DISK,
        ),
        *_writers(500_000, "random", "durable aset, random keys of 500,000", {64: 5, 512: 8}, LARGE),
        Group(
            "New sorted rows",
            {
                MAIN: rust("rows-batch", "writethrough-full", rows_of),
                "executemany": Case("rows-batch", "sqlite3", "wal-full", rows_of),
                "one commit per row": rust("rows-single", "writethrough-full"),
            },
            (
                Row("batch-new", "abatch_set of 10,000 new rows, a row", "executemany", most=0.5, headline=True),
                Row("batch-new-single", "abatch_set of 10,000 new rows, a row", "one commit per row", least=43),
            ),
            DISK,
        ),
    ]


def _ladder() -> Row:
    operation = "the whole ladder of buffering, a write"
    return Row("ladder", operation, "default journal", least=300, ours="groups of 1000", headline=True)
