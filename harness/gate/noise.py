"""How restless the machine was while it was timed: beside every answer, so that nobody has to guess."""

from __future__ import annotations

import statistics
from typing import List, Sequence

import numpy as np

from harness.gate.bodies import CONTROL
from harness.measure.records import Record


def restarts_of(records: List[Record], evaluation: Record) -> List[Record]:
    """Return the restarts that an evaluation was made of."""
    number, attempt = evaluation["evaluation"], evaluation["attempt"]
    restarts = (record for record in records if record["kind"] == "restart")
    return [found for found in restarts if (found["evaluation"], found["attempt"]) == (number, attempt)]


def noise(records: List[Record]) -> List[str]:
    """Say what the control varied by in the last evaluation, and how busy the machine was."""
    evaluations = [record for record in records if record["kind"] == "evaluation"]
    if not evaluations:
        return []
    last = evaluations[-1]
    said = [_control(records, last)] if last["control"] else []
    return [*said, _machine(records[0], last)]


def _control(records: List[Record], evaluation: Record) -> str:
    control, restarts = evaluation["control"], restarts_of(records, evaluation)
    bodies = (body for restart in restarts for body in restart["bodies"])
    samples = [body["samples"] for body in bodies if body["body"] == CONTROL.name]
    between = _middle_half([statistics.median(found) for found in samples])
    within = statistics.median(map(_middle_half, samples))
    bounds = f"{control['ratio']:.4f} ({control['lower']:.3f}..{control['upper']:.3f})"
    halves = f"the middle half of its restarts is {between:.2%} wide, of the samples of one {within:.2%}"
    return f"noise: the control, the same code on both sides, came to {bounds}; {halves}"


def _machine(begin: Record, evaluation: Record) -> str:
    before, after = begin["load"], evaluation["load"]
    load = f"load {before['load1']:g} before, {after['load1']:g} after, on {begin['host']['cores']} cores"
    stolen = f"{after['steal_s'] - before['steal_s']:.1f} s stolen"
    return f"machine: {load}; {stolen}; one sync of its disk took {begin['sync_us']:g} µs"


def _middle_half(logarithms: Sequence[float]) -> float:
    low, high = np.quantile(logarithms, [0.25, 0.75])
    return float(np.exp(high - low) - 1)
