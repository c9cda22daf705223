"""The preload library that makes I/O fail: built with cc, loaded into the children, armed there by ctypes."""

from __future__ import annotations

import ctypes
import errno
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Dict, List, NamedTuple

WRITE, SYNC, OPEN = 1, 2, 4
DATABASE, WAL, JOURNAL, INDEX, SIDE = 1, 2, 4, 8, 16
EVERY = 31
ERRORS = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC}


def compiler() -> List[str]:
    """Return the command of the C compiler; empty where there is none."""
    words = shlex.split(os.environ.get("CC", "cc"))
    return words if words and shutil.which(words[0]) else []


def build(folder: Path, name: str = "faults.c") -> Dict[str, str]:
    """Build a library of this folder; return the environment that loads it into a child."""
    source = Path(__file__).with_name(name)
    library = folder / source.with_suffix(".so").name
    subprocess.run([*compiler(), "-O1", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    return {"LD_PRELOAD": str(library)}


class Seen(NamedTuple):
    """How many of the chosen calls there were, and how many of them failed."""

    calls: int
    failed: int


def arm(path: str, n: int, error: str = "EIO", *, ever: bool = False, kinds: int = EVERY, files: int = EVERY) -> None:
    """Make the `n`-th of the chosen calls of this process on a database fail, or all from then on; 0: only count."""
    ctypes.CDLL(None).faults_arm(os.fsencode(path), kinds, files, ctypes.c_long(n), ERRORS[error], int(ever))


def limit(size_bytes: int) -> None:
    """Let no file of the database grow beyond a size, as a full disk does; -1: no bound."""
    ctypes.CDLL(None).faults_room(ctypes.c_long(size_bytes))


def disarm() -> Seen:
    """Let everything work again; return what happened."""
    library = ctypes.CDLL(None)
    library.faults_disarm()
    return Seen(library.faults_seen(), library.faults_failed())
