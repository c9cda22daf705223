"""Row 6: the n-th write or sync fails, once or for ever; nothing acknowledged is lost, nobody hangs."""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from pathlib import Path
from typing import Callable, Dict, List

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
STEP, AT_ONCE, IN_A_ROW = 3, 48, 16  # threads do not always make the same calls: one run that sees none is no end
FAULTS = [("EIO", False), ("ENOSPC", True), ("EIO", True), ("ENOSPC", False)]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, str]:
    return preload.build(tmp_path_factory.mktemp("preload"))


def seen(outcome: Outcome) -> preload.Seen:
    """Return how many calls could have failed, and did."""
    return next(preload.Seen(*line[1:]) for line in outcome.lines if line[0] == "seen")


def until_none_fails(environment: Dict[str, str], case: Callable[..., Case], seed: int, *, long: bool) -> List[Outcome]:
    """Make the n-th call fail, n = 1, 2, ... (fast: every `STEP`-th), until `IN_A_ROW` runs see no n-th call."""
    outcomes: List[Outcome] = []
    for first in itertools.count(1, AT_ONCE):
        chosen = range(first, first + AT_ONCE) if long else range(first, first + AT_ONCE, STEP)
        faults = [FAULTS if long else [FAULTS[(n // STEP + seed) % len(FAULTS)]] for n in chosen]
        cases = [case(n, error, ever, seed) for n, some in zip(chosen, faults) for error, ever in some]
        outcomes += spread([work, look], cases, environment)
        if all(outcome.trouble or not seen(outcome).failed for outcome in outcomes[-IN_A_ROW:]):
            return outcomes
    raise AssertionError  # for mypy: count() does not end


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("what", "mode"), [("write or sync", "writethrough"), ("write or sync", "lazy"), ("open", "writethrough")]
)
def test_the_nth_call_fails(
    in_memory: Path, environment: Dict[str, str], figures: Figures, long: bool, backend: str, mode: str, what: str
) -> None:
    def case(n: int, error: str, ever: bool, seed: int) -> Case:
        path = str(in_memory / f"{n}-{error}-{ever}-{seed}.db")
        return dict(backend=backend, mode=mode, path=path, kinds=KINDS[what], n=n, error=error, ever=ever, seed=seed)

    outcomes: List[Outcome] = []
    for seed in range(SEED, SEED + (2 if long else 1)):
        outcomes += spread([work, look], [case(0, "EIO", False, seed)], environment)  # without a fault
        outcomes += until_none_fails(environment, case, seed, long=long)
    bad = problems(outcomes)
    errors = Counter(line[2] for outcome in outcomes for line in outcome.lines if line[0] == "error")
    figures.add(
        "6", f"n-th {what} fails, {mode}", backend, SEED,
        n_up_to=max(outcome.case["n"] for outcome in outcomes),
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
    assert errors["StorageError"] > 0
    if what == "write or sync" and (long or backend == "rust"):
        assert errors["DurabilityUnknownError"] > 0
