"""Memory of an entry in our cache beside one in a dict: resident bytes of fresh processes, keys and values left out."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any, Dict, List

from harness.probes.child import probe

SIZES = (500_000, 575_000, 660_000, 760_000, 870_000, 1_000_000)  # tables grow in steps: look between them, too


def run(folder: str, sizes: List[int] = list(SIZES)) -> Dict[str, Any]:  # noqa: B006
    """Return bytes of an entry at each size."""
    return {name: probe("entries", {"of": kind, "sizes": sizes}, Path(folder))["bytes"] for name, kind in _KINDS}


_KINDS = (("ours", "store"), ("against", "dict"))


def resident() -> int:
    """Return the resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
