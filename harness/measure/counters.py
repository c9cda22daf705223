"""Exact counts beside the time: syncs, write calls and written bytes of the process, and the store's own."""

from __future__ import annotations

import gc
import mmap
from pathlib import Path
from typing import Dict, Mapping

from harness.measure import syncs

_IO = Path("/proc/self/io")
_STATM = Path("/proc/self/statm")
_NAMES = {"syscw": "write_calls", "wchar": "written_bytes"}


def process_counters() -> Dict[str, int]:
    """Return the counts of this process so far; what the system does not count is not in it."""
    counters: Dict[str, int] = {}
    if _IO.exists():
        fields = dict(line.split(": ") for line in _IO.read_text().splitlines())
        counters.update({name: int(fields[field]) for field, name in _NAMES.items()})
    calls = syncs.counted()
    if calls is not None:
        counters.update(calls, syncs=sum(calls.values()))
    return counters


def own_bytes() -> int:
    """Return the bytes that this process has in memory for itself: pages of mapped files are the system's."""
    gc.collect()
    if not _STATM.exists():
        import psutil

        return int(psutil.Process().memory_info().rss)
    resident, shared = map(int, _STATM.read_text().split()[1:3])
    return (resident - shared) * mmap.PAGESIZE


def difference(after: Mapping[str, int], before: Mapping[str, int]) -> Dict[str, int]:
    """Return what was counted in between."""
    return {name: after[name] - before[name] for name in after if name in before}
