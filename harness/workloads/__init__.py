"""The workloads, each defined once and run by every driver."""

from __future__ import annotations

from typing import Dict

from harness.workloads import batch, corpus, micro, writers
from harness.workloads.workload import Params, Workload

WORKLOADS: Dict[str, Workload] = {
    workload.name: workload
    for workload in (
        micro.HITS,
        micro.SETS,
        writers.WRITERS,
        batch.ROWS_SINGLE,
        batch.ROWS_BATCH,
        batch.READS_BATCH,
        corpus.FILES_READ,
        corpus.FILES_WRITTEN,
    )
}

__all__ = ["WORKLOADS", "Params", "Workload"]
