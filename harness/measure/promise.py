"""A durability class is verified: acknowledged writes, then SIGKILL, then what is left; and syncs per write."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Optional

from harness.contenders.contender import Durability
from harness.measure.case import Case
from harness.measure.remote import Workers
from harness.workloads import streams

WRITES = 200


@dataclass(frozen=True)
class Promise:
    """What ``written`` acknowledged single writes did, and how many of them a killed process left."""

    case: Case
    written: int
    left: int
    syncs_per_write: Optional[float]
    versions: Dict[str, str]

    @property
    def held(self) -> bool:
        """Whether what was seen agrees with the declared class; more than promised is no fault."""
        durability = self.case.durability
        if durability is Durability.VOLATILE:
            return True
        if durability is Durability.SYNCED and self.syncs_per_write is not None and self.syncs_per_write < 1:
            return False
        return self.left == self.written


def verify(contender_name: str, configuration_name: str, workers: Workers, scratch: Path) -> Promise:
    """Write one by one, kill the process, open what it left in another one.

    Raises:
        WorkerError: the contender failed.
    """
    case = Case("rows-single", contender_name, configuration_name)
    folder = scratch / "promise"
    folder.mkdir(parents=True)
    try:
        facts, block = _write_and_die(case, folder, workers)
        keys = [streams.key(number) for number in range(WRITES)]
        left = _left(case, folder, keys, workers)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    syncs = block["counters"].get("syncs")
    return Promise(case, WRITES, left, None if syncs is None else syncs / WRITES, facts["versions"])


def _write_and_die(case: Case, folder: Path, workers: Workers) -> Any:
    worker = workers.fresh()
    try:
        facts = worker.ask("open", number=0, case=case.as_json(), folder=str(folder))
        return facts, worker.ask("block", number=0, n=WRITES)
    finally:
        worker.kill()


def _left(case: Case, folder: Path, keys: Any, workers: Workers) -> int:
    worker = workers.fresh()
    try:
        return int(worker.ask("survivors", case=case.as_json(), folder=str(folder), keys=keys)["there"])
    finally:
        worker.close()
