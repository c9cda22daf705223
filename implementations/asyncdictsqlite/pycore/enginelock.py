"""The lock of an engine: held for a few assignments, never for I/O."""

from __future__ import annotations

import threading

from ..errors import StateError


class EngineLock:
    """A lock that refuses who interrupts its own holder: a finalizer or a signal handler would wait for ever."""

    __slots__ = ("_inside", "_lock")

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._inside = False

    def __enter__(self) -> None:
        self._lock.acquire()
        if self._inside:
            self._lock.release()
            raise StateError(
                "a finalizer or signal handler called the store while it interrupted the store itself: "
                "let it hand the call to a thread or a loop"
            )
        self._inside = True

    def __exit__(self, *exception: object) -> None:
        self._inside = False
        self._lock.release()
