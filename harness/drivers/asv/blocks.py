"""A class for each workload, its parameter our backends; asv takes the names of the methods for what to measure.

``time_block``: seconds of a fixed block of operations, inside one long-lived loop. ``track_ns``: nanoseconds of one
operation, by the harness' own clock. ``track_written_bytes``: bytes that the process wrote for one operation.
asv calls ``setup`` before every sample, so stores stay open between samples, and are closed when the process ends.
"""

from __future__ import annotations

import atexit
import shutil
import statistics
import tempfile
from functools import cache
from typing import Any, Callable, ClassVar, Dict, List, Tuple, Type

from harness.contenders import CONTENDERS
from harness.measure.bench import Bench, Opened
from harness.measure.remote import ROOT
from harness.suites.fixed import BACKENDS, NAMES, fixed
from harness.workloads import WORKLOADS, Workload

BLOCKS = 9  # of which the median is tracked


@cache
def _bench() -> Bench:
    return Bench()


@cache
def _opened(workload: str, backend: str) -> Tuple[Opened, int]:
    """Open the store of a block, once in a process."""
    chosen = fixed(workload, backend)
    scratch = ROOT / ".bench"
    scratch.mkdir(exist_ok=True)
    folder = tempfile.mkdtemp(dir=scratch, prefix="asv-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    opened = _bench().open(chosen.case, folder)
    atexit.register(_bench().close, opened)
    _bench().block(opened, chosen.n)
    return opened, chosen.n


class Blocks:
    """What the classes share; ``workload`` is the registry's name."""

    params: ClassVar[List[List[str]]] = [BACKENDS]
    param_names: ClassVar[List[str]] = ["backend"]
    workload = ""
    number = 1  # the loop is inside
    rounds = 1
    repeat = (3, 9, 0.5)
    warmup_time = 0.0
    timeout = 120

    def setup(self, backend: str) -> None:
        """Make what a block uses up; a backend that this commit has not is skipped."""
        if CONTENDERS[backend].missing() is not None:
            raise NotImplementedError(f"{backend} is not there")
        opened, n = _opened(self.workload, backend)
        _bench().refill(opened, n)


def _time_block(self: Blocks, backend: str) -> None:
    opened, n = _opened(self.workload, backend)
    _bench().run(opened, n)


def _track_ns(self: Blocks, backend: str) -> float:
    opened, n = _opened(self.workload, backend)
    return statistics.median(_bench().block(opened, n).ns / n for _ in range(BLOCKS))


def _track_written_bytes(self: Blocks, backend: str) -> float:
    opened, n = _opened(self.workload, backend)
    return statistics.median(_bench().block(opened, n).counters["written_bytes"] / n for _ in range(BLOCKS))


def _measure(function: Callable[..., Any], name: str, **attributes: Any) -> Callable[..., Any]:
    """Return the function under the name that asv looks for, each class its own."""

    def measured(self: Blocks, backend: str) -> Any:
        return function(self, backend)

    measured.__name__ = measured.__qualname__ = name
    vars(measured).update(attributes)
    return measured


def _blocks(workload: Workload) -> Type[Blocks]:
    """Make the class of a workload."""
    methods: Dict[str, Any] = {
        "time_block": _measure(_time_block, "time_block"),
        "track_ns": _measure(_track_ns, "track_ns", unit="ns"),
    }
    if workload.writes:
        methods["track_written_bytes"] = _measure(_track_written_bytes, "track_written_bytes", unit="bytes")
    name = "".join(part.capitalize() for part in workload.name.split("-"))
    facts = {"workload": workload.name, "version": str(workload.version), "__doc__": workload.question}
    return type(name, (Blocks,), {**methods, **facts, "__module__": __name__})


globals().update({made.__name__: made for made in map(_blocks, map(WORKLOADS.__getitem__, NAMES))})
