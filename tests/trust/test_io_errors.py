"""Row 6: the n-th write or sync fails, once or for ever; nothing acknowledged is lost, nobody hangs."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Dict

import pytest

from tests.trust import preload
from tests.trust.farm import Case, Outcome, problems, spread
from tests.trust.figures import Figures
from tests.trust.io_children import look, work

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="LD_PRELOAD and /proc are needed"),
    pytest.mark.skipif(not preload.compiler(), reason="no C compiler (cc, or what CC names)"),
]

SEED = 6
BACKENDS = ["rust", "threads", "aiosqlite"]
KINDS = {"write or sync": preload.WRITE | preload.SYNC, "open": preload.OPEN}
FAULTS = [("EIO", False), ("ENOSPC", True), ("EIO", True), ("ENOSPC", False)]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, str]:
    return preload.build(tmp_path_factory.mktemp("preload"))


def seen(outcome: Outcome) -> preload.Seen:
    """Return how many calls could have failed, and did."""
    return next(preload.Seen(*line[1:]) for line in outcome.lines if line[0] == "seen")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("what", "mode"), [("write or sync", "writethrough"), ("write or sync", "lazy"), ("open", "writethrough")]
)
def test_the_nth_call_fails(
    tmp_path: Path, environment: Dict[str, str], figures: Figures, long: bool, backend: str, mode: str, what: str
) -> None:
    def case(n: int, error: str, ever: bool, seed: int) -> Case:
        path = str(tmp_path / f"{n}-{error}-{ever}-{seed}.db")
        return dict(backend=backend, mode=mode, path=path, kinds=KINDS[what], n=n, error=error, ever=ever, seed=seed)

    cases, beyond = [], []
    for seed in range(SEED, SEED + (2 if long else 1)):
        (without,) = spread([work, look], [case(0, "EIO", False, seed)], environment)
        assert problems([without]) == []
        last = seen(without).calls * 3 // 2 + 12  # threads do not always make the same calls
        for n in range(1, last + 1, 1 if long else 3 if backend == "rust" else 7):
            some = FAULTS if long else [FAULTS[(n // 3 + seed) % len(FAULTS)]]
            cases += [case(n, error, ever, seed) for error, ever in some]
        beyond.append(case(last + 1, "EIO", True, seed))
    outcomes = spread([work, look], [*cases, *beyond], environment)
    bad = problems(outcomes)
    errors = Counter(line[2] for outcome in outcomes for line in outcome.lines if line[0] == "error")
    figures.add(
        "6", f"n-th {what} fails, {mode}", backend, SEED,
        faults=sum(seen(outcome).failed > 0 for outcome in outcomes if not outcome.trouble),
        acknowledged=sum(line[1] for outcome in outcomes for line in outcome.lines if line[0] == "checked"),
        lost=sum("left in the file" in problem for problem in bad),
        wrong_class=sum("wrong class" in problem for problem in bad),
        hangs=sum(outcome.hung for outcome in outcomes),
        crashes=sum("crash" in outcome.trouble for outcome in outcomes),
        broken=len(bad),
        **errors,
    )  # fmt: skip
    assert bad == []
    assert all(seen(outcome).failed == 0 for outcome in outcomes[-len(beyond) :]), "more n are needed"
    assert errors["StorageError"] > 0
    if what == "write or sync" and backend == "rust":  # the others are sampled more thinly
        assert errors["DurabilityUnknownError"] > 0
