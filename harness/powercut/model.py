"""What a crash state may hold: the state after one of the calls, and not too old a one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from harness.powercut.subjects import Promise
from harness.powercut.trace import ACKNOWLEDGED, FLUSHED, ISSUED, Event
from harness.powercut.workload import Call

Rows = Mapping[str, Any]


class Verdict(NamedTuple):
    """What one power cut did.

    Attributes:
        lost: acknowledged calls whose effect is not there (and of no later call on the same keys).
        lost_s: age of the oldest of them at the power cut.
        torn: batches that are there in part.
        holes: a call is there, an earlier one is not.
        broken: sentences: what was promised and does not hold.
    """

    lost: int
    lost_s: float
    torn: int
    holes: int
    corrupt: bool
    broken: List[str]


@dataclass
class Progress:
    """How far the workload had come at a point of the trace."""

    issued: int = 0
    acknowledged: Dict[int, int] = field(default_factory=dict)  # call: time in ns
    flushed: int = 0

    def take(self, event: Event) -> None:
        """Go one event on."""
        if event.kind == ISSUED:
            self.issued = event.at + 1
        elif event.kind in (ACKNOWLEDGED, FLUSHED):
            self.acknowledged[event.at] = event.time_ns
            if event.kind == FLUSHED:
                self.flushed = event.at


class History:
    """The states after each of the calls, in the order in which they were made."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self.calls = calls
        self.operations: List[int] = []  # of each call: how many keys it writes; to delete an absent one writes nothing
        self._versions: Dict[str, List[Tuple[int, Optional[bytes]]]] = {}  # by key, oldest first
        self._after: Dict[int, List[int]] = {0: [0]}  # by digest: how many calls
        rows: Dict[str, bytes] = {}
        digest = 0
        for number, call in enumerate(calls):
            self.operations.append(sum(value is not None or key in rows for key, value in call.items.items()))
            for key, value in call.items.items():
                digest ^= _digest(key, rows.pop(key, None)) ^ _digest(key, value)
                if value is not None:
                    rows[key] = value
                self._versions.setdefault(key, [(-1, None)]).append((number, value))
            self._after.setdefault(digest, []).append(number + 1)

    def prefix(self, rows: Rows, issued: int) -> Optional[int]:
        """Return how many of the first calls make these rows, the most that is possible; None if none do."""
        digest = 0
        for key, value in rows.items():
            digest ^= _digest(key, value)
        return max((count for count in self._after.get(digest, []) if count <= issued), default=None)

    def missing(self, rows: Rows, numbers: Sequence[int]) -> List[int]:
        """Return those of the calls of which a key shows an older state."""
        return [number for number in numbers if any(self._seen(rows, key)[1] < number for key in self._keys(number))]

    def torn(self, rows: Rows, issued: int) -> int:
        """Return how many batches are there in part: one key shows the batch, another an older state."""
        torn = 0
        for number in range(issued):
            seen = [self._seen(rows, key) for key in self._keys(number)]
            torn += any(oldest == number for oldest, _ in seen) and any(newest < number for _, newest in seen)
        return torn

    def foreign(self, rows: Rows, issued: int) -> List[str]:
        """Return the keys that show what no call has written so far."""
        return [
            key
            for key, value in rows.items()
            if not any(value == written and number < issued for number, written in self._versions.get(key, []))
        ]

    def _keys(self, number: int) -> Mapping[str, Optional[bytes]]:
        return self.calls[number].items

    def _seen(self, rows: Rows, key: str) -> Tuple[int, int]:
        """Return the oldest and the newest call that may have left the key as it is."""
        value = rows.get(key)
        numbers = [number for number, written in self._versions.get(key, [(-1, None)]) if written == value]
        return (numbers[0], numbers[-1]) if numbers else (-1, -1)


def _digest(key: str, value: Any) -> int:
    return 0 if value is None else hash((key, value))


def judge(history: History, progress: Progress, promise: Optional[Promise], rows: Rows, now_ns: int) -> Verdict:
    """Compare the rows that a power cut left with what had been acknowledged; `now_ns`: when it came."""
    prefix = history.prefix(rows, progress.issued)
    acknowledged = sorted(progress.acknowledged)
    if prefix is None:
        lost = history.missing(rows, acknowledged)
        torn, corrupt = history.torn(rows, progress.issued), bool(history.foreign(rows, progress.issued))
    else:
        lost = [number for number in acknowledged if number >= prefix and history.calls[number].items]
        torn, corrupt = 0, False
    age_s = (now_ns - min(progress.acknowledged[number] for number in lost)) / 1e9 if lost else 0.0
    verdict = Verdict(len(lost), age_s, torn, int(prefix is None and not torn and not corrupt), corrupt, [])
    if promise is not None:
        verdict.broken.extend(_broken(history, progress, promise, verdict, lost))
    return verdict


def _broken(history: History, progress: Progress, promise: Promise, verdict: Verdict, lost: List[int]) -> List[str]:
    broken = []
    if verdict.corrupt:
        broken.append("rows that nobody has written")
    if promise.prefix and (verdict.torn or verdict.holes):
        broken.append("a batch in part" if verdict.torn else "a later call without an earlier one")
    if promise.acknowledged and lost:
        broken.append(f"acknowledged calls are lost: {lost[:5]}")
    if promise.flushed and any(number < progress.flushed for number in lost):
        broken.append(f"calls before flush {progress.flushed} are lost: {lost[:5]}")
    operations = sum(history.operations[number] for number in lost)
    if promise.unsaved is not None and operations > promise.unsaved:
        broken.append(f"{operations} acknowledged operations are lost, {promise.unsaved} may be")
    return broken
