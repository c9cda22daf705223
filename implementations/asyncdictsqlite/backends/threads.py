"""Backend "threads": the standard library's sqlite3 in worker threads, on the Python core."""

from __future__ import annotations

import sqlite3
from typing import Callable, Dict, Optional, Sequence

from ..protocol import Engine, Opening
from ..pycore import make_engine
from ..pycore.pool import Pool
from ..pycore.reader import Answer, Query
from ..pycore.switches import Switches

READERS = 2


class ThreadsReader:
    """Every read is a job of the pool."""

    def __init__(self, opening: Opening, switches: Switches) -> None:
        self._pool = Pool(opening, switches, READERS)

    def fetch(self, queries: Sequence[Query], answer: Answer, *, may_use_loop: bool) -> Optional[Callable[[], None]]:
        """See `Reader.fetch`."""
        self._pool.fetch(queries, answer)
        return None

    def close(self) -> None:
        """End the pool."""
        self._pool.close()

    def stats(self) -> Dict[str, int]:
        """Tell nothing of its own."""
        return {}


class Factory:
    """Makes engines; see `protocol.EngineFactory`."""

    sqlite_version_info = sqlite3.sqlite_version_info

    def __call__(self, opening: Opening) -> Engine:
        """Make an engine that reads in a pool of threads."""
        return make_engine(opening, ThreadsReader)


factory = Factory()
