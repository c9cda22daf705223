"""Which stores a group compares: pairs of a contender and its configuration, and the cases made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, List, Optional, Tuple

from harness.contenders import CONTENDERS
from harness.contenders.contender import Durability, Face
from harness.measure.case import Case
from harness.measure.rounds import Effort
from harness.workloads import Params

OURS = ("rust", "threads", "aiosqlite-backend")

Pair = Tuple[str, str]  # contender, configuration
DEFAULT_JOURNAL = ("sqlite3", "default-journal")
UNSYNCED = (("dictsqlite", "writethrough"), ("diskcache", "default"))  # beside the synced stores, for comparison
CONTROL = ("control", "dict")
# These commit row by row, in batches, too: it takes them many seconds to fill with 100,000 rows.
SLOW_TO_FILL = {"py-key-value", "sqlitedict"}
MANY = 100_000


@dataclass(frozen=True)
class Group:
    """Cases whose blocks are interleaved, under a title for the reader; ``effort`` where it is not that of the run."""

    title: str
    cases: Tuple[Case, ...]
    effort: Optional[Effort] = None


def configured(*classes: Durability) -> List[Pair]:
    """Name the pairs of these classes, but for the control and SQLite's default journal."""
    found = [
        (name, configuration)
        for name, contender in CONTENDERS.items()
        if contender.face is not Face.CONTROL
        for configuration, chosen in contender.configurations.items()
        if chosen.durability in classes
    ]
    return [pair for pair in found if pair != DEFAULT_JOURNAL]


def one_each() -> List[Pair]:
    """Name the first configuration of each store, but SQLite's default journal: what reads cost hardly differs."""
    firsts = dict(reversed(configured(*Durability)))
    return [(name, firsts[name]) for name in CONTENDERS if name in firsts]


def cases(workload: str, pairs: Iterable[Pair], params: Params, **options: Any) -> Tuple[Case, ...]:
    """Return a workload on all of these, but on those that would take too long to fill."""
    return tuple(
        Case(workload, name, configuration, params, options)
        for name, configuration in pairs
        if params.keys < MANY or name not in SLOW_TO_FILL
    )
