"""A run as it was recorded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Iterable, List, Optional

from harness.measure.records import Record, is_complete, read

CLASSES = ("synced before acknowledgement", "survives a kill", "volatile")
_PART = re.compile(r" (?:--contender|--workload|--row|-k) ")


class Recorded:
    """The records of one run, found by what they measured."""

    def __init__(self, name: str, records: Iterable[Record]) -> None:
        self.name = name
        self.records = list(records)

    @classmethod
    def load(cls, path: Path) -> Recorded:
        return cls(path.name, read(path))

    @property
    def begin(self) -> Record:
        return self.records[0]

    @property
    def complete(self) -> bool:
        return is_complete(self.records)

    @property
    def whole(self) -> bool:
        """Whether the run came to its end, and was not told to measure a part only: what others are shown."""
        return self.complete and not _PART.search(self.begin["command"])

    def kind(self, kind: str) -> List[Record]:
        """Return the records of one kind."""
        return [record for record in self.records if record["kind"] == kind]

    def measurements(self, workload: str, **params: Any) -> List[Record]:
        """Return the measurements of a workload whose parameters have these values."""
        return [
            record
            for record in self.kind("measurement")
            if record["workload"] == workload and all(record["params"][name] == value for name, value in params.items())
        ]

    def ladder(self, value_size: int = 64) -> List[Record]:
        """Return the measurements of the buffering ladder, in its order."""
        found = self.measurements("writers", value_size=value_size)
        return [record for record in found if record["title"].startswith("Write-through buffering")]

    def outside_ladder(self, workload: str, **params: Any) -> List[Record]:
        """Return the measurements of a workload that are not steps of the ladder."""
        ladder = {id(record) for record in self.ladder(params.get("value_size", 64))}
        return [record for record in self.measurements(workload, **params) if id(record) not in ladder]


def newest(folder: Path, driver: str) -> Optional[Path]:
    """Return the newest whole record of a driver."""
    for path in sorted(folder.glob("*.jsonl"), reverse=True):
        recorded = Recorded.load(path)
        if recorded.whole and recorded.begin["driver"] == driver:
            return path
    return None
