"""An evaluation: counters, then restarts of paired time, again while the control does not hold; all of it resumable."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, List, Optional, Protocol, Sequence, Tuple

from harness.gate import paired, statistics
from harness.gate.bodies import CONTROL, Body
from harness.gate.counting import Counter
from harness.gate.paired import Pair
from harness.gate.record import GateRecord
from harness.gate.verdict import Judged, Verdict, conclude, judge_control, judge_time
from harness.measure.records import Record


@dataclass(frozen=True)
class Effort:
    """How much is measured; ``attempts`` bounds how often a control that does not hold is measured again."""

    restarts: int = 60
    quads: int = 10
    block_s: float = 0.0015
    attempts: int = 3


class Stand(Protocol):
    """Where pairs of workers come from; a simulated one in tests."""

    def timed(self, restart: int) -> Any:
        """Return a context of a fresh pair on one processor; they take turns at being started first."""

    def folder(self) -> Any:
        """Return a context of an empty folder."""


class Judge:
    """Evaluates two trees into a record; ``count`` returns the counters of both sides."""

    def __init__(
        self,
        record: GateRecord,
        stand: Stand,
        bodies: Sequence[Body],
        effort: Effort,
        count: Callable[[int], List[Counter]],
        step: Callable[[str], None],
    ) -> None:
        self.record = record
        self.stand = stand
        self.bodies = [CONTROL, *(body for body in bodies if body.timed)]
        self.effort = effort
        self.count = count
        self.step = step

    def evaluation(self, number: int) -> Record:
        """Evaluate, or go on where the record ends; return what was concluded."""
        if number not in self.record.done():
            counters = self._counters(number)
            if len(self.bodies) == 1:
                self._close(number, 0, *self._without_time(counters))
            else:
                self._time(number, counters)
        concluded = self.record.concluded(number)
        assert concluded is not None
        return concluded

    def _counters(self, number: int) -> List[Counter]:
        if not self.record.kind("counted", evaluation=number):
            for counter in self.count(number):
                self.record.add("counter", evaluation=number, **counter.as_json())
            self.record.add("counted", evaluation=number)
        self.step("counters")
        return self.record.counters(number)

    def _time(self, number: int, counters: List[Counter]) -> None:
        for attempt in range(self.effort.attempts):
            self._restarts(number, attempt)
            control, *judged = self._judged(number, attempt)
            verdict = conclude(counters, control, judged)
            if control.verdict is Verdict.PASS or attempt == self.effort.attempts - 1:
                self._close(number, attempt, verdict, control, judged)
                return
            if not any(found["attempt"] == attempt for found in self.record.kind("evaluation", evaluation=number)):
                self.record.add_evaluation(number, attempt, verdict, control, judged)

    def _restarts(self, number: int, attempt: int) -> None:
        have = {found["restart"] for found in self.record.restarts(number, attempt)}
        for restart in range(self.effort.restarts):
            if restart not in have:
                with self.stand.timed(restart) as pair, self.stand.folder() as folder:
                    found = self._one(pair, folder)
                self.record.add_restart(number, attempt, restart, found)
            again = f", control measured again ({attempt})" if attempt else ""
            self.step(f"restart {restart + 1} of {self.effort.restarts}{again}")

    def _one(self, pair: Pair, folder: Path) -> List[paired.Quads]:
        before = self.record.kind("restart")
        sizes = {quads["body"]: quads["n"] for quads in before[0]["bodies"]} if before else {}
        return paired.restart(pair, self.bodies, folder, sizes, quads=self.effort.quads, block_s=self.effort.block_s)

    def _judged(self, number: int, attempt: int) -> List[Judged]:
        """Return the control's judgement, then those of the bodies."""
        restarts = self.record.restarts(number, attempt)
        ratios = {
            body.name: statistics.ratio([_samples(restart, body.name) for restart in restarts]) for body in self.bodies
        }
        control = judge_control(CONTROL.name, ratios.pop(CONTROL.name))
        return [control, *judge_time(ratios)]

    @staticmethod
    def _without_time(counters: List[Counter]) -> Tuple[Verdict, Optional[Judged], List[Judged]]:
        verdicts = {counter.verdict for counter in counters}
        if "FAIL" in verdicts:
            return Verdict.FAIL, None, []
        return Verdict.INCONCLUSIVE if "INCONCLUSIVE" in verdicts or not verdicts else Verdict.PASS, None, []

    def _close(
        self, number: int, attempt: int, verdict: Verdict, control: Optional[Judged], judged: List[Judged]
    ) -> None:
        self.record.add_evaluation(number, attempt, verdict, control, judged)
        self.record.add("closed", evaluation=number)


def _samples(restart: Record, body: str) -> List[float]:
    samples: List[float] = next(found["samples"] for found in restart["bodies"] if found["body"] == body)
    return samples
