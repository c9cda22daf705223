"""The sweep's part on sharing: threads of a process, processes on a file, a neighbour's commits; and memory."""

from __future__ import annotations

from typing import List

from harness.contenders import CONTENDERS
from harness.contenders.contender import Durability
from harness.measure.rounds import Effort
from harness.suites.pairs import CONTROL, MANY, SLOW_TO_FILL, Group, Pair, cases, configured, one_each
from harness.workloads import Params

_READ_MOSTLY = 0.95
_MEMORY = Effort(rounds=3, block_s=0, case_s=60)
_RATE = 100  # commits a second of the neighbour


def groups(*, full: bool) -> List[Group]:
    """Return what is measured, in order."""
    return [*_threads(full), *_processes(full), *_beside(full), _memory(full)]


def _synced(full: bool) -> List[Pair]:
    """Name what syncs, and of each other store its first configuration."""
    synced = configured(Durability.SYNCED)
    return _quick_to_fill([*synced, *(pair for pair in one_each() if pair[0] not in dict(synced))], full)


def _quick_to_fill(pairs: List[Pair], full: bool) -> List[Pair]:
    return [pair for pair in pairs if full or pair[0] not in SLOW_TO_FILL]


def _threads(full: bool) -> List[Group]:
    pairs = [pair for pair in _synced(full) if CONTENDERS[pair[0]].threads]
    found = []
    for ratio in (1.0, _READ_MOSTLY):
        for threads in (1, 2, 4, 8) if full else (1, 4):
            params = Params(keys=10_000, tasks=threads, read_ratio=ratio)
            found.append(Group(f"Threads: {threads}, {ratio:.0%} reads", cases("threads", pairs, params)))
    return found


def _processes(full: bool) -> List[Group]:
    pairs = [pair for pair in _synced(full) if CONTENDERS[pair[0]].processes is not None]
    found = []
    for processes in (1, 2, 4, 8) if full else (1, 4):
        params = Params(keys=10_000, tasks=processes, read_ratio=_READ_MOSTLY)
        found.append(Group(f"Processes: {processes}, {_READ_MOSTLY:.0%} reads", cases("processes", pairs, params)))
    return found


def _beside(full: bool) -> List[Group]:
    """Read in one process while another one commits; without commits for comparison."""
    pairs = [pair for pair in _synced(full) if CONTENDERS[pair[0]].processes is not None]
    found = []
    for rate in (0, 1, 10, 100, 1000) if full else (0, _RATE):
        title = f"Hits while another process commits {rate} times a second"
        found.append(Group(title, cases("beside-commits", pairs, Params(rate=rate))))
    return found


def _memory(full: bool) -> Group:
    """Measure all that has its entries, or a cache of them, in the process that asks."""
    stores = [pair for pair in one_each() if not CONTENDERS[pair[0]].own_process]
    stores += [("rust", "memory"), ("dictsqlite", "memory")]
    found = _quick_to_fill([CONTROL, *stores], full)
    params = Params(keys=MANY // 2 if full else MANY // 20)
    return Group(f"Memory of an entry, {params.keys} at a time", cases("memory", found, params), _MEMORY)
