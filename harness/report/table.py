"""A table as data: the terminal and README show the same one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from harness.measure.records import Record
from harness.report.recorded import CLASSES

NOTHING = "-"
_UNITS = (("ms", 1e6), ("µs", 1e3), ("ns", 1.0))
Rows = List[List[str]]


@dataclass(frozen=True)
class Table:
    """Rows in sections, one for each durability class: numbers of different classes do not compare.

    Attributes:
        names: how many columns name the row; the others are numbers.
    """

    title: str
    headings: Sequence[str]
    sections: List[Tuple[str, Rows]]
    names: int = 2


def pivot(
    title: str, columns: Mapping[str, Sequence[Record]], cell: Optional[Callable[[Record], str]] = None
) -> Optional[Table]:
    """Make a table with a row for each contender in its configuration, a column for each list of records."""
    rows: Dict[str, Dict[Tuple[str, str], List[str]]] = {name: {} for name in CLASSES}
    headings = [heading for heading, records in columns.items() if records]
    for number, heading in enumerate(headings):
        for record in columns[heading]:
            key = (record["contender"], record["configuration"])
            row = rows[record["durability"]].setdefault(key, [NOTHING] * len(headings))
            row[number] = (cell or spread)(record)
    sections = [(name, [[*key, *cells] for key, cells in found.items()]) for name, found in rows.items() if found]
    return Table(title, ["store", "configuration", *headings], sections) if sections else None


def spread(record: Mapping[str, Any]) -> str:
    """Show the median and the quartiles of a time."""
    found = record["summary"]
    unit, divisor = _unit(found["median"])
    low, high = digits(found["q1"] / divisor), digits(found["q3"] / divisor)
    return f"{digits(found['median'] / divisor)} {unit} ({low}..{high})"


def time(record: Mapping[str, Any]) -> str:
    """Show the median of a time."""
    return duration(record["summary"]["median"])


def duration(ns: float) -> str:
    """Show nanoseconds in the unit that fits."""
    unit, divisor = _unit(ns)
    return f"{digits(ns / divisor)} {unit}"


def _unit(ns: float) -> Tuple[str, float]:
    return next((unit, divisor) for unit, divisor in _UNITS if ns >= divisor or divisor == 1)


def digits(value: float) -> str:
    """Show three significant digits, without an exponent."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def count(value: Optional[float]) -> str:
    """Show a count per operation, or that it was not counted."""
    if value is None:
        return NOTHING
    return f"{value:.3g}" if value else "0"
