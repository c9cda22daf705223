"""pytest-benchmark over the fixed blocks, for those who use it: each block inside one long-lived loop.

``python -m harness benchmark`` runs this file and keeps what it measured as a record; by hand it is
``python -m pytest harness/drivers/pytest_benchmark.py --benchmark-json FILE``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

import pytest

from harness.measure.bench import Bench
from harness.suites.fixed import Fixed, all_fixed

ROUNDS = 15


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    found = Bench()
    yield found
    found.loop.close()


@pytest.mark.parametrize("fixed", list(all_fixed()), ids=lambda fixed: fixed.case.label.replace(" ", "-"))
def test_block(fixed: Fixed, bench: Bench, benchmark: Any, tmp_path: Path) -> None:
    missing = fixed.case.contender.missing()
    if missing is not None:
        pytest.skip(missing)
    opened = bench.open(fixed.case, str(tmp_path))
    facts = {"entries": opened.entries, "entry_bytes": opened.entry_bytes}
    versions = fixed.case.contender.versions()
    benchmark.extra_info.update(case=fixed.case.as_json(), n=fixed.n, facts={**facts, "versions": versions})

    def refill() -> None:
        bench.refill(opened, fixed.n)

    benchmark.pedantic(bench.run, args=(opened, fixed.n), setup=refill, rounds=ROUNDS, warmup_rounds=1)
    bench.close(opened)
