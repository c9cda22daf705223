"""The figures of the trust tests, row by row, from the records of ``make torture``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Tuple

from harness.measure.records import Record, read

HEAD = "| row | test | backend | seed | figures |\n| ---: | --- | --- | ---: | --- |\n"


def newest(folder: Path) -> List[Record]:
    """Return the newest record of each test and backend, in the order of the rows."""
    found: Dict[Tuple[Any, ...], Record] = {}
    for path in sorted(folder.glob("*.jsonl")):
        for record in read(path):
            if record["kind"] == "trust":
                found[_identity(record)] = max(found.get(_identity(record), record), record, key=_time)
    return [found[key] for key in sorted(found)]


def markdown(records: List[Record]) -> str:
    """Return the table."""
    return HEAD + "".join(_row(record) for record in records)


def _identity(record: Record) -> Tuple[Any, ...]:
    digits = "".join(letter for letter in record["row"] if letter.isdigit())
    return int(digits), record["row"], record["test"], record["backend"]


def _time(record: Record) -> str:
    return str(record["utc"])


def _row(record: Record) -> str:
    figures = ", ".join(f"{name.replace('_', ' ')} {_shown(value)}" for name, value in record["figures"].items())
    return f"| {record['row']} | {record['test']} | {record['backend']} | {record['seed']} | {figures} |\n"


def _shown(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
