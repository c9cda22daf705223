"""What the user chose, checked against what there is."""

from __future__ import annotations

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
            raise Failure(f"unknown {kind} {name!r}: known are {', '.join(names)}")
    return [name for name in names if not asked or name in asked]


def installed(names: Sequence[str]) -> Tuple[List[str], List[str]]:
    """Split contenders into those that can run and a line for each that cannot."""
    missing = {name: CONTENDERS[name].missing() for name in names}
    return [name for name in names if missing[name] is None], [line for line in missing.values() if line is not None]
