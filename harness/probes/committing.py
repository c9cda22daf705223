"""A neighbour: opens a file that others have open and commits at a steady rate until its standard input ends."""

from __future__ import annotations

import select
import sys
from time import perf_counter

from asyncdictsqlite import AsyncDictSQLite


def main(file: str, rate: float) -> None:
    """Commit ``rate`` times a second, from fixed times: what is late is made up for."""
    options = {"persist_mode": "writethrough", "synchronous": "normal", "storage_mode": "bytes", "exclusive": False}
    with AsyncDictSQLite(file, backend="rust", **options) as store:  # type: ignore[arg-type]
        print("open", flush=True)
        started, number = perf_counter(), 0
        while True:
            due = started + (number + 1) / rate if rate else None
            wait = None if due is None else max(0.0, due - perf_counter())
            if select.select([sys.stdin], [], [], wait)[0]:
                return
            number += 1
            store.set("neighbour", str(number).encode())


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
