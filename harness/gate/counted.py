"""A process that does one block of one body and prints what it counted."""

from __future__ import annotations

import json
import os
import sys
from typing import Sequence

from harness.gate.worker import GateWorker


def main(arguments: Sequence[str]) -> None:
    """Open a case in a folder, do ``n`` operations, a commit for each ``commit_after`` calls (0: as they come)."""
    data, folder, n, commit_after = arguments
    worker = GateWorker()
    worker.open({"case": json.loads(data), "folder": folder, "number": 0})
    if int(commit_after):
        worker.inject({"number": 0, "commit_after": int(commit_after)})
    counters = worker.count({"number": 0, "n": int(n)})["counters"]
    sys.stdout.write(json.dumps(counters))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
