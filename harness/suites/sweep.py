"""The sweep: every contender through the workloads that a reader chooses a store by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Iterable, List, Sequence, Tuple

from harness.contenders import CONTENDERS
from harness.contenders.contender import Durability, Face
from harness.measure.case import Case
from harness.measure.rounds import Effort
from harness.workloads import Params

OURS = ("rust", "threads", "aiosqlite-backend")
QUICK = Effort(rounds=7, block_s=0.03, case_s=0.4)
FULL = Effort(rounds=15, block_s=0.1, case_s=10)

Pair = Tuple[str, str]  # contender, configuration
_DEFAULT_JOURNAL = ("sqlite3", "default-journal")
_UNSYNCED = (("dictsqlite", "writethrough"), ("diskcache", "default"))  # beside the synced stores, for comparison
# These commit row by row, in batches, too: it takes them many seconds to fill with 100,000 rows.
_SLOW_TO_FILL = {"py-key-value", "sqlitedict"}
_MANY = 100_000
# What these do in one thread costs the same however many tasks there are.
_TAKES_TURNS = {name for name, contender in CONTENDERS.items() if contender.face is Face.SYNC}


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
        *_cold(full),
        *_mixed(full),
        *_whole(full),
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


def _configured(*classes: Durability) -> List[Pair]:
    """Name the pairs of these classes, but for the control and SQLite's default journal."""
    found = [
        (name, configuration)
        for name, contender in CONTENDERS.items()
        if contender.face is not Face.CONTROL
        for configuration, chosen in contender.configurations.items()
        if chosen.durability in classes
    ]
    return [pair for pair in found if pair != _DEFAULT_JOURNAL]


def _one_each() -> List[Pair]:
    """Name the first configuration of each store, but SQLite's default journal: what reads cost hardly differs."""
    firsts = dict(reversed(_configured(*Durability)))
    return [(name, firsts[name]) for name in CONTENDERS if name in firsts]


def _cases(workload: str, pairs: Iterable[Pair], params: Params, **options: Any) -> Tuple[Case, ...]:
    return tuple(
        Case(workload, name, configuration, params, options)
        for name, configuration in pairs
        if params.keys < _MANY or name not in _SLOW_TO_FILL
    )


def _ladder(full: bool) -> List[Group]:
    """Write-through buffering: SQLite as it comes, WAL, then groups of at most ``buffer_size`` writes per commit."""
    found = []
    tasks = 1024
    sizes = (1, 10, 100, 1000)
    for value_size in (64, 1024) if full else (64,):
        alone = Params(value_size=value_size, keys=10_000)
        together = replace(alone, tasks=tasks)
        cases = _cases("writers", [_DEFAULT_JOURNAL, ("sqlite3", "wal-full")], alone)
        for name in OURS if full else OURS[:2]:
            for size in sizes:
                cases += _cases("writers", [(name, "writethrough-full")], together, buffer_size=size)
        cases += _cases("writers", [("dictsqlite", "writethrough"), ("dictsqlite", "writethrough-buffered")], together)
        found.append(Group(f"Write-through buffering, {value_size} B values, {tasks} tasks", cases))
    return found


def _concurrency(full: bool) -> List[Group]:
    pairs = _configured(Durability.SYNCED, Durability.KILL)
    asynchronous = [pair for pair in pairs if pair[0] not in _TAKES_TURNS]
    steps = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512) if full else (1, 8, 64, 512)
    found = [_writers(pairs if full or tasks in (1, 64) else asynchronous, tasks, 64) for tasks in steps]
    found.append(_writers(pairs if full else asynchronous, 64, 1024))
    return found


def _writers(pairs: Iterable[Pair], tasks: int, value_size: int) -> Group:
    params = Params(value_size=value_size, keys=10_000, tasks=tasks)
    return Group(f"Writers: {tasks} tasks, {value_size} B values", _cases("writers", pairs, params))


def _batch(full: bool) -> List[Group]:
    pairs = [*_configured(Durability.SYNCED), *_UNSYNCED]
    sizes = (1, 10, 100, 1000, 10_000, 100_000) if full else (1, 10, 100, 1000, 10_000)
    found = [Group("New rows, one call each", _cases("rows-single", pairs, Params()))]
    found += [Group(f"New rows, batches of {size}", _cases("rows-batch", pairs, Params(batch=size))) for size in sizes]
    for size in (1, 100, 10_000) if full else (1000,):
        params = Params(keys=10_000 if full else 2000, batch=size)
        found.append(Group(f"Cached keys, batches of {size}", _cases("reads-batch", pairs, params)))
    return found


def _micro(full: bool) -> List[Group]:
    everything = [_DEFAULT_JOURNAL, *_configured(*Durability)]
    everything.remove(("dictsqlite", "writethrough-buffered"))
    control = [("control", "dict")]
    found = []
    for value_size in (64, 1024, 65536) if full else (64, 1024):
        params = Params(value_size=value_size)
        pairs = everything if full or value_size == 64 else _one_each()
        found.append(Group(f"Hits, {value_size} B values", _cases("hits", [*control, *pairs], params)))
        found.append(Group(f"Sets, {value_size} B values", _cases("sets", [*control, *pairs], params)))
    return found


def _corpus(full: bool) -> List[Group]:
    pairs = [*_configured(Durability.SYNCED), *_UNSYNCED]
    params = Params(value_size=0, keys=100_000 if full else 300, tasks=64)
    return [
        Group("Sources of the standard library: written by 64 tasks", _cases("files-written", pairs, params)),
        Group("Sources of the standard library: hits", _cases("files-read", pairs, replace(params, tasks=1))),
    ]


def _cold(full: bool) -> List[Group]:
    """Read from files of three times SQLite's own page cache and more."""
    params = Params(value_size=1024, keys=50_000 if full else 6000)
    return [
        Group("Cold reads, 1 KiB values", _cases("cold-reads", _one_each(), params)),
        Group("Cold reads gathered, 1 KiB values", _cases("cold-gathers", _one_each(), params)),
    ]


def _mixed(full: bool) -> List[Group]:
    """Mix as YCSB does, whose records are of 1 KB; tasks stand for its threads."""
    params = Params(value_size=1024, keys=50_000 if full else 5000, tasks=16)
    volatile = [(name, configuration) for name, configuration in _one_each() if name in ("dbm", "shelve")]
    written = [*_configured(Durability.SYNCED, Durability.KILL), *volatile, ("rust", "lazy"), ("dictsqlite", "lazy")]
    more = {f"YCSB {mix}, 16 tasks": f"ycsb-{mix.lower()}" for mix in ("BDF" if full else "")}
    return [
        Group("YCSB A, 16 tasks", _cases("ycsb-a", dict.fromkeys(written), params)),
        Group("YCSB C, 16 tasks", _cases("ycsb-c", _one_each(), params)),
        *(Group(title, _cases(workload, dict.fromkeys(written), params)) for title, workload in more.items()),
    ]


def _whole(full: bool) -> List[Group]:
    rows = Params(keys=_MANY)
    many = Params(keys=10 * _MANY if full else _MANY)
    iterating = [pair for pair in _one_each() if CONTENDERS[pair[0]].iterates and (full or pair[0] != "diskcache")]
    return [
        Group(f"Iteration over {_MANY} rows", _cases("iteration", iterating, rows)),
        Group("Opening an empty file", _cases("opening", _one_each(), Params(keys=0))),
        Group(f"Opening a file of {many.keys} rows", _cases("opening", _one_each(), many)),
    ]
