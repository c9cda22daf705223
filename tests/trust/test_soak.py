"""Row 21: half an hour of mixed work (in the fast tier seconds): memory, descriptors and threads stay flat."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Dict

import pytest

from tests.trust.farm import problems, spread
from tests.trust.figures import Figures
from tests.trust.soak_children import killed, steady

pytestmark = pytest.mark.timeout(2400)
SEED = 21
BACKENDS = ["rust", "threads", "aiosqlite"]


def test_half_an_hour_leaves_all_flat(tmp_path: Path, figures: Figures, long: bool) -> None:
    periods, seconds = (30, 1800.0) if long else (3, 6.0)

    def case(backend: str, kind: str) -> Dict[str, Any]:
        path = str(tmp_path / f"{backend}-{kind}.db")
        return dict(backend=backend, path=path, seed=SEED, periods=periods, seconds=seconds)

    with ThreadPoolExecutor(2) as side_by_side:
        flat = side_by_side.submit(
            spread, [steady], [case(backend, "steady") for backend in BACKENDS], timeout_s=2 * seconds + 30, processes=3
        )
        kills = side_by_side.submit(
            spread, [killed] * periods, [case(backend, "killed") for backend in BACKENDS], timeout_s=120, processes=3
        )
    for backend, steadily, killing in zip(BACKENDS, flat.result(), kills.result()):
        bad = problems([steadily, killing])
        samples = [line[1:] for line in steadily.lines if line[0] == "samples"] or [(0, [0, 0, 0], [0, 0, 0])]
        number, early, late = samples[0]
        checked = [line[1:] for line in killing.lines if line[0] == "checked"]
        figures.add(
            "21", "soak", backend, SEED,
            seconds=seconds,
            reopenings=number,
            kills=killing.lines.count(["kill"]),
            checked=sum(some for some, _ in checked),
            lost=sum(lost for _, lost in checked),
            threads=f"{early[0]} to {late[0]}",
            descriptors=f"{early[1]} to {late[1]}",
            resident_mib=f"{early[2] / 2**20:.1f} to {late[2] / 2**20:.1f}",
            broken=len(bad),
        )  # fmt: skip
        assert bad == []
