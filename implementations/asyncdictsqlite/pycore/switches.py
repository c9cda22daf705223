"""Switches for tests: seeded delays and faults in reader and writer, and commits of an exact size."""

from __future__ import annotations

import random
import sqlite3
import time
from typing import Optional, Tuple

Fault = Tuple[int, str]

_FAULTS = {
    "full": sqlite3.OperationalError("database or disk is full"),
    "locked": sqlite3.OperationalError("database is locked"),
    "io": sqlite3.OperationalError("disk I/O error"),
    "sync": sqlite3.OperationalError("disk I/O error"),
    "corrupt": sqlite3.DatabaseError("database disk image is malformed"),
    "panic": RuntimeError("panic in a worker thread"),
}


class Switches:
    """What `Engine.inject` sets; all off to begin with."""

    def __init__(self) -> None:
        self.set()

    def set(
        self,
        *,
        seed: int = 0,
        reader_delay_s: float = 0.0,
        writer_delay_s: float = 0.0,
        reader_fault: Optional[Fault] = None,
        writer_fault: Optional[Fault] = None,
        commit_after: Optional[int] = None,
    ) -> None:
        """Set all of them; what is not named is off.

        Args:
            reader_fault, writer_fault: (n, kind): the n-th job or transaction from now fails once.
            commit_after: how many waiting calls one commit takes, and waits for.
        """
        self._random = random.Random(seed)
        self._reader_delay_s = reader_delay_s
        self._writer_delay_s = writer_delay_s
        self._reader_fault = reader_fault
        self._writer_fault = writer_fault
        self.commit_after = commit_after

    def reader_delay_s(self) -> float:
        """Return a share of the reader's delay, to be slept."""
        return self._random.random() * self._reader_delay_s if self._reader_delay_s else 0.0

    def delay_writer(self) -> None:
        """Sleep a share of the writer's delay."""
        if self._writer_delay_s:
            time.sleep(self._random.random() * self._writer_delay_s)

    def fail_reader(self) -> None:
        """Raise the fault if this job is the n-th."""
        self._reader_fault, kind = self._count_down(self._reader_fault)
        if kind is not None:
            raise _FAULTS[kind]

    def writer_fault(self) -> Optional[str]:
        """Return the fault of this transaction, None for none; "sync" belongs to its COMMIT."""
        self._writer_fault, kind = self._count_down(self._writer_fault)
        return kind

    @staticmethod
    def raise_fault(kind: Optional[str]) -> None:
        """Raise as SQLite would."""
        if kind is not None:
            raise _FAULTS[kind]

    @staticmethod
    def _count_down(fault: Optional[Fault]) -> Tuple[Optional[Fault], Optional[str]]:
        if fault is None:
            return None, None
        n, kind = fault
        return (None, kind) if n <= 1 else ((n - 1, kind), None)
