"""What each store loses at a power cut, from the records."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Tuple

from harness.measure.records import Record, read

HEADINGS = [
    "store", "configuration", "power cuts", "of them lost acknowledged calls", "most calls lost", "oldest of them",
    "in part", "holes", "corrupt", "kills that lost",
]  # fmt: skip
NAMES = 2  # columns that name the row


def newest(folder: Path) -> List[Record]:
    """Return the newest record of each store and configuration, POSIX's rules for folders apart."""
    found: Dict[Tuple[Any, ...], Record] = {}
    for path in sorted(folder.glob("*.jsonl")):
        for record in read(path):
            if record["kind"] == "power-cut":
                found[_identity(record)] = max(found.get(_identity(record), record), record, key=_time)
    return [found[key] for key in sorted(found)]


def _identity(record: Record) -> Tuple[Any, ...]:
    foreign = not record["contender"].startswith("asyncdictsqlite/")
    return foreign, record["contender"], record["configuration"], record["params"]["strict_directory"]


def _time(record: Record) -> str:
    return str(record["utc"])


def markdown(records: List[Record]) -> str:
    """Return the table."""
    rule = ["---"] * NAMES + ["---:"] * (len(HEADINGS) - NAMES)
    return "".join(f"| {' | '.join(row)} |\n" for row in [HEADINGS, rule, *map(cells, records)])


def written_into(page: str, records: List[Record]) -> str:
    """Return a page with the table between its markers."""
    return between(page, "powercut:table", markdown(records))


def between(page: str, name: str, text: str) -> str:
    """Return a page with a text between the markers of a name."""
    start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, _, rest = page.partition(start)
    _, marker, after = rest.partition(end)
    if not marker:
        raise ValueError(f"the page has no markers: {start.strip()} ... {end}")
    return before + start + text + end + after


def cells(record: Record) -> List[str]:
    """Return the row of a record."""
    strict = ", POSIX folders" if record["params"]["strict_directory"] else ""
    age = f"{record['lost_most_s']:.2f} s" if record["lost_most"] else "-"
    counted = [record["lost_most"], age, record["torn"], record["holes"], record["corrupt"]]
    killed = f"{record['killed_losing']} of {record['killed']}"
    return [record["contender"], record["configuration"] + strict, f"{record['n']:,}",
            *map(str, [record["losing"], *counted, killed])]  # fmt: skip
