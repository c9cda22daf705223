"""What is concluded, and why."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Sequence

from harness.gate import statistics
from harness.gate.counting import Counter
from harness.gate.statistics import LIMIT, Ratio

CONTROL_WITHIN = 0.02
CONTROL_LEVEL = 0.005  # at each side


class Verdict(enum.Enum):
    """The answer; its value is the exit code."""

    PASS = 0
    FAIL = 1
    INCONCLUSIVE = 2


@dataclass(frozen=True)
class Judged:
    """The time of one body, with bounds that hold for all bodies together."""

    body: str
    ratio: float
    lower: float
    upper: float
    level: float
    p: float
    detectable: float
    verdict: Verdict

    def as_json(self) -> Dict[str, Any]:
        """Return what a record keeps."""
        numbers = {name: round(value, 6) for name, value in vars(self).items() if isinstance(value, float)}
        return {"body": self.body, **numbers, "verdict": self.verdict.name}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Judged:
        """Return what a record has."""
        return cls(**{**data, "verdict": Verdict[data["verdict"]]})


def judge_time(ratios: Mapping[str, Ratio]) -> List[Judged]:
    """Judge the bodies together."""
    chances = [found.p_within() for found in ratios.values()]
    return [
        _judged(name, found, p, level)
        for (name, found), p, level in zip(ratios.items(), chances, statistics.holm(chances))
    ]


def _judged(name: str, found: Ratio, p: float, level: float) -> Judged:
    lower, upper = found.lower(level), found.upper(level)
    verdict = Verdict.FAIL if lower > LIMIT else Verdict.PASS if upper <= LIMIT else Verdict.INCONCLUSIVE
    return Judged(name, found.ratio, lower, upper, level, p, found.detectable(level), verdict)


def judge_control(name: str, found: Ratio) -> Judged:
    """Judge what is the same code on both sides: 1.00 must be in its interval, and nothing 2 % away from it."""
    lower, upper = found.lower(CONTROL_LEVEL), found.upper(CONTROL_LEVEL)
    holds = 1 - CONTROL_WITHIN <= lower <= 1 <= upper <= 1 + CONTROL_WITHIN
    p = found.p_within(1.0)
    verdict = Verdict.PASS if holds else Verdict.INCONCLUSIVE
    return Judged(name, found.ratio, lower, upper, CONTROL_LEVEL, p, found.detectable(CONTROL_LEVEL, 1.0), verdict)


def conclude(counters: Sequence[Counter], control: Judged, bodies: Sequence[Judged]) -> Verdict:
    """Put it together: a count is exact, whatever the control says; a time counts while the control holds."""
    if any(found.verdict == "FAIL" for found in counters):
        return Verdict.FAIL
    if control.verdict is not Verdict.PASS:
        return Verdict.INCONCLUSIVE
    verdicts = {found.verdict for found in bodies}
    if Verdict.FAIL in verdicts:
        return Verdict.FAIL
    unsteady = any(found.verdict == "INCONCLUSIVE" for found in counters)
    return Verdict.INCONCLUSIVE if unsteady or Verdict.INCONCLUSIVE in verdicts else Verdict.PASS


def rate_of(verdicts: Sequence[str], *, aa: bool) -> Dict[str, Any]:
    """Return how many evaluations failed, and the interval of that rate."""
    counts = {verdict.name: verdicts.count(verdict.name) for verdict in Verdict}
    found, of = counts["FAIL"], len(verdicts)
    low, high = statistics.rate(found, of)
    question = "false alarms" if aa else "found"
    return {"question": question, "found": found, "of": of, "low": low, "high": high, "verdicts": counts}
