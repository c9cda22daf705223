"""The tables of the limits suite, and which record of which Python they show."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from harness.measure.records import Record
from harness.measure.remote import ROOT
from harness.report import tables
from harness.report.recorded import Recorded
from harness.report.table import NOTHING, Table, digits, duration

PROFILES = "results/profiles"


def limits(run: Recorded) -> Table:
    """Return every row."""
    return _table(run, run.kind("verdict"))


def headlines(run: Recorded) -> Table:
    """Return the rows for README."""
    return _table(run, [record for record in run.kind("verdict") if record["headline"]])


def _table(run: Recorded, verdicts: List[Record]) -> Table:
    rows = [
        [
            record["row"],
            record["operation"],
            _cost(record["ours"]),
            f"{record['against']['label']}: {_cost(record['against'])}",
            _ratio(record),
            record["wanted"],
            _held(record),
        ]
        for record in verdicts
    ]
    headings = ["row", "operation", "ours", "yardstick, same run", "ratio (quartiles)", "goal", "held"]
    held = [record["held"] for record in verdicts if record["held"] is not None]
    title = f"Limits, Python {run.begin['host']['python']}: {sum(held)} of {len(held)} rows held"
    return Table(title, headings, [("", rows)], 2)


def _cost(side: Mapping[str, Any]) -> str:
    median = side["summary"]["median"]
    if side["unit"] == "ns":
        return duration(median)
    return f"{digits(median)} B" if side["unit"] == "B" else f"{median:g}"


def _ratio(record: Record) -> str:
    found = record["summary"]
    if record["wanted"] == "<= 0":
        return f"{found['median']:g} ({found['q1']:g}..{found['q3']:g})"
    return f"{digits(found['median'])}x ({digits(found['q1'])}..{digits(found['q3'])}){_facts(record)}"


def _held(record: Record) -> str:
    """Say whether; of a row that is not held name the profile, if there is one."""
    if record["held"] is not False:
        return NOTHING if record["held"] is None else "yes"
    name = profile(record)
    return f"NO: `{name}`" if (ROOT / name).exists() else "NO"


def _facts(record: Record) -> str:
    share = record.get("facts", {}).get("hit_ratio")
    return "" if share is None else f", {share:.1%} hits"


def ladder(run: Recorded) -> Table:
    """Return the steps behind the row `ladder`, with the share of each."""
    return tables.ladder(run, "rust") or Table("Write-through buffering", ["step"], [])


def callbacks(run: Recorded) -> Table:
    """Return what was seen beside the ratios: callbacks of the loop."""
    rows = [
        [name.replace("_", " ").replace(" us", ", µs"), digits(float(value))]
        for record in run.kind("verdict")
        if record["row"] == "stall"
        for name, value in record["facts"].items()
    ]
    return Table("Callbacks while 64 tasks write", ["of all callbacks", ""], [("", rows)], 1)


def profile(record: Record) -> str:
    """Name the profile that a row which is not held must have."""
    return f"{PROFILES}/{record['row']}.txt"


def missing_profiles(run: Recorded, root: Path) -> List[str]:
    """Return the profiles of rows not held that are not there."""
    lost = [profile(record) for record in run.kind("verdict") if record["held"] is False]
    return [name for name in lost if not (root / name).exists()]


def pick(runs: Path, *, latest: bool) -> Optional[Path]:
    """Return the newest record of the oldest Python there is one for, or of the latest, if that is another."""
    newest: Dict[Tuple[int, ...], Path] = {}
    for path in sorted(runs.glob("*.jsonl")):
        run = Recorded.load(path)
        if run.whole and run.begin["driver"] == "limits":
            newest[tuple(map(int, run.begin["host"]["python"].split(".")[:2]))] = path
    if not newest or (latest and len(newest) < 2):
        return None
    return newest[max(newest) if latest else min(newest)]
