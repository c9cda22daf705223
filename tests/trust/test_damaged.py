"""Row 17: damaged files and other formats: every call answers or raises one of our errors; no crash, no hang."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.stores import every_backend
from tests.trust.damage_children import cases, damage, make, use
from tests.trust.farm import problems, spread
from tests.trust.figures import Figures

pytestmark = pytest.mark.timeout(900)
SEED = 17
MODES = ["pickle", "json", "jsonb", "bytes"]


@every_backend
def test_a_damaged_file_is_an_error_of_ours(in_memory: Path, figures: Figures, long: bool, backend: str) -> None:
    sound = [dict(backend=backend, storage_mode=mode, path=str(in_memory / f"{mode}.sound")) for mode in MODES]
    assert problems(spread([make], sound)) == []
    outcomes = spread([damage, use], cases(in_memory, backend, SEED, 50 if long else 3, MODES))
    bad = problems(outcomes)
    said = [line for outcome in outcomes for line in outcome.lines]
    errors = Counter(line[1] for line in said if line[0] == "error")
    figures.add(
        "17", "damaged files", backend, SEED,
        files=len(outcomes),
        refused_at_open=said.count(["opened", False]),
        crashes=sum("crash" in outcome.trouble for outcome in outcomes),
        hangs=sum(outcome.hung for outcome in outcomes),
        broken=len(bad),
        **errors,
    )  # fmt: skip
    assert bad == []
    assert errors["CorruptError"] and errors["NotADatabaseError"] and errors["SchemaMismatchError"]
