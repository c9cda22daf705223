"""The tables of a sweep on waiting and sharing: shares of single operations, and what an entry takes in memory."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Sequence

from harness.measure.records import Record
from harness.report.recorded import Recorded
from harness.report.table import NOTHING, Table, digits, duration, pivot, spread

SHARES = ("0.5", "0.99", "0.999")


def tables(run: Recorded) -> List[Table]:
    """Return the tables of what the run measured."""
    found = [*(latency(run, what) for what in ("reads", "writes", "late")), busy(run), stalls(run)]
    found += [sharing(run, "threads"), sharing(run, "processes"), beside(run), memory(run)]
    return [table for table in found if table is not None]


def rated(run: Recorded) -> List[Record]:
    """Return the requests at fixed rates, no other task beside them."""
    return run.measurements("open-loop", slice_ms=0)


def quantile(record: Record, name: str, share: str) -> Optional[float]:
    """Return what a share of the operations did not exceed, in nanoseconds; None where there were none."""
    found = record["distributions"].get(name)
    return None if found is None else float(found["quantiles"][share])


def _shares(name: str, shares: Sequence[str] = SHARES) -> Callable[[Record], str]:
    def cell(record: Record) -> str:
        found = [quantile(record, name, share) for share in shares]
        return " / ".join(NOTHING if ns is None else duration(ns) for ns in found)

    return cell


def _by(records: Sequence[Record], text: str, *names: str) -> Dict[str, Sequence[Record]]:
    """Sort records into columns by parameters."""
    found: Dict[Any, List[Record]] = {}
    for record in records:
        found.setdefault(tuple(record["params"][name] for name in names), []).append(record)
    return {text.format(*values): found[values] for values in sorted(found)}


def latency(run: Recorded, what: str) -> Optional[Table]:
    """Return how long requests take at each rate; of the generator, how late it was itself."""
    titles = {"reads": "Reads of an open loop, from their intended times", "writes": "Writes of the same loop"}
    titles["late"] = "How late the requests of that loop were sent: what is in the times above"
    columns = _by(rated(run), "{:,} a second", "rate")
    return pivot(f"{titles[what]}: p50 / p99 / p99.9", columns, _shares(what))


def busy(run: Recorded) -> Optional[Table]:
    """Return the same beside a task that keeps the loop busy."""
    records = [record for record in run.measurements("open-loop") if record["params"]["slice_ms"]]
    columns: Dict[str, Sequence[Record]] = _by(records, "slices of {:g} ms", "slice_ms")
    return pivot("Writes of an open loop while a task burns slices: p50 / p99 / p99.9", columns, _shares("writes"))


def stalls(run: Recorded) -> Optional[Table]:
    """Return how long callbacks hold the loop."""
    columns = {"a callback": run.measurements("stalls")}
    cell = _shares("callbacks", ("0.5", "0.99", "0.999", "1"))
    return pivot("The loop held by one callback, 64 tasks writing: p50 / p99 / p99.9 / longest", columns, cell)


def sharing(run: Recorded, workload: str) -> Optional[Table]:
    """Return operations a second of all together, and what 99 of 100 do not exceed."""

    def cell(record: Record) -> str:
        ns = quantile(record, "operations", "0.99")
        p99 = NOTHING if ns is None else duration(ns)
        return f"{digits(1e6 / record['summary']['median'])} k/s, p99 {p99}"

    columns = _by(run.measurements(workload), f"{workload}: {{}}, {{:.0%}} reads", "tasks", "read_ratio")
    return pivot(f"Operations a second, {workload} all together", columns, cell)


def beside(run: Recorded) -> Optional[Table]:
    """Return what a hit costs while another process commits."""
    columns = _by(run.measurements("beside-commits"), "{} commits a second", "rate")
    return pivot("A hit while another process commits", columns, spread)


def memory(run: Recorded) -> Optional[Table]:
    """Return what a process grows by for an entry."""

    def cell(record: Record) -> str:
        return f"{digits(record['summary']['median'])} B"

    columns = _by(run.measurements("memory"), "an entry of {} B", "value_size")
    return pivot("Memory of the process for an entry that it wrote and read, mapped files left out", columns, cell)
