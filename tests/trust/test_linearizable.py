"""Row 9: each key is a register: 64 tasks read, write and cancel on 8 keys, and are killed."""

from __future__ import annotations

from pathlib import Path
from typing import List

import pytest

from tests.stores import every_backend
from tests.test_mutants import MUTANTS, broken_package
from tests.trust.farm import Case, Outcome, problems, spread
from tests.trust.figures import Figures
from tests.trust.history import violations
from tests.trust.race_children import look, race
from tests.trust.recorded import calls_of

pytestmark = pytest.mark.timeout(600)
SEED = 9


def cases(folder: Path, backend: str, mode: str, runs: int, *, calls: int = 0) -> List[Case]:
    """Return runs of so many calls of each task, or (0) until a kill."""
    case = dict(backend=backend, mode=mode, kill=not calls, calls=calls)
    return [dict(case, seed=SEED + run, path=str(folder / f"{run}.db")) for run in range(runs)]


def judged(figures: Figures, test: str, backend: str, outcomes: List[Outcome]) -> List[str]:
    histories = [list(calls_of(outcome.lines)) for outcome in outcomes]
    found = [what for history in histories for what in violations(history)]
    figures.add(
        "9", test, backend, SEED,
        calls=sum(map(len, histories)),
        unknown=sum(not call.sure for history in histories for call in history),
        kills=sum(outcome.lines.count(["kill"]) for outcome in outcomes),
        violations=len(found),
        hangs=sum(outcome.hung for outcome in outcomes),
    )  # fmt: skip
    assert problems(outcomes) == []
    assert all(histories)
    return found


@every_backend
@pytest.mark.parametrize("mode", ["writethrough", "lazy", "memory"])
def test_each_key_is_a_register(tmp_path: Path, figures: Figures, long: bool, backend: str, mode: str) -> None:
    runs = cases(tmp_path, backend, mode, 20 if long else 1, calls=40)
    assert judged(figures, f"64 tasks on 8 keys, {mode}", backend, spread([race], runs)) == []


@every_backend
def test_each_key_is_a_register_across_kills(tmp_path: Path, figures: Figures, long: bool, backend: str) -> None:
    stages = [race, race, race, look]
    outcomes = spread(stages, cases(tmp_path, backend, "writethrough", 30 if long else 4))
    assert judged(figures, "64 tasks on 8 keys, killed", backend, outcomes) == []


def test_a_stale_read_is_found(tmp_path: Path, figures: Figures) -> None:
    broken = broken_package(tmp_path, MUTANTS["stale cache fill"])
    runs = cases(tmp_path, "threads", "writethrough", 4, calls=40)
    outcomes = spread([race], runs, {"PYTHONPATH": str(broken)})
    assert judged(figures, "mutant: stale cache fill", "threads", outcomes)
