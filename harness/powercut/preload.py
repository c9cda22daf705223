"""The preload library that records: built with cc, loaded into the child, told there what was acknowledged."""

from __future__ import annotations

import ctypes
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Callable, Dict

_SOURCE = Path(__file__).with_name("recorder.c")


class CannotRecordError(Exception):
    """The library cannot be built or loaded here; the message says what is missing."""


def build(folder: Path) -> Path:
    """Build the library in a folder.

    Raises:
        CannotRecordError: not Linux, or no C compiler.
    """
    if not sys.platform.startswith("linux"):
        raise CannotRecordError("power cuts are simulated on Linux only: LD_PRELOAD and /proc are needed")
    library = folder / "recorder.so"
    if set(" :") & set(str(library)):
        raise CannotRecordError(f"LD_PRELOAD takes no path with a space or a colon: {folder}")
    compiler = shlex.split(os.environ.get("CC", "cc"))
    command = [*compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(_SOURCE), "-ldl"]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise CannotRecordError(f"{compiler[0]}: no C compiler found: install one, or name it in CC") from error
    except subprocess.CalledProcessError as error:
        raise CannotRecordError(f"{shlex.join(command)} failed: {error.stderr}") from error
    return library


def environment(library: Path, root: Path, trace: Path, sync_us: int) -> Dict[str, str]:
    """Return what makes a child record the files below `root` into `trace`; each sync takes `sync_us` longer."""
    return {
        "LD_PRELOAD": str(library),
        "POWERCUT_ROOT": str(root),
        "POWERCUT_TRACE": str(trace),
        "POWERCUT_SYNC_US": str(sync_us),
    }


def marker() -> Callable[[str, int], None]:
    """Return the function by which the recorded process marks an event of the workload in the trace.

    Raises:
        CannotRecordError: the library is not loaded into this process.
    """
    # PyDLL: the interpreter's lock is kept, so that no other thread of Python acts between an event and its mark.
    library = ctypes.PyDLL(None)
    if not (hasattr(library, "powercut_recording") and library.powercut_recording()):
        raise CannotRecordError("the recorder is not loaded: is LD_PRELOAD ignored here?")
    mark = library.powercut_mark
    mark.argtypes, mark.restype = [ctypes.c_int, ctypes.c_ulong], None
    return lambda kind, number: mark(ord(kind), number)
