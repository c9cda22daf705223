"""What the notebooks share: a record, where it comes from, and its numbers."""

from __future__ import annotations

from typing import Dict, List, Sequence, Tuple

from harness.measure.records import Record
from harness.measure.remote import ROOT
from harness.report.recorded import CLASSES, Recorded, newest

RESULTS = ROOT / "results"
STYLE = {"figure.figsize": (8, 3.6), "axes.spines.top": False, "axes.spines.right": False, "font.size": 9}
Store = Tuple[str, str]  # contender, configuration


def newest_sweep() -> Recorded:
    """Return the newest whole sweep.

    Raises:
        FileNotFoundError: there is none.
    """
    path = newest(RESULTS / "runs", "sweep")
    if path is None:
        raise FileNotFoundError("results/runs has no whole sweep: make bench")
    return Recorded.load(path)


def origin(run: Recorded) -> str:
    """Say in lines where the numbers come from."""
    host = run.begin["host"]
    lines = [
        f"record   {run.name}",
        f"made by  {run.begin['command']}",
        f"host     {host['cpu']}, {host['cores']} cores, {host['file_system']}, Python {host['python']}",
        f"disk     one overwrite with fdatasync: {run.begin['sync_us']:.0f} µs",
    ]
    return "\n".join(lines)


def us(record: Record) -> float:
    """Return the median in microseconds."""
    return float(record["summary"]["median"]) / 1000


def synced(records: Sequence[Record], *contenders: str) -> List[Record]:
    """Return those that sync before they acknowledge, of these contenders."""
    return [record for record in records if record["durability"] == CLASSES[0] and record["contender"] in contenders]


def by_store(records: Sequence[Record]) -> Dict[Store, List[Record]]:
    """Sort records by store, in their order."""
    found: Dict[Store, List[Record]] = {}
    for record in records:
        found.setdefault((record["contender"], record["configuration"]), []).append(record)
    return found
