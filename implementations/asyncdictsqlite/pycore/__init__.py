"""The core of the Python backends: cache, group commit, lazy queue, schema; they differ only in how they read."""

from __future__ import annotations

from ..protocol import Engine, Opening
from .engine import MakeReader, WritethroughEngine
from .lazy import LazyEngine
from .memory import MemoryEngine


def make_engine(opening: Opening, make_reader: MakeReader) -> Engine:
    """Make the engine of a persist mode; files are read through what `make_reader` makes."""
    mode = opening.options.persist_mode
    if mode == "memory":
        return MemoryEngine(opening)
    return (LazyEngine if mode == "lazy" else WritethroughEngine)(opening, make_reader)
