"""Blocks of one case, again and again, for who looks on: it ends when it is killed."""

from __future__ import annotations

import sys
from typing import Any, Dict, Mapping

from harness.measure.bench import Bench
from harness.measure.case import Case

BLOCK_NS = 20_000_000


def run(folder: str, case: Mapping[str, Any]) -> Dict[str, Any]:
    """Say "ready" when the first block is done, then go on for ever."""
    bench = Bench()
    opened = bench.open(Case.from_json(case), folder)
    step = n = opened.case.workload.step(opened.case.params)
    while bench.block(opened, n).ns < BLOCK_NS:
        n += max(step, n // step * step)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        bench.block(opened, n)
