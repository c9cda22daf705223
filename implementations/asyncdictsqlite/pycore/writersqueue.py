"""The writers' queue between processes: byte 1 of the side lock, taken round each transaction."""

from __future__ import annotations

import errno
import fcntl
import threading
import time
from typing import Optional

from ..errors import LockedError
from ..sidelock import QUEUE, holder_of


class WritersQueue:
    """A fair lock: waiters of a POSIX record lock are served in order, unlike SQLite's busy handler.

    Args:
        descriptor: the side file; None: nobody else can be there.
    """

    def __init__(self, descriptor: Optional[int], path: str, busy_timeout: float) -> None:
        self._descriptor = descriptor
        self._path = path
        self._busy_timeout = busy_timeout
        self._waiting: Optional[_Waiting] = None  # the last one, which may have been given up and still wait

    def __enter__(self) -> None:
        if self._descriptor is not None and not self._try(self._descriptor):
            self._wait(self._descriptor)

    def __exit__(self, *exception: object) -> None:
        if self._descriptor is not None:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, QUEUE)

    @staticmethod
    def _try(descriptor: int) -> bool:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, QUEUE)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                raise
            return False
        return True

    def _wait(self, descriptor: int) -> None:
        """Queue in a thread: F_SETLKW knows no time-out."""
        waiting = self._waiting
        if waiting is None or not waiting.resume():
            waiting = self._waiting = _Waiting(descriptor)
            threading.Thread(target=waiting.run, name="asyncdictsqlite-queue", daemon=True).start()
        if not waiting.wait(self._busy_timeout):
            holder = holder_of(descriptor, QUEUE)
            who = f"process {holder}" if holder else "another process"
            waited = f"{who} has been writing for {self._busy_timeout} s (busy_timeout)"
            raise LockedError(f"{self._path}: {waited}; nothing was applied: try again")


class _Waiting:
    """One wait for the lock; whoever comes second, the lock or the time-out, cleans up."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._mutex = threading.Lock()
        self._done = threading.Event()
        self._given_up = False
        self._failed = False

    def resume(self) -> bool:
        """Want the lock again; False: it has come, or was given back, already."""
        with self._mutex:
            if self._done.is_set():
                return False
            self._given_up = False
            return True

    def run(self) -> None:
        while not self._lock():
            time.sleep(0.005)
        with self._mutex:
            if self._given_up and not self._failed:
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, QUEUE)
            self._done.set()

    def _lock(self) -> bool:
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX, 1, QUEUE)
        except OSError as error:
            # EDEADLK: the kernel sees processes, not threads; a cycle over two files is none of ours.
            if error.errno not in (errno.EDEADLK, errno.EINTR):
                self._failed = True  # the descriptor is gone, since the store is closed; or SQLite's lock must do
                return True
            return False
        return True

    def wait(self, timeout_s: float) -> bool:
        """Wait for the lock; False: it will be given back when it comes."""
        if self._done.wait(timeout_s):
            return True
        with self._mutex:
            self._given_up = not self._done.is_set()
            return not self._given_up
