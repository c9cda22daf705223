"""The lists of records in ``results/README.md``: which command made which file, and what a series of gates found."""

from __future__ import annotations

import re
from pathlib import Path

from harness.gate.shown import summary
from harness.measure.records import read
from harness.report.recorded import Recorded

_LIST = re.compile(r"(<!-- harness:(runs|gates) -->\n)(.*?)(<!-- /harness:\2 -->)", re.DOTALL)


def listed(folder: Path) -> str:
    """Return the list for all records in ``folder``."""
    lines = ["| record | made by | machine | complete |", "| --- | --- | --- | --- |"]
    for path in sorted(folder.glob("*.jsonl")):
        run = Recorded.load(path)
        begin, complete = run.begin, "yes" if run.complete else "no"
        lines.append(f"| `runs/{path.name}` | `{begin['command']}` | {begin['machine']} | {complete} |")
    return "\n".join(lines) + "\n"


def listed_gates(folder: Path) -> str:
    """Return the list for all records of the gate in ``folder``."""
    lines = ["| record | made by | found |", "| --- | --- | --- |"]
    for path in sorted(folder.glob("*.jsonl")):
        records = read(path)
        planted = [f"{record['effect'] - 1:.1%} planted" for record in records if record["kind"] == "planted"]
        found = "; ".join([*planted, *summary(records)])
        lines.append(f"| `gate/{path.name}` | `{records[0]['command']}` | {found} |")
    return "\n".join(lines) + "\n"


def relisted(text: str, results: Path) -> str:
    """Return the page with its lists as they are now."""
    lists = {"runs": lambda: listed(results / "runs"), "gates": lambda: listed_gates(results / "gate")}
    return _LIST.sub(lambda found: found.group(1) + lists[found.group(2)]() + found.group(4), text)


def relist(page: Path, results: Path) -> bool:
    """Write the lists anew; whether the page has a place for them."""
    text = page.read_text(encoding="utf-8")
    if not _LIST.search(text):
        return False
    page.write_text(relisted(text, results), encoding="utf-8")
    return True
