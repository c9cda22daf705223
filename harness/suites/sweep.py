"""The sweep: every contender through the workloads that a reader chooses a store by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Iterable, List, Sequence, Tuple

from harness.contenders import CONTENDERS
from harness.contenders.contender import Durability, Face
from harness.measure.case import Case
from harness.measure.rounds import Effort
from harness.workloads import Params

OURS = ("rust", "threads")
QUICK = Effort(rounds=7, block_s=0.03, group_s=5)
FULL = Effort(rounds=15, block_s=0.1, group_s=120)


@dataclass(frozen=True)
class Group:
    """Cases whose blocks are interleaved, under a title for the reader."""

    title: str
    cases: Tuple[Case, ...]


def groups(*, full: bool) -> List[Group]:
    """Return what the sweep measures, in order."""
    return [
        *_ladder(full),
        *_concurrency(full),
        *_batch(full),
        *_micro(full),
        *_corpus(full),
    ]


def select(found: Sequence[Group], contenders: Iterable[str], workloads: Iterable[str]) -> List[Group]:
    """Keep the chosen contenders and workloads."""
    names, kinds = set(contenders), set(workloads)
    kept = []
    for group in found:
        cases = tuple(case for case in group.cases if case.contender_name in names and case.workload_name in kinds)
        if cases:
            kept.append(replace(group, cases=cases))
    return kept


def _configured(*classes: Durability) -> List[Tuple[str, str]]:
    """Name the (contender, configuration) pairs of these classes, but for the control."""
    return [
        (name, configuration)
        for name, contender in CONTENDERS.items()
        if contender.face is not Face.CONTROL
        for configuration, chosen in contender.configurations.items()
        if chosen.durability in classes
    ]


def _cases(workload: str, pairs: Iterable[Tuple[str, str]], params: Params, **options: Any) -> Tuple[Case, ...]:
    return tuple(Case(workload, name, configuration, params, options) for name, configuration in pairs)


def _ladder(full: bool) -> List[Group]:
    """Write-through buffering: SQLite as it comes, WAL, then groups of at most ``buffer_size`` writes per commit."""
    found = []
    tasks = 1024
    sizes = (1, 10, 100, 1000)
    for value_size in (64, 1024) if full else (64,):
        alone = Params(value_size=value_size, keys=10_000)
        together = replace(alone, tasks=tasks)
        cases = _cases("writers", [("sqlite3", "default-journal"), ("sqlite3", "wal-full")], alone)
        for name in OURS:
            for size in sizes:
                cases += _cases("writers", [(name, "writethrough-full")], together, buffer_size=size)
        cases += _cases("writers", [("dictsqlite", "writethrough"), ("dictsqlite", "writethrough-buffered")], together)
        found.append(Group(f"Write-through buffering, {value_size} B values, {tasks} tasks", cases))
    return found


def _concurrency(full: bool) -> List[Group]:
    pairs = [pair for pair in _configured(Durability.SYNCED, Durability.KILL) if pair != ("sqlite3", "default-journal")]
    steps = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512) if full else (1, 8, 64, 512)
    found = [_writers(pairs, tasks, 64) for tasks in steps]
    found.append(_writers(pairs, 64, 1024))
    return found


def _writers(pairs: Iterable[Tuple[str, str]], tasks: int, value_size: int) -> Group:
    params = Params(value_size=value_size, keys=10_000, tasks=tasks)
    return Group(f"Writers: {tasks} tasks, {value_size} B values", _cases("writers", pairs, params))


def _batch(full: bool) -> List[Group]:
    pairs = [
        *(pair for pair in _configured(Durability.SYNCED) if pair != ("sqlite3", "default-journal")),
        ("dictsqlite", "writethrough"),
        ("diskcache", "default"),
    ]
    sizes = (1, 10, 100, 1000, 10_000, 100_000) if full else (1, 10, 100, 1000, 10_000)
    found = [Group("New rows, one call each", _cases("rows-single", pairs, Params()))]
    found += [Group(f"New rows, batches of {size}", _cases("rows-batch", pairs, Params(batch=size))) for size in sizes]
    for size in (1, 100, 10_000) if full else (1000,):
        params = Params(keys=10_000 if full else 2000, batch=size)
        found.append(Group(f"Cached keys, batches of {size}", _cases("reads-batch", pairs, params)))
    return found


def _micro(full: bool) -> List[Group]:
    everything = [pair for pair in _configured(*Durability) if pair != ("dictsqlite", "writethrough-buffered")]
    control = [("control", "dict")]
    found = []
    for value_size in (64, 1024, 65536) if full else (64, 1024):
        params = Params(value_size=value_size)
        pairs = everything if value_size == 64 else [pair for pair in everything if pair not in _SLOW]
        found.append(Group(f"Hits, {value_size} B values", _cases("hits", [*control, *pairs], params)))
        found.append(Group(f"Sets, {value_size} B values", _cases("sets", [*control, *pairs], params)))
    return found


_SLOW = {("sqlite3", "default-journal")}


def _corpus(full: bool) -> List[Group]:
    pairs = [
        *(pair for pair in _configured(Durability.SYNCED) if pair not in _SLOW),
        ("dictsqlite", "writethrough"),
        ("diskcache", "default"),
    ]
    params = Params(value_size=0, keys=100_000 if full else 300, tasks=64)
    return [
        Group("Sources of the standard library: written by 64 tasks", _cases("files-written", pairs, params)),
        Group("Sources of the standard library: hits", _cases("files-read", pairs, replace(params, tasks=1))),
    ]
