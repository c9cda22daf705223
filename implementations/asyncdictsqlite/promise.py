"""The promise in force: does one process have the file alone, or do several share it; and the bug that decides it."""

from __future__ import annotations

import warnings
from typing import Optional, Tuple

from .errors import WalResetWarning
from .protocol import EngineFactory


def has_wal_reset_bug(version: Tuple[int, ...]) -> bool:
    """Tell whether several processes that write one WAL file can corrupt it (SQLite 3.7.0 to 3.51.2).

    Source: https://sqlite.org/wal.html#walresetbug
    """
    if (3, 44, 6) <= version < (3, 45) or (3, 50, 7) <= version < (3, 51):
        return False
    return (3, 7, 0) <= version <= (3, 51, 2)


def in_force(exclusive: Optional[bool], factory: EngineFactory) -> Tuple[bool, str]:
    """Resolve the option `exclusive`: the promise in force, and why."""
    version: Tuple[int, ...] = getattr(factory, "sqlite_version_info", (99,))
    affected = has_wal_reset_bug(version)
    name = ".".join(map(str, version))
    if exclusive is None:
        if affected:
            return True, f"SQLite {name} has the WAL-reset bug"
        return False, "default"
    return exclusive, "asked for"


def warn_of_wal_reset(path: str, exclusive: Optional[bool], factory: EngineFactory, *, stacklevel: int) -> None:
    """Warn who shares a file through an affected SQLite."""
    version: Tuple[int, ...] = getattr(factory, "sqlite_version_info", (99,))
    if exclusive is False and has_wal_reset_bug(version):
        name = ".".join(map(str, version))
        message = f"{path}: SQLite {name} can corrupt a WAL file that several processes write: leave exclusive=None, "
        warnings.warn(message + "use backend='rust', or SQLite >= 3.51.3", WalResetWarning, stacklevel=stacklevel + 1)
