"""The preload library that counts syncs and file locks: built with cc, loaded into a peer, asked by ctypes there."""

from __future__ import annotations

import ctypes
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Dict, NamedTuple

_SOURCE = Path(__file__).with_name("preload.c")


class Counts(NamedTuple):
    """What this process has done so far, in whatever library: finished syncs, those of a WAL, file-lock calls."""

    syncs: int
    wal_syncs: int
    locks: int


def build(directory: Path) -> Dict[str, str]:
    """Build the library; return the environment that loads it into a child.

    Raises:
        RuntimeError: not Linux, or no C compiler; the message says what is missing.
    """
    if not sys.platform.startswith("linux"):
        raise RuntimeError("syncs are counted on Linux only: LD_PRELOAD and /proc are needed")
    library = directory / "preload.so"
    compiler = shlex.split(os.environ.get("CC", "cc"))
    command = [*compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(_SOURCE), "-ldl"]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise RuntimeError(f"{compiler[0]}: no C compiler found: install one, or name it in CC") from error
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"{shlex.join(command)} failed: {error.stderr}") from error
    earlier = [os.environ["LD_PRELOAD"]] if os.environ.get("LD_PRELOAD") else []
    return {"LD_PRELOAD": os.pathsep.join([str(library), *earlier])}


def counts() -> Counts:
    """Ask the preloaded library of this process.

    Raises:
        AttributeError: it is not loaded.
    """
    library = ctypes.CDLL(None)
    return Counts(library.adsq_syncs(), library.adsq_wal_syncs(), library.adsq_locks())
