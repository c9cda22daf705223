"""The list of records in ``results/README.md``: which command made which file."""

from __future__ import annotations

import re
from pathlib import Path

from harness.report.recorded import Recorded

_LIST = re.compile(r"(<!-- harness:runs -->\n)(.*?)(<!-- /harness:runs -->)", re.DOTALL)


def listed(folder: Path) -> str:
    """Return the list for all records in ``folder``."""
    lines = ["| record | made by | machine | complete |", "| --- | --- | --- | --- |"]
    for path in sorted(folder.glob("*.jsonl")):
        run = Recorded.load(path)
        begin, complete = run.begin, "yes" if run.complete else "no"
        lines.append(f"| `runs/{path.name}` | `{begin['command']}` | {begin['machine']} | {complete} |")
    return "\n".join(lines) + "\n"


def relist(page: Path, folder: Path) -> bool:
    """Write the list anew; whether the page has a place for it."""
    text = page.read_text(encoding="utf-8")
    if not _LIST.search(text):
        return False
    page.write_text(_LIST.sub(lambda found: found.group(1) + listed(folder) + found.group(3), text), encoding="utf-8")
    return True
