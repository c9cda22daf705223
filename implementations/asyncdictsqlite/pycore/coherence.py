"""Coherence across processes: which epoch the cache may trust, by ``PRAGMA data_version``.

The pragma of a connection changes when *another* connection commits (https://sqlite.org/pragma.html#pragma_data_version).
Two are asked: the writer's own, which our commits leave unchanged, at the edges of each of our transactions; and one
that only watches, at each read. What the watch sees between the COMMIT of ours and the answer of the writer's is
ambiguous: such a read is a cold one.
"""

from __future__ import annotations

import sqlite3
from typing import Optional

from ..protocol import Opening
from .connection import connect


class Coherence:
    """The epoch: it moves when another process has committed. Guarded by the engine's lock."""

    def __init__(self) -> None:
        self.epoch = 0
        self._watch: Optional[sqlite3.Connection] = None
        self._seen_by_watch = -1
        self._seen_by_writer = -1
        self._committing = False

    def start(self, opening: Opening, writer: sqlite3.Connection) -> None:
        """Begin to watch; an exclusive file needs none of it."""
        if opening.exclusive:
            return
        self._watch = connect(opening)
        self._watch.execute("PRAGMA busy_timeout=0")
        self._seen_by_writer = _data_version(writer)
        self._seen_by_watch = _data_version(self._watch)

    def close(self) -> None:
        """Close the watching connection."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def trusted_epoch(self) -> Optional[int]:
        """Return the epoch whose entries are valid now; None where that cannot be told without a cold read."""
        if self._watch is None:
            return self.epoch
        try:
            seen = _data_version(self._watch)
        except sqlite3.Error:
            return None
        if seen == self._seen_by_watch:
            return self.epoch
        if self._committing:
            return None
        self._seen_by_watch = seen
        self.epoch += 1
        return self.epoch

    def began(self, writer: sqlite3.Connection) -> int:
        """Take in what others committed before our transaction; nobody commits from here to our COMMIT.

        Returns:
            The epoch that what we commit belongs to.
        """
        if self._watch is not None:
            self._ask_writer(writer)
        return self.epoch

    def committing(self) -> None:
        """Our COMMIT begins: a change that the watch sees may be ours."""
        self._committing = True

    def ended(self, writer: sqlite3.Connection) -> None:
        """Our transaction is over."""
        if self._watch is not None:
            self._ask_writer(writer)
        self._committing = False

    def _ask_writer(self, writer: sqlite3.Connection) -> None:
        assert self._watch is not None
        try:
            # The watch first: a commit between the two then moves the epoch twice, never not at all.
            seen_by_watch = _data_version(self._watch)
            seen_by_writer = _data_version(writer)
        except sqlite3.Error:
            self.epoch += 1
            return
        if seen_by_writer != self._seen_by_writer:
            self._seen_by_writer = seen_by_writer
            self.epoch += 1
        self._seen_by_watch = seen_by_watch


def _data_version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA data_version").fetchone()[0]
    return version
