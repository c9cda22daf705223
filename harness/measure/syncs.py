"""Syncs are counted, not believed: a preload library, built with cc, counts them in the worker processes."""

from __future__ import annotations

import ctypes
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Dict, Optional, Tuple

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
