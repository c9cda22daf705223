"""The sweep: every contender through the workloads that a reader chooses a store by."""

from __future__ import annotations

from dataclasses import replace
from typing import Iterable, List, Sequence

from harness.contenders import CONTENDERS
from harness.contenders.contender import Durability, Face
from harness.measure.rounds import Effort
from harness.suites import sweep_shared, sweep_waiting
from harness.suites.pairs import (
    DEFAULT_JOURNAL,
    MANY,
    OURS,
    SLOW_TO_FILL,
    UNSYNCED,
    Group,
    Pair,
    cases,
    configured,
    one_each,
)
from harness.workloads import Params

QUICK = Effort(rounds=7, block_s=0.03, case_s=0.4)
FULL = Effort(rounds=15, block_s=0.1, case_s=10)

# What these do in one thread costs the same however many tasks there are.
_TAKES_TURNS = {name for name, contender in CONTENDERS.items() if contender.face is Face.SYNC}


def groups(*, full: bool) -> List[Group]:
    """Return what the sweep measures, in order."""
    return [
        *_ladder(full),
        *_concurrency(full),
        *_batch(full),
        *_micro(full),
        *_corpus(full),
        *_cold(full),
        *_mixed(full),
        *_whole(full),
        *sweep_waiting.groups(full=full),
        *sweep_shared.groups(full=full),
    ]


def select(found: Sequence[Group], contenders: Iterable[str], workloads: Iterable[str]) -> List[Group]:
    """Keep the chosen contenders and workloads."""
    names, kinds = set(contenders), set(workloads)
    kept = []
    for group in found:
        chosen = tuple(case for case in group.cases if case.contender_name in names and case.workload_name in kinds)
        if chosen:
            kept.append(replace(group, cases=chosen))
    return kept


def _ladder(full: bool) -> List[Group]:
    """Write-through buffering: SQLite as it comes, WAL, then groups of at most ``buffer_size`` writes per commit."""
    found = []
    tasks = 1024
    sizes = (1, 10, 100, 1000)
    for value_size in (64, 1024) if full else (64,):
        alone = Params(value_size=value_size, keys=10_000)
        together = replace(alone, tasks=tasks)
        steps = cases("writers", [DEFAULT_JOURNAL, ("sqlite3", "wal-full")], alone)
        for name in OURS if full else OURS[:2]:
            for size in sizes:
                steps += cases("writers", [(name, "writethrough-full")], together, buffer_size=size)
        steps += cases("writers", [("dictsqlite", "writethrough"), ("dictsqlite", "writethrough-buffered")], together)
        found.append(Group(f"Write-through buffering, {value_size} B values, {tasks} tasks", steps))
    return found


def _concurrency(full: bool) -> List[Group]:
    pairs = configured(Durability.SYNCED, Durability.KILL)
    asynchronous = [pair for pair in pairs if pair[0] not in _TAKES_TURNS]
    steps = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512) if full else (1, 8, 64, 512)
    found = [_writers(pairs if full or tasks in (1, 64) else asynchronous, tasks, 64) for tasks in steps]
    found.append(_writers(pairs if full else asynchronous, 64, 1024))
    return found


def _writers(pairs: Iterable[Pair], tasks: int, value_size: int) -> Group:
    params = Params(value_size=value_size, keys=10_000, tasks=tasks)
    return Group(f"Writers: {tasks} tasks, {value_size} B values", cases("writers", pairs, params))


def _batch(full: bool) -> List[Group]:
    pairs = [*configured(Durability.SYNCED), *UNSYNCED]
    sizes = (1, 10, 100, 1000, 10_000, 100_000) if full else (1, 10, 100, 1000, 10_000)
    found = [Group("New rows, one call each", cases("rows-single", pairs, Params()))]
    found += [Group(f"New rows, batches of {size}", cases("rows-batch", pairs, Params(batch=size))) for size in sizes]
    for size in (1, 100, 10_000) if full else (1000,):
        params = Params(keys=10_000 if full else 2000, batch=size)
        found.append(Group(f"Cached keys, batches of {size}", cases("reads-batch", pairs, params)))
    return found


def _micro(full: bool) -> List[Group]:
    everything = [DEFAULT_JOURNAL, *configured(*Durability)]
    everything.remove(("dictsqlite", "writethrough-buffered"))
    control = [("control", "dict")]
    found = []
    for value_size in (64, 1024, 65536) if full else (64, 1024):
        params = Params(value_size=value_size)
        pairs = everything if full or value_size == 64 else one_each()
        found.append(Group(f"Hits, {value_size} B values", cases("hits", [*control, *pairs], params)))
        found.append(Group(f"Sets, {value_size} B values", cases("sets", [*control, *pairs], params)))
    return found


def _corpus(full: bool) -> List[Group]:
    pairs = [*configured(Durability.SYNCED), *UNSYNCED]
    params = Params(value_size=0, keys=100_000 if full else 300, tasks=64)
    return [
        Group("Sources of the standard library: written by 64 tasks", cases("files-written", pairs, params)),
        Group("Sources of the standard library: hits", cases("files-read", pairs, replace(params, tasks=1))),
    ]


def _cold(full: bool) -> List[Group]:
    """Read from files of three times SQLite's own page cache and more."""
    params = Params(value_size=1024, keys=50_000 if full else 6000)
    large = Params(keys=MANY if full else 20_000, batch=10_000)
    # dictsqlite keeps what a batch has read, whatever its capacity: of a few large ones only the first is cold.
    quickly = [pair for pair in one_each() if pair[0] not in {"dictsqlite", *SLOW_TO_FILL}]
    return [
        Group("Cold reads, 1 KiB values", cases("cold-reads", one_each(), params)),
        Group("Cold reads gathered, 1 KiB values", cases("cold-gathers", one_each(), params)),
        Group(f"Cold batches of {large.batch}", cases("cold-batches", quickly, large)),
    ]


def _mixed(full: bool) -> List[Group]:
    """Mix as YCSB does, whose records are of 1 KB; tasks stand for its threads."""
    params = Params(value_size=1024, keys=50_000 if full else 5000, tasks=16)
    volatile = [(name, configuration) for name, configuration in one_each() if name in ("dbm", "shelve")]
    written = [*configured(Durability.SYNCED, Durability.KILL), *volatile, ("rust", "lazy"), ("dictsqlite", "lazy")]
    scanned = [pair for pair in dict.fromkeys(written) if CONTENDERS[pair[0]].scans]
    more = {f"YCSB {mix}, 16 tasks": f"ycsb-{mix.lower()}" for mix in ("BDF" if full else "")}
    return [
        Group("YCSB A, 16 tasks", cases("ycsb-a", dict.fromkeys(written), params)),
        Group("YCSB C, 16 tasks", cases("ycsb-c", one_each(), params)),
        *(Group(title, cases(workload, dict.fromkeys(written), params)) for title, workload in more.items()),
        *([Group("YCSB E, 16 tasks", cases("ycsb-e", scanned, params))] if full else []),
    ]


def _whole(full: bool) -> List[Group]:
    rows = Params(keys=MANY)
    many = Params(keys=10 * MANY if full else MANY)
    iterating = [pair for pair in one_each() if CONTENDERS[pair[0]].iterates and (full or pair[0] != "diskcache")]
    return [
        Group(f"Iteration over {MANY} rows", cases("iteration", iterating, rows)),
        Group("Opening an empty file", cases("opening", one_each(), Params(keys=0))),
        Group(f"Opening a file of {many.keys} rows", cases("opening", one_each(), many)),
    ]
