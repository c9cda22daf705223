"""Exact counts of both sides: instructions, and what bodies that write ask of the system and of SQLite."""

from __future__ import annotations

import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Mapping, Sequence, Set, Tuple

from harness.gate.bodies import Body
from harness.gate.paired import opened

WRITES = ("write_calls", "written_bytes", "syncs", "commits", "writes")
INSTRUCTIONS = "instructions"
RUNS = 2
TRAILER = "Gate-allows"
Counts = Dict[str, Dict[str, List[float]]]  # body -> counter -> one value for each run


@dataclass(frozen=True)
class Counter:
    """One counter of one body on both sides; it fails where head has more than base, and ``limit`` times as much."""

    body: str
    counter: str
    base: List[float]
    head: List[float]
    limit: float
    allowed: bool

    @property
    def ratio(self) -> float:
        """Head's over base's, the least of the runs each: what disturbs a count adds to it."""
        base, head = min(self.base), min(self.head)
        return head / base if base else float("inf") if head else 1.0

    @property
    def verdict(self) -> str:
        """PASS, FAIL, ALLOWED (more, but declared), or INCONCLUSIVE where the count itself is not steady."""
        if not self._rises(self.ratio):
            return "PASS"
        if self.allowed:
            return "ALLOWED"
        least = min(self.head) / max(self.base) if max(self.base) else float("inf")
        return "FAIL" if self._rises(least) else "INCONCLUSIVE"

    def _rises(self, ratio: float) -> bool:
        return ratio > 1 and ratio >= self.limit

    def as_json(self) -> Dict[str, Any]:
        """Return what a record keeps."""
        return {**asdict(self), "verdict": self.verdict}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Counter:
        """Return the counter that a record has."""
        return cls(**{name: data[name] for name in cls.__dataclass_fields__})


def written(make_pair: Callable[[], Any], bodies: Sequence[Body], scratch: Path) -> Tuple[Counts, Counts]:
    """Count the writes of both sides: fresh processes for each run, one fixed number of operations for each body."""
    base: Counts = {}
    head: Counts = {}
    for run in range(RUNS):
        with make_pair() as pair:
            for number, body in enumerate(bodies):
                with opened(pair, body, number, scratch / f"count{run}"):
                    for counts, side in zip((base, head), pair):
                        if body.commit_after:
                            side.ask("inject", number=number, commit_after=body.commit_after)
                        found = side.ask("count", number=number, n=body.counted)["counters"]
                        for name in WRITES:
                            if name in found:
                                counts.setdefault(body.name, {}).setdefault(name, []).append(found[name])
    return base, head


def compared(base: Counts, head: Counts, limits: Mapping[str, float], allowed: Set[Tuple[str, str]]) -> List[Counter]:
    """Pair what both sides have; a write counter may not rise at all."""
    pairs = [(body, name) for body, counts in base.items() for name in counts if name in head.get(body, {})]
    return [
        Counter(
            body,
            name,
            base[body][name],
            head[body][name],
            limits.get(body, 1.02) if name == INSTRUCTIONS else 1.0,
            (body, name) in allowed,
        )
        for body, name in pairs
    ]


def declared(repository: Path, base: str, head: str) -> Set[Tuple[str, str]]:
    """Return the rises that commits of the range declare, each by a trailer ``Gate-allows: BODY COUNTER``."""
    form = f"%(trailers:key={TRAILER},valueonly)"
    command = ["git", "-C", str(repository), "log", f"--format={form}", f"{base}..{head}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    words: Iterable[List[str]] = (line.split() for line in done.stdout.splitlines())
    return {(found[0], found[1]) for found in words if len(found) == 2}
