"""Rows 7 and 8: a failed sync stops the store, a full disk does not."""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from pathlib import Path
from typing import Dict

import pytest

from tests.trust import preload
from tests.trust.disk_children import check_nothing_is_lost, fail_a_sync, fill_the_disk
from tests.trust.farm import problems, spread
from tests.trust.figures import Figures

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="LD_PRELOAD and /proc are needed"),
    pytest.mark.skipif(not preload.compiler(), reason="no C compiler (cc, or what CC names)"),
]

MODES = ["writethrough", "lazy"]
every_backend = pytest.mark.parametrize("backend", ["rust", "threads", "aiosqlite"])


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, str]:
    return preload.build(tmp_path_factory.mktemp("preload"))


@every_backend
@pytest.mark.parametrize("where", ["commit", "checkpoint"])
def test_a_failed_sync_stops_the_store(
    tmp_path: Path, environment: Dict[str, str], figures: Figures, backend: str, where: str
) -> None:
    cases = [
        dict(backend=backend, mode=mode, where=where, error=error, path=str(tmp_path / f"{mode}-{error}.db"))
        for mode, error in itertools.product(MODES, preload.ERRORS)
    ]
    outcomes = spread([fail_a_sync, check_nothing_is_lost], cases, environment)
    bad = problems(outcomes)
    said = [line for outcome in outcomes for line in outcome.lines]
    failed = sum(line[1] for line in said if line[0] == "failed")
    told = Counter(name for line in said if line[0] == "told" for name in line[1:])
    reopened = sum(line[0] == "reopened" for line in said)
    figures.add("7", f"a sync fails at a {where}", backend, 0, syncs_failed=failed, reopened=reopened,
                hangs=sum(outcome.hung for outcome in outcomes), broken=len(bad), **told)  # fmt: skip
    assert bad == []
    assert (failed, reopened) == (len(cases), len(cases))
    assert where == "checkpoint" or told["DurabilityUnknownError"] == len(cases)


@every_backend
@pytest.mark.parametrize("by", ["ENOSPC", "RLIMIT_FSIZE"])
def test_a_full_disk_refuses_and_goes_on(
    tmp_path: Path, environment: Dict[str, str], figures: Figures, backend: str, by: str
) -> None:
    cases = [dict(backend=backend, mode=mode, by=by, path=str(tmp_path / f"{mode}.db")) for mode in MODES]
    outcomes = spread([fill_the_disk, check_nothing_is_lost], cases, environment)
    bad = problems(outcomes)
    said = [line for outcome in outcomes for line in outcome.lines]
    refused = [line[1] for line in said if line[0] == "refused"]
    errors = Counter(line[1] for line in said if line[0] == "error")
    figures.add("8", f"disk full ({by})", backend, 0, refused=sum(refused),
                hangs=sum(outcome.hung for outcome in outcomes), broken=len(bad), **errors)  # fmt: skip
    assert bad == []
    assert all(refused)
