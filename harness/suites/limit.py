"""What a row of the limits suite is, and the cases that it compares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, List, Mapping, Optional, Sequence, Tuple, Union

from harness.measure.case import Case
from harness.measure.rounds import Effort
from harness.workloads import Params

CPU = Effort(rounds=41, block_s=0.01, case_s=4)
DISK = Effort(rounds=15, block_s=0.08, case_s=4)
LARGE = Effort(rounds=9, block_s=0.2, case_s=5)

DICT = "a coroutine over a dict"
COMPREHENSION = "a dict comprehension"
SEED = "dictsqlite"
SQL = "sqlite3, in-thread"
ALONE = "one commit per write"
MAIN = "ours"


@dataclass(frozen=True)
class Row:
    """One line of the table: ``ours`` and ``against`` name what was measured.

    Attributes:
        most: ours may cost so many times what the yardstick costs.
        least: the yardstick must cost so many times what ours costs. Without either the row is only published.
        headline: README shows it.
    """

    name: str
    operation: str
    against: str
    most: Optional[float] = None
    least: Optional[float] = None
    ours: str = MAIN
    headline: bool = False

    @property
    def wanted(self) -> str:
        if self.most is not None:
            return f"<= {self.most:g}"
        return "-" if self.least is None else f">= {self.least:g}"

    def ratios(self, ours: Sequence[float], against: Sequence[float]) -> List[float]:
        """Return the ratio of each round; of a cost that may be nothing, the cost itself."""
        if self.most == 0:
            return list(ours)
        pairs = zip(ours, against)
        return [b / a for a, b in pairs] if self.least is not None else [a / b for a, b in pairs]

    def holds(self, ratio: float) -> Optional[bool]:
        """Tell whether the goal is met by the ratio as it is printed; None without a goal."""
        ratio = round(ratio, 2)
        if self.most is not None:
            return ratio <= self.most
        return None if self.least is None else ratio >= self.least


@dataclass(frozen=True)
class Group:
    """Cases whose blocks take turns, and the rows that they give."""

    title: str
    cases: Mapping[str, Case]
    rows: Tuple[Row, ...]
    effort: Effort = CPU


@dataclass(frozen=True)
class Probed:
    """A row that a program of its own measures: a module of `harness.probes`, in a process of its own."""

    title: str
    probe: str
    row: Row
    arguments: Mapping[str, Any] = field(default_factory=dict)
    unit: str = "ns"

    @property
    def rows(self) -> Tuple[Row, ...]:
        return (self.row,)


def rust(workload: str, configuration: str, params: Params = Params(), **options: Any) -> Case:  # noqa: B008
    """Return a case of ours, shared between processes unless it says otherwise."""
    shared = {} if configuration == "memory" else {"exclusive": False}
    return Case(workload, "rust", configuration, params, {**shared, **options})


def control(workload: str, params: Params = Params()) -> Case:  # noqa: B008
    """Return the case of a dict."""
    return Case(workload, "control", "dict", params)


Measurable = Union[Group, Probed]
