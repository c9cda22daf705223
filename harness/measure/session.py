"""One run: where its files are, its workers, and its record."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any, Dict, List, Mapping, Optional, Type

from harness.measure import host, syncs
from harness.measure.case import Case
from harness.measure.promise import Promise
from harness.measure.records import Record, RecordFile, without_paths
from harness.measure.remote import ROOT, Workers
from harness.measure.rounds import Measured
from harness.measure.summary import distribution, significant, summary

_MEASURED = {"ns": "time", "B": "memory"}


class CannotSyncError(Exception):
    """The file system keeps nothing: durable numbers would mean nothing there."""


class Session:
    """A context: opens the scratch folder, the workers and the record; closes them however the run ends."""

    def __init__(
        self, *, driver: str, out: Path, scratch: Path, machine: Optional[str], resume: Optional[Path] = None
    ) -> None:
        self.scratch = scratch / f"run-{os.getpid()}"
        self.scratch.mkdir(parents=True)
        try:
            check_syncs(self.scratch)
            self.record = RecordFile(out / "runs", driver, machine or host.machine_label(), ROOT)
            if resume is not None:
                self.record.resume(resume)
            preload, why = syncs.build(self.scratch)
        except BaseException:
            shutil.rmtree(self.scratch)
            raise
        self.notes: List[str] = [why] if why else []
        self.workers = Workers(self.scratch, preload)
        self.host = host.host(self.scratch)
        self._before = host.load()

    def __enter__(self) -> Session:
        self.record.__enter__()
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.record.__exit__(kind, error, trace)
        self.workers.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def begin(self, *, command: str, profile: str, missing: List[str]) -> Record:
        """Record what is being run, where, and how fast the disk itself is."""
        sync_us = host.sync_us(self.scratch)
        if sync_us < 5:
            self.notes.append(f"one sync takes {sync_us} µs: this disk does not wait, durable writes look cheap here")
        busy = host.busy(self._before)
        if busy:
            self.notes.append(busy)
        facts = {"command": command, "profile": profile, "missing": missing, "notes": self.notes, "sync_us": sync_us}
        return self.record.add("begin", **facts, host=self.host)

    def add_measured(self, measured: Measured, title: str) -> Record:
        """Record the blocks of one case, or its failure."""
        case = {**described(measured.case), "title": title}
        if measured.failure is not None:
            return self.record.add("failure", **case, message=without_paths(measured.failure))
        facts, workload = dict(measured.facts), measured.case.workload
        return self.record.add(
            "measurement",
            **case,
            contender_versions=facts.pop("versions"),
            facts=facts,
            metric=f"{_MEASURED[workload.unit]} per {workload.per}",
            unit=workload.unit,
            n=measured.blocks[0]["n"],
            samples=[significant(sample) for sample in measured.samples],
            summary=summary(measured.samples),
            counters={name: significant(value) for name, value in measured.counters.items()},
            distributions={name: distribution(values) for name, values in measured.seen.items()},
            host=self._host_now(),
        )

    def add_failure(self, case: Case, message: str) -> Record:
        """Record that a case failed outside of the rounds."""
        return self.record.add("failure", **described(case), title="", message=without_paths(message))

    def add_promise(self, promise: Promise) -> Record:
        """Record what a killed process left."""
        return self.record.add(
            "promise",
            **described(promise.case),
            contender_versions=promise.versions,
            written=promise.written,
            left=promise.left,
            syncs_per_write=promise.syncs_per_write,
            held=promise.held,
        )

    def _host_now(self) -> Mapping[str, Any]:
        before, self._before = self._before, host.load()
        return {**self.host, "load_before": before, "load_after": self._before}


def described(case: Case) -> Dict[str, Any]:
    """Return the fields by which records are told apart and compared."""
    contender = case.contender
    return {
        "workload": case.workload_name,
        "workload_version": case.workload.version,
        "contender": contender.name,
        "configuration": case.configuration_name,
        "options": case.all_options,
        "page": contender.page,
        "face": contender.face.value,
        "durability": case.durability.value,
        "params": {**vars(case.params), "trace": Path(case.params.trace).name},
    }


def check_syncs(folder: Path) -> None:
    """Refuse a file system that keeps everything in memory.

    Raises:
        CannotSyncError: it does.
    """
    kind = host.file_system(folder)
    if kind in host.NO_SYNC:
        raise CannotSyncError(
            f"database files would be on {kind}, which cannot sync: name a folder on a disk by --scratch"
        )
