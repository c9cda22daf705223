"""Counts what callbacks of a loop wait for: by a preloaded library, built with cc, read by ctypes."""

from __future__ import annotations

import ctypes
from typing import Any, Dict

from harness.probes.stall import Watch

KINDS = ("locks", "disk", "sleeps")


class WaitWatch(Watch):
    """Looks at what is waited for in callbacks."""

    def __init__(self) -> None:
        super().__init__()
        self._library = ctypes.PyDLL(None)  # its calls keep the interpreter's lock
        for kind in KINDS:
            getattr(self._library, f"waits_{kind}").restype = ctypes.c_long

    def look(self, handle: Any) -> None:
        self._library.waits_watch(1)
        super().look(handle)
        self._library.waits_watch(0)

    @property
    def waits(self) -> Dict[str, int]:
        """Return how often, by kind."""
        return {kind: getattr(self._library, f"waits_{kind}")() for kind in KINDS}
