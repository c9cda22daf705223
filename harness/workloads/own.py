"""The case of whoever asks: his keys, values, tasks and share of reads."""

from __future__ import annotations

from typing import List

from harness.workloads import streams, ycsb
from harness.workloads.workload import Params, Workload


def _state(params: Params) -> List[ycsb.Hand]:
    """Draw reads and updates; some keys are asked for often, as YCSB has it."""
    return ycsb.hands(params, 1 - params.read_ratio)


def _tasks(params: Params) -> int:
    return params.tasks


OWN = Workload(
    name="own",
    version=1,
    question="What does an operation cost in the case that was asked for?",
    per="operation",
    entries=streams.entries,
    state=_state,
    body=ycsb.clients,
    sync_body=ycsb.sync_clients,
    control_body=ycsb.clients,
    step=_tasks,
    writes=True,
)
