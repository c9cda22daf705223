"""The tables of one's own case, and how far this machine's numbers may be trusted."""

from __future__ import annotations

from typing import Dict, List, Optional, Tuple

from harness.measure.records import Record
from harness.report.recorded import CLASSES, Recorded
from harness.report.table import NOTHING, Rows, Table, count, digits, spread


def own(run: Recorded) -> Optional[Table]:
    """Return a row for each store in its configuration, the fastest of its class first."""
    found = [record for record in _cases(run) if record["contender"] != "control"]
    seen = {(record["contender"], record["configuration"]): record for record in run.kind("promise")}
    sections: List[Tuple[str, Rows]] = []
    for name in CLASSES:
        records = sorted((record for record in found if record["durability"] == name), key=_median)
        if records:
            sections.append((name, [_row(record, seen, _median(records[0])) for record in records]))
    headings = ["store", "configuration", "an operation", "operations a second", "times the fastest"]
    headings += ["syncs per write", "left after SIGKILL"]
    return Table(found[0]["title"], headings, sections) if found else None


def _cases(run: Recorded) -> List[Record]:
    return [*run.measurements("own"), *run.measurements("replay")]


def _row(record: Record, seen: Dict[Tuple[str, str], Record], best: float) -> List[str]:
    promise = seen.get((record["contender"], record["configuration"]))
    kept = [NOTHING, NOTHING]
    if promise is not None:
        kept = [count(promise["syncs_per_write"]), f"{promise['left']} of {promise['written']}"]
    times = [spread(record), f"{1e9 / _median(record):,.0f}", f"{digits(_median(record) / best)}x"]
    return [record["contender"], record["configuration"], *times, *kept]


def _median(record: Record) -> float:
    return float(record["summary"]["median"])


def noise(run: Recorded) -> List[str]:
    """Return sentences about the machine while it measured."""
    begin = run.begin
    measured = run.kind("measurement")
    said = [f"one sync of this disk takes {begin['sync_us']:g} µs ({begin['host']['file_system']})"]
    for record in _cases(run):
        if record["contender"] == "control":
            found = record["summary"]
            middle, all_of = (found["q3"] / found["q1"] - 1, found["max"] / found["min"] - 1)
            said.append(
                f"the control, a dict in a coroutine, takes {spread(record)}: its middle half varies by {middle:.0%}, "
                f"all of it by {all_of:.0%}; smaller differences between stores say nothing"
            )
    if measured:
        first, last = measured[0]["host"]["load_before"], measured[-1]["host"]["load_after"]
        stolen = last["steal_s"] - first["steal_s"]
        cores = begin["host"]["cores"]
        said.append(f"load {first['load1']:g} before, {last['load1']:g} after, on {cores} cores; {stolen:.1f} s stolen")
    return said
