"""The tables of a sweep and of the stage suite."""

from __future__ import annotations

import math
from typing import Any, Dict, List, Optional, Sequence

from harness.measure.records import Record
from harness.report import waiting
from harness.report.recorded import CLASSES, Recorded
from harness.report.table import NOTHING, Rows, Table, count, digits, pivot, spread, time

SYNCED = CLASSES[0]


def sweep_tables(run: Recorded) -> List[Table]:
    """Return the tables of all that a sweep measured."""
    found = [
        ladder(run, "rust"),
        ladder(run, "threads"),
        writers(run),
        batches(run),
        cached_batches(run),
        micro(run),
        corpus(run),
        cold(run),
        mixed(run),
        iteration(run),
        opening(run),
    ]
    return [table for table in (*found, *waiting.tables(run), promises(run)) if table is not None]


def overview(run: Recorded) -> Optional[Table]:
    """Return README's table: one row for each contender in its configuration."""
    columns: Dict[str, Sequence[Record]] = {
        "hit": run.measurements("hits", value_size=64),
        "write, 1 task": run.measurements("sets", value_size=64),
        "write, 64 tasks": run.outside_ladder("writers", value_size=64, tasks=64),
        "write, 512 tasks": run.outside_ladder("writers", value_size=64, tasks=512),
        "batch of 1000, a row": run.measurements("rows-batch", batch=1000),
    }
    table = pivot("Stores, by what an acknowledged write survives", columns, time)
    return None if table is None else _with_promises(table, run)


def _with_promises(table: Table, run: Recorded) -> Table:
    seen = {(record["contender"], record["configuration"]): record for record in run.kind("promise")}
    sections = []
    for name, rows in table.sections:
        sections.append((name, [[*row, *_seen(seen.get((row[0], row[1])))] for row in rows]))
    return Table(table.title, [*table.headings, "syncs per write", "left after SIGKILL"], sections)


def _seen(promise: Optional[Record]) -> List[str]:
    if promise is None:
        return [NOTHING, NOTHING]
    return [count(promise["syncs_per_write"]), f"{promise['left']} of {promise['written']}"]


def ladder(run: Recorded, ours: str) -> Optional[Table]:
    """Return the steps of write-through buffering up to a backend's, each beside the one before."""
    steps = ladder_steps(run, ours)
    if len(steps) < 3:
        return None
    first, last = _median(steps[0]), _median(steps[-1])
    rows: Rows = []
    for before, step in zip([steps[0], *steps], steps):
        times, share = _median(before) / _median(step), 0.0
        if first != last:
            share = math.log(times) / math.log(first / last)
        gain = ["", ""] if step is before else [f"{digits(times)}x", f"{share:.0%}"]
        rows.append([ladder_label(step), spread(step), *gain, count(step["counters"].get("syncs"))])
    title = f"Write-through buffering, {ours}: {digits(first / last)}x from first to last step, every step durable"
    headings = ["step", "a write", "cheaper than before", "share of the whole", "syncs per write"]
    return Table(title, headings, [(SYNCED, rows)], 1)


def ladder_steps(run: Recorded, ours: str) -> List[Record]:
    """Return the durable steps: sqlite3's two, then the backend's by ``buffer_size``."""
    return [record for record in run.ladder() if record["contender"] in ("sqlite3", ours)]


def ladder_label(record: Record) -> str:
    """Name a step by what it adds."""
    if record["contender"] == "sqlite3":
        return {"default-journal": "sqlite3, default journal", "wal-full": "sqlite3, WAL"}[record["configuration"]]
    size = record["options"].get("buffer_size", 1)
    return f"{record['contender']}, {'one write' if size == 1 else f'at most {size} writes'} per commit"


def _median(record: Record) -> float:
    return float(record["summary"]["median"])


def _by(records: Sequence[Record], name: str, text: str) -> Dict[str, Sequence[Record]]:
    """Sort records into columns by a parameter."""
    found: Dict[Any, List[Record]] = {}
    for record in records:
        found.setdefault(record["params"][name], []).append(record)
    return {text.format(value): found[value] for value in sorted(found)}


def writers(run: Recorded) -> Optional[Table]:
    """Return what a write costs against the number of tasks."""
    columns = _by(run.outside_ladder("writers", value_size=64), "tasks", "tasks: {}")
    columns["tasks: 64, 1 KiB"] = run.outside_ladder("writers", value_size=1024, tasks=64)
    return pivot("One write, when many tasks write at once (64 B values)", columns)


def batches(run: Recorded) -> Optional[Table]:
    """Return what a new row costs against the size of the batch."""
    single, batch = run.measurements("rows-single"), run.measurements("rows-batch")
    columns = {"one call each": single, **_by(batch, "batch", "of {}")}
    return pivot("One new row (64 B), by single calls and by batches", columns)


def cached_batches(run: Recorded) -> Optional[Table]:
    """Return what a cached key costs against the size of the batch."""
    return pivot("One cached key, read by batches", _by(run.measurements("reads-batch"), "batch", "of {}"))


def micro(run: Recorded) -> Optional[Table]:
    """Return what one operation at a time costs."""
    columns = {
        **_by(run.measurements("hits"), "value_size", "hit, {} B"),
        **_by(run.measurements("sets"), "value_size", "write, {} B"),
    }
    return pivot("One operation at a time", columns)


def corpus(run: Recorded) -> Optional[Table]:
    """Return what a file of the standard library costs."""
    written, reads = run.measurements("files-written"), run.measurements("files-read")
    facts = next((record["facts"] for record in (*written, *reads)), None)
    if facts is None:
        return None
    title = f"Sources of the standard library: {facts['entries']} files, {facts['entry_bytes'] / 2**20:.1f} MiB"
    return pivot(title, {"written, 64 tasks": written, "hit": reads})


def cold(run: Recorded) -> Optional[Table]:
    """Return what a key costs that is not in memory."""
    columns: Dict[str, Sequence[Record]] = {
        "one at a time": run.measurements("cold-reads"),
        "100 gathered": run.measurements("cold-gathers"),
        **_by(run.measurements("cold-batches"), "batch", "batches of {}, 64 B values"),
    }
    return pivot("One cold read: the file is larger than the store's cache, and in the system's", columns)


def mixed(run: Recorded) -> Optional[Table]:
    """Return what an operation of YCSB's mixes costs."""
    columns = {
        "A, half updates": run.measurements("ycsb-a"),
        "B, few updates": run.measurements("ycsb-b"),
        "C, reads only": run.measurements("ycsb-c"),
        "D, newest read": run.measurements("ycsb-d"),
        "E, short scans": run.measurements("ycsb-e"),
        "F, read and written": run.measurements("ycsb-f"),
    }
    return pivot("One operation of YCSB, scrambled zipfian keys, 1 KiB values, 16 tasks", columns)


def iteration(run: Recorded) -> Optional[Table]:
    """Return how many rows a second an iteration gives."""
    found = {"rows a second": run.measurements("iteration")}
    return pivot("Iteration over 100,000 rows of 64 B", found, _rate)


def _rate(record: Record) -> str:
    return f"{digits(1e9 / record['summary']['median'] / 1000)} k"


def opening(run: Recorded) -> Optional[Table]:
    """Return what it costs to open a file."""
    return pivot("Open, read one key, close", _by(run.measurements("opening"), "keys", "{} rows"))


def blocks(run: Recorded) -> Table:
    """Return what pytest-benchmark measured: fixed blocks of our own backends."""
    found = run.kind("measurement")
    backends = list(dict.fromkeys(record["contender"] for record in found))
    rows = {record["workload"]: [record["workload"], *[NOTHING] * len(backends)] for record in found}
    for record in found:
        rows[record["workload"]][1 + backends.index(record["contender"])] = spread(record)
    return Table("Fixed blocks, by pytest-benchmark", ["workload", *backends], [(SYNCED, list(rows.values()))], 1)


def promises(run: Recorded) -> Optional[Table]:
    """Return what was seen of each durability class."""
    sections = []
    for name in CLASSES:
        found = [record for record in run.kind("promise") if record["durability"] == name]
        rows = [
            [record["contender"], record["configuration"], *_seen(record), "yes" if record["held"] else "NO"]
            for record in found
        ]
        if rows:
            sections.append((name, rows))
    headings = ["store", "configuration", "syncs per write", "left after SIGKILL", "as declared"]
    return Table("Promises, seen: writes one at a time, then SIGKILL", headings, sections) if sections else None


def stage(run: Recorded) -> Table:
    """Return the goals of the stage suite."""
    rows = []
    for record in run.kind("verdict"):
        found = record["summary"]
        ratio = f"{digits(found['median'])}x ({digits(found['q1'])}..{digits(found['q3'])})"
        sides = [time({"summary": record[side]["summary"]}) for side in ("over", "under")]
        rows.append([record["sentence"], *sides, ratio, record["wanted"], "yes" if record["held"] else "NO"])
    headings = ["goal", "this", "against", "ratio (quartiles)", "wanted", "holds"]
    return Table("Stage: ratios, median of interleaved rounds", headings, [("", rows)], 1)
