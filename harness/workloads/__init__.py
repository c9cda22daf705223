"""The workloads, each defined once and run by every driver."""

from __future__ import annotations

from typing import Dict

from harness.workloads import (
    batch,
    cached,
    cold,
    corpus,
    micro,
    open_loop,
    own,
    records,
    replay,
    scans,
    sharing,
    stalls,
    whole,
    writers,
    ycsb,
)
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
        cold.COLD_READS,
        cold.COLD_GATHERS,
        cold.COLD_BATCHES,
        cached.GATHERS,
        cached.SETS_BATCH,
        cached.SETS_PAIRS,
        records.RECORD_HITS,
        records.PICKLED_HITS,
        records.RECORD_SETS,
        records.PICKLED_SETS,
        ycsb.YCSB_A,
        ycsb.YCSB_B,
        ycsb.YCSB_C,
        ycsb.YCSB_D,
        scans.YCSB_E,
        ycsb.YCSB_F,
        whole.ITERATION,
        whole.OPENING,
        whole.MEMORY,
        open_loop.OPEN_LOOP,
        stalls.STALLS,
        sharing.THREADS,
        sharing.PROCESSES,
        sharing.BESIDE,
        own.OWN,
        replay.REPLAY,
    )
}

__all__ = ["WORKLOADS", "Params", "Workload"]
