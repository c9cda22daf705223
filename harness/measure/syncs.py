"""Syncs are counted, not believed: a preload library, built with cc, counts them in the worker processes."""

from __future__ import annotations

import ctypes
import mmap
import os
import shlex
import struct
import subprocess
import sys
from pathlib import Path
from typing import Dict, Mapping, Optional, Tuple

_SOURCE = Path(__file__).parent / "preload" / "syncs.c"
_CALLS = ("fsync", "fdatasync", "sync_file_range", "msync")


def build(folder: Path) -> Tuple[Optional[Path], str]:
    """Build the library; return its path, or None and why there is none."""
    if not sys.platform.startswith("linux"):
        return None, "syncs are not counted: LD_PRELOAD needs Linux"
    compiler = shlex.split(os.environ.get("CC", "cc"))
    library = folder / "syncs.so"
    if set(" :") & set(str(library)):
        return None, "syncs are not counted: LD_PRELOAD takes no path with a space or a colon, name one by --scratch"
    command = [*compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(_SOURCE), "-ldl"]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        return None, f"syncs are not counted: no C compiler ({compiler[0]}) found: install one, or name it in CC"
    except subprocess.CalledProcessError as error:
        return None, f"syncs are not counted: {compiler[0]} failed on {_SOURCE.name} with status {error.returncode}"
    return library, ""


def counted() -> Optional[Dict[str, int]]:
    """Return the calls of this process so far, by name; None if the library is not loaded."""
    try:
        ask = ctypes.CDLL(None).harness_syncs
    except AttributeError:
        return None
    ask.restype = ctypes.c_long
    return {call: ask(number) for number, call in enumerate(_CALLS)}


class Shared:
    """Counts of a process that this one starts with `environment`: in memory of both, so that no disk sees them."""

    _FORM = struct.Struct(f"@{len(_CALLS)}l")

    def __init__(self) -> None:
        self._descriptor = os.memfd_create("syncs")
        os.ftruncate(self._descriptor, self._FORM.size)
        self._memory = mmap.mmap(self._descriptor, self._FORM.size)

    @property
    def environment(self) -> Mapping[str, str]:
        """What the other process must find."""
        return {"HARNESS_SYNCS": f"/proc/{os.getpid()}/fd/{self._descriptor}"}

    def counted(self) -> Dict[str, int]:
        """Return its calls so far, by name."""
        return dict(zip(_CALLS, self._FORM.unpack(self._memory[:])))

    def close(self) -> None:
        """Give the memory back."""
        self._memory.close()
        os.close(self._descriptor)
