"""A hit while another process has the file open, beside one that nobody else may open."""

from __future__ import annotations

import os
from typing import Any, Dict, List

from harness.measure.bench import Bench
from harness.measure.neighbour import Neighbour
from harness.suites.limit import rust


def run(folder: str, rounds: int = 41, n: int = 20_000) -> Dict[str, Any]:
    """Take turns; return nanoseconds of a hit."""
    bench = Bench()
    opened = []
    for exclusive in (False, True):
        place = os.path.join(folder, str(exclusive))
        os.mkdir(place)
        opened.append(bench.open(rust("hits", "lazy", exclusive=exclusive), place))
        bench.loop.run_until_complete(opened[-1].store.aflush())
    times: List[List[float]] = [[], []]
    with Neighbour(rust("hits", "writethrough-normal"), os.path.join(folder, "False")):
        for number in range(-2, rounds):
            for side in (0, 1) if number % 2 else (1, 0):
                ns = bench.block(opened[side], n).ns / n
                if number >= 0:
                    times[side].append(ns)
    return {"ours": times[0], "against": times[1]}
