"""Waking up at a time: a loop's own timers are late by up to a millisecond, as epoll counts in those."""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
from time import perf_counter_ns
from typing import Any, Optional

_MONOTONIC = 1
_NONBLOCK = os.O_NONBLOCK if hasattr(os, "O_NONBLOCK") else 0


class _Spec(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_long) for name in ("every_s", "every_ns", "in_s", "in_ns"))


class Alarm:
    """A context: wakes the running loop by a timer of the kernel where there is one, else by the loop's own."""

    def __enter__(self) -> Alarm:
        self._loop = asyncio.get_running_loop()
        self._waiting: Optional[asyncio.Future[None]] = None
        self._system: Any = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
        self._file = -1 if self._system is None else self._system.timerfd_create(_MONOTONIC, _NONBLOCK)
        if self._file >= 0:
            self._loop.add_reader(self._file, self._rings)
        return self

    def __exit__(self, *ended: object) -> None:
        if self._file >= 0:
            self._loop.remove_reader(self._file)
            os.close(self._file)

    async def until(self, due: int) -> None:
        """Return at that time of `perf_counter_ns`; at once if it has passed."""
        left = due - perf_counter_ns()
        if left <= 0:
            return
        if self._file < 0:
            await asyncio.sleep(left / 1e9)
            return
        self._waiting = self._loop.create_future()
        spec = _Spec(0, 0, *divmod(left, 10**9))
        self._system.timerfd_settime(self._file, 0, ctypes.byref(spec), None)
        await self._waiting

    def _rings(self) -> None:
        os.read(self._file, 8)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
