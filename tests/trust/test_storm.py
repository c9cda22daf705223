"""Row 10: half of all calls are cancelled at random points; nothing is stuck, half applied or left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stores import every_backend
from tests.trust.farm import problems, spread
from tests.trust.figures import Figures
from tests.trust.storm_children import storm

pytestmark = pytest.mark.timeout(600)
SEED = 10


@every_backend
def test_a_storm_of_cancellations_leaves_nothing(tmp_path: Path, figures: Figures, long: bool, backend: str) -> None:
    cases = [
        dict(backend=backend, mode=mode, rounds=20, seed=SEED + run, path=str(tmp_path / f"{mode}{run}.db"))
        for mode in ("writethrough", "lazy", "memory")
        for run in range(15 if long else 1)
    ]
    outcomes = spread([storm], cases)
    bad = problems(outcomes)
    made = [line[1:] for outcome in outcomes for line in outcome.lines if line[0] == "calls"]
    figures.add(
        "10", "cancellation storm", backend, SEED,
        calls=sum(calls for calls, _ in made),
        to_be_cancelled=sum(cancelled for _, cancelled in made),
        stuck=sum(outcome.hung for outcome in outcomes),
        half_applied=sum("half applied" in one for one in bad),
        broken=len(bad),
    )  # fmt: skip
    assert bad == []
