"""The side lock ``<db>-adsq``: who has the file open, and whether shared or exclusive.

fcntl record locks: byte 0 is presence (a read lock shares, a write lock excludes), byte 1 the writers' queue, which
the engines take. Record locks end with their process, also in a forked child. The file is never deleted: that would
let two processes lock two files of one name.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import sys
from typing import Optional

from .errors import DiskFullError, LockedError, ReadOnlyError, StorageError
from .options import EngineOptions

PRESENCE, QUEUE = 0, 1  # bytes

_LINUX = sys.platform.startswith("linux")
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FLOCK = struct.Struct("@hhqqi4x" if _LINUX else "@qqihh")  # type whence start length pid; elsewhere BSD's order


class SideLock:
    """The open side file of a database, its presence byte locked."""

    def __init__(self, descriptor: int, *, exclusive: bool) -> None:
        self.descriptor = descriptor
        self.exclusive = exclusive  # not always where asked for: who may only read the side file shares it

    @classmethod
    def take(cls, path: str, options: EngineOptions) -> Optional[SideLock]:
        """Lock the presence byte; None where the folder cannot be written.

        Raises:
            LockedError: another process is there and one of the two wants to be alone.
        """
        descriptor = _open_side_file(path + "-adsq")
        if descriptor is None:
            return None
        operation = fcntl.LOCK_EX if options.exclusive and os.access(f"{path}-adsq", os.W_OK) else fcntl.LOCK_SH
        try:
            fcntl.lockf(descriptor, operation | fcntl.LOCK_NB, 1, PRESENCE)
        except OSError as error:
            message = _who_and_why(descriptor, path, exclusive=operation == fcntl.LOCK_EX)
            os.close(descriptor)
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                raise
            raise LockedError(message) from error
        return cls(descriptor, exclusive=operation == fcntl.LOCK_EX)

    def release(self) -> None:
        """Close the side file, which drops its locks."""
        os.close(self.descriptor)


def _open_side_file(path: str) -> Optional[int]:
    for flags in (os.O_RDWR | os.O_CREAT, os.O_RDONLY):
        try:
            return os.open(path, flags | os.O_CLOEXEC, 0o600)
        except OSError as error:
            if error.errno not in (*_READ_ONLY, errno.ENOENT):
                raise not_created(path, error) from error
    return None


def not_created(path: str, error: OSError) -> StorageError:
    """Return what is raised when the system cannot make a file."""
    full = DiskFullError if error.errno in _FULL else StorageError
    kind = ReadOnlyError if error.errno in _READ_ONLY else full
    return kind(f"{path} cannot be created: {error.strerror}")


def _who_and_why(descriptor: int, path: str, *, exclusive: bool) -> str:
    holder = holder_of(descriptor, PRESENCE)
    who = f"process {holder}" if holder else "another process"
    state = "exclusive=True needs it alone" if exclusive else "there with exclusive=True"
    return f"{path} is open in {who}, and {state}: close it there, or open both with exclusive=False"


def holder_of(descriptor: int, byte: int) -> Optional[int]:
    """Return the pid of a process that holds a lock on this byte, None where nobody does."""
    if _LINUX:
        request = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
        answer = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_GETLK, request))
        kind, pid = answer[0], answer[4]
    else:
        request = _FLOCK.pack(byte, 1, 0, fcntl.F_WRLCK, os.SEEK_SET)
        answer = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_GETLK, request))
        kind, pid = answer[3], answer[2]
    return None if kind == fcntl.F_UNLCK else pid
