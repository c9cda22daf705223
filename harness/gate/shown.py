"""A record of the gate as tables and sentences."""

from __future__ import annotations

from typing import List

from harness.gate.noise import restarts_of
from harness.gate.statistics import LIMIT
from harness.gate.verdict import rate_of
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
    ns = {body["body"]: body["base_ns"] for restart in restarts_of(records, evaluation) for body in restart["bodies"]}
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
    """Return the conclusion, and what stood in its way; of an interrupted series how often it came to what so far."""
    concluded = [record for record in records if record["kind"] in ("verdict", "rate")]
    if concluded and concluded[-1]["kind"] == "verdict":
        return [*_reasons(records), f"verdict: {concluded[-1]['verdict']}"]
    if concluded:
        return [_often(concluded[-1])]
    closed = {record["evaluation"] for record in records if record["kind"] == "closed"}
    if closed and records[0]["evaluations"] > 1:
        last = {record["evaluation"]: record["verdict"] for record in records if record["kind"] == "evaluation"}
        return [f"so far, {_often(rate_of([last[number] for number in closed], aa=records[0]['aa']))}"]
    return []


def _often(found: Record) -> str:
    often = ", ".join(f"{count} {name}" for name, count in found["verdicts"].items() if count)
    share = f"{found['found'] / found['of']:.1%} ({found['low']:.1%}..{found['high']:.1%}, Clopper-Pearson 95 %)"
    return f"{found['question']}: {found['found']} of {found['of']}, {share}; {often}"


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
