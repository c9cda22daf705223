"""sqlite3's exceptions, translated to the error tree in this one spot."""

from __future__ import annotations

import os
import sqlite3
from typing import Optional

from ..errors import (
    CorruptError,
    DiskFullError,
    DurabilityUnknownError,
    LockedError,
    NotADatabaseError,
    ReadOnlyError,
    SchemaMismatchError,
    StorageError,
    ValueTooLargeError,
)

try:
    import resource
except ImportError:  # a system without such limits
    resource = None  # type: ignore[assignment]

# Python 3.11 gives the extended code; before, the message of the primary code is all there is.
_MESSAGES = (
    ("database is locked", 5),
    ("database table is locked", 6),
    ("readonly database", 8),
    ("disk I/O error", 10),
    ("disk image is malformed", 11),
    ("Could not decode to UTF-8", 11),
    ("disk is full", 13),
    ("unable to open database file", 14),
    ("file is not a database", 26),
    ("file is encrypted", 26),
    ("no such table", 1001),
    ("locking protocol", 15),
)
_IOERR_WRITE = 778
_NOT_APPLIED_IOERR = (266, 522, _IOERR_WRITE)  # READ, SHORT_READ, WRITE: the transaction was rolled back
NO_SUCH_TABLE = 1001


def primary_code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code (1001: no such table; 1: unknown)."""
    message = str(error)
    for text, code in _MESSAGES:
        if text in message:
            return code
    return getattr(error, "sqlite_errorcode", 1) & 0xFF


def is_of_one_call(error: Exception) -> bool:
    """Tell whether only the call that met it fails: its table is gone or its value too big; not the disk's trouble."""
    if isinstance(error, sqlite3.Error):
        return isinstance(error, sqlite3.DataError) or primary_code(error) == NO_SUCH_TABLE
    return True


def translate(error: Exception, path: str, *, committing: bool = False) -> Exception:
    """Turn what sqlite3 raised into what the contract names.

    Args:
        committing: it came from COMMIT: an I/O error then leaves the outcome unknown.
    """
    if isinstance(error, UnicodeDecodeError):  # SQLite's message quotes what is damaged
        return _caused(CorruptError(f"{path} is damaged; nothing was repaired: restore a backup"), error)
    if not isinstance(error, sqlite3.Error):
        return error
    code = primary_code(error)
    if code == 10:
        return _io_error(error, path, committing)
    known = {
        5: (LockedError, "is locked by another process for longer than busy_timeout: try again"),
        6: (LockedError, "is locked by another connection: try again"),
        8: (ReadOnlyError, "cannot be written: it, or its folder, is read-only"),
        11: (CorruptError, "is damaged; nothing was repaired: restore a backup"),
        13: (DiskFullError, "cannot grow: the disk is full; make room and try again"),
        14: (StorageError, "cannot be opened by SQLite: check the permissions of the file and its folder"),
        15: (LockedError, "is locked by another process: try again"),
        26: (NotADatabaseError, "is not a SQLite database; it was not touched"),
        NO_SUCH_TABLE: (SchemaMismatchError, f"lacks a table that another process dropped ({error})"),
    }
    if code in known:
        kind, what = known[code]
        return _caused(kind(f"{path} {what}"), error)
    if isinstance(error, sqlite3.DataError):
        return _caused(ValueTooLargeError(f"{path}: SQLite refuses a value of this size ({error})"), error)
    return _caused(StorageError(f"{path}: {error}"), error)


def _io_error(error: sqlite3.Error, path: str, committing: bool) -> Exception:
    extended: Optional[int] = getattr(error, "sqlite_errorcode", None)
    if committing and extended not in _NOT_APPLIED_IOERR:
        message = f"{path}: a sync failed ({error}): whether the last writes survive is unknown; aopen() opens it again"
        return _caused(DurabilityUnknownError(message), error)
    if extended in (None, _IOERR_WRITE) and _is_at_size_limit(path):
        message = f"{path} cannot grow: the limit of this process on sizes of files is reached; raise it and try again"
        return _caused(DiskFullError(message), error)
    return _caused(StorageError(f"{path}: {error}; nothing was applied"), error)


def _is_at_size_limit(path: str) -> bool:
    """Tell whether RLIMIT_FSIZE explains a failed write: the errno behind an error of sqlite3 is not told."""
    if resource is None:
        return False
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    files = [name for name in (path, f"{path}-wal", f"{path}-journal") if os.path.exists(name)]
    return limit != resource.RLIM_INFINITY and any(os.path.getsize(name) >= limit for name in files)


def _caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error
