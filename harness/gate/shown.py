"""A record of the gate as tables and sentences."""

from __future__ import annotations

from typing import List

from harness.gate.statistics import LIMIT
from harness.measure.records import Record
from harness.report.table import Table, duration


def tables(records: List[Record]) -> List[Table]:
    """Return the counters that differ, and the times of the last evaluation."""
    last = max((record["evaluation"] for record in records if record["kind"] == "evaluation"), default=None)
    if last is None:
        return []
    shown = []
    counters = [record for record in records if record["kind"] == "counter"]
    differing = [record for record in counters if record["base"] != record["head"]]
    if differing:
        rows = [[found["body"], found["counter"], *_sides(found), found["verdict"]] for found in differing]
        title = f"Counters that differ, {len(differing)} of {len(counters)}"
        shown.append(Table(title, ["body", "counter", "BASE", "HEAD", "ratio", "verdict"], [("", rows)]))
    found = [record for record in records if record["kind"] == "evaluation" and record["evaluation"] == last][-1]
    if found["control"]:
        shown.append(_times(records, found))
    return shown


def _sides(counter: Record) -> List[str]:
    base, head = min(counter["base"]), min(counter["head"])
    return [f"{base:,.6g}", f"{head:,.6g}", f"{head / base:.4f}" if base else "-"]


def _times(records: List[Record], evaluation: Record) -> Table:
    place = (evaluation["evaluation"], evaluation["attempt"])
    restarts = [
        found for found in records if found["kind"] == "restart" and (found["evaluation"], found["attempt"]) == place
    ]
    ns = {body["body"]: body["base_ns"] for restart in restarts for body in restart["bodies"]}
    rows = [
        [
            found["body"],
            duration(ns[found["body"]]),
            f"{found['ratio']:.4f}",
            f"{found['lower']:.3f}..{found['upper']:.3f}",
            f"{found['detectable']:.3f}",
            found["verdict"],
        ]
        for found in (*evaluation["bodies"], evaluation["control"])
    ]
    headings = ["body", "BASE", "HEAD / BASE", "bounds", "would find", "verdict"]
    return Table("Paired time, bounds for all bodies together", headings, [("", rows)], names=1)


def summary(records: List[Record]) -> List[str]:
    """Return the conclusion, and what stood in its way."""
    last = records[-2] if records and records[-1]["kind"] == "end" else {}
    if last.get("kind") == "verdict":
        return [*_reasons(records), f"verdict: {last['verdict']}"]
    if last.get("kind") == "rate":
        often = ", ".join(f"{count} {name}" for name, count in last["verdicts"].items() if count)
        share = f"{last['found'] / last['of']:.1%} ({last['low']:.1%}..{last['high']:.1%}, Clopper-Pearson 95 %)"
        return [f"{last['question']}: {last['found']} of {last['of']}, {share}; {often}"]
    return []


def _reasons(records: List[Record]) -> List[str]:
    evaluation = [record for record in records if record["kind"] == "evaluation"][-1]
    wrong = [record for record in records if record["kind"] == "counter" and record["verdict"] != "PASS"]
    lines = [f"{record['body']}: {record['counter']} {record['verdict']}" for record in wrong]
    control = evaluation["control"]
    if control and control["verdict"] != "PASS":
        bounds = f"{control['lower']:.3f}..{control['upper']:.3f}"
        lines.append(f"control: {bounds} does not hold 1.00 within 2 %, measured {evaluation['attempt'] + 1} times")
    for body in evaluation["bodies"]:
        if body["verdict"] == "FAIL":
            lines.append(f"{body['body']}: at least {body['lower'] - 1:.1%} slower")
        elif body["verdict"] == "INCONCLUSIVE":
            more = f"more than {LIMIT - 1:.0%} is not ruled out"
            lines.append(f"{body['body']}: up to {body['upper'] - 1:.1%} slower, {more}")
    return lines
