"""One case, of whoever asks: every store in every configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Iterable

from harness.contenders import CONTENDERS
from harness.measure.case import Case
from harness.measure.rounds import Effort
from harness.suites.pairs import Group
from harness.workloads import Params

QUICK = Effort(rounds=7, block_s=0.04, case_s=0.8, fill_s=3)
FULL = Effort(rounds=15, block_s=0.1, case_s=5, fill_s=60)


def title(params: Params) -> str:
    """Say what is measured."""
    values = f"{params.keys} keys, {params.value_kind} of {params.value_size} B"
    return f"Your case: {values}, {params.read_ratio:.0%} reads, {params.tasks} tasks"


def group(params: Params, contenders: Iterable[str]) -> Group:
    """Return the case on all of these; a store that writes in the caller's thread has its tasks take turns."""
    pairs = [(name, chosen) for name in contenders for chosen in CONTENDERS[name].configurations]
    return Group(title(params), tuple(Case("own", name, chosen, params) for name, chosen in pairs))


def replayed(params: Params, contenders: Iterable[str]) -> Group:
    """Return a trace on all of these."""
    pairs = [(name, chosen) for name in contenders for chosen in CONTENDERS[name].configurations]
    named = f"Trace {Path(params.trace).name}: {params.tasks} tasks"
    return Group(named, tuple(Case("replay", name, chosen, params) for name, chosen in pairs))
