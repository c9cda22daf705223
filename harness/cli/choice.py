"""What the user chose, checked against what there is."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Iterable, List, Sequence, Tuple

from harness.cli.failure import Failure
from harness.contenders import CONTENDERS


def chosen(kind: str, asked: Sequence[str], known: Iterable[str]) -> List[str]:
    """Return what was asked for, everything if nothing was.

    Raises:
        Failure: one of them is not known; the message lists those that are.
    """
    names = list(known)
    for name in asked:
        if name not in names:
            near = get_close_matches(name, names, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise Failure(f"unknown {kind} {name!r}{hint}: known are {', '.join(names)}")
    return [name for name in names if not asked or name in asked]


def installed(names: Sequence[str]) -> Tuple[List[str], List[str]]:
    """Split contenders into those that can run and a line for each that cannot."""
    missing = {name: CONTENDERS[name].missing() for name in names}
    return [name for name in names if missing[name] is None], [line for line in missing.values() if line is not None]


def writable(folder: Path, option: str) -> None:
    """Check that a folder can be made or written into, without making it.

    Raises:
        Failure: it is no folder, or nothing can be written there.
    """
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise Failure(f"{option} {folder.name}: {there.name} is no folder")
    if not os.access(there, os.W_OK):
        raise Failure(f"{option} {folder.name}: nothing can be written there")
