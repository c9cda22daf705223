"""Facts about the machine, without its name, its users or its paths."""

from __future__ import annotations

import os
import platform
import re
import statistics
import tempfile
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Dict, List

import psutil

NO_SYNC = ("tmpfs", "ramfs", "devtmpfs")


def host(folder: Path) -> Dict[str, Any]:
    """Return what explains a number on this machine; ``folder`` is where the database files are."""
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "affinity": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": platform.system(),
        "kernel": platform.release(),
        "file_system": file_system(folder),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "gc": "enabled",
        "hash_seed": 0,
    }


def load() -> Dict[str, float]:
    """Return how busy the machine is just now: load average of a minute, and seconds stolen since boot."""
    times = psutil.cpu_times()
    return {"load1": round(os.getloadavg()[0], 2), "steal_s": round(float(getattr(times, "steal", 0.0)), 2)}


def busy(now: Dict[str, float]) -> str:
    """Say so if a load is more than half of what the machine has; nothing if not."""
    load, cores = now["load1"], os.cpu_count() or 1
    return f"the machine is busy (load {load} on {cores} cores): expect wide spreads" if load > cores / 2 else ""


def machine_label() -> str:
    """Return a short name for machines of this kind."""
    words = re.sub(r"\([^)]*\)|\bcpu\b|\bprocessor\b|@.*", " ", cpu_model().lower())
    slug = re.sub(r"[^a-z0-9]+", "-", words).strip("-")
    return f"{slug[:32].strip('-') or 'machine'}-{os.cpu_count()}c"


def cpu_model() -> str:
    """Return the model's name as the system gives it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", info.read_text(), re.MULTILINE)
        if found:
            return found.group(1).strip()
    return platform.processor() or platform.machine() or "unknown"


def file_system(folder: Path) -> str:
    """Return the type of the file system that holds ``folder``."""
    resolved = folder.resolve()
    mounts = {Path(part.mountpoint): part.fstype for part in psutil.disk_partitions(all=True)}
    for parent in (resolved, *resolved.parents):
        if parent in mounts:
            return mounts[parent] or "unknown"
    return "unknown"


def sync_us(folder: Path, repeats: int = 50) -> float:
    """Return the median of one overwrite with fdatasync, in microseconds: the yardstick of every durable write."""
    sync = getattr(os, "fdatasync", os.fsync)
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        file.write(b"\0" * 4096)
        times: List[int] = []
        for _ in range(repeats):
            start = perf_counter_ns()
            os.pwrite(file.fileno(), b"\1" * 4096, 0)
            sync(file.fileno())
            times.append(perf_counter_ns() - start)
    return round(statistics.median(times) / 1000, 1)
