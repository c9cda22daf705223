"""Histories of calls on keys, and the check that they are those of registers: that each key is linearizable.

Every value is written once. A key's history is then linearizable if, and only if, each value is read after its writing
was called, and the zones of the values allow an order (Gibbons and Korach, "Testing Shared Memories", 1997, section 4).
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional

Value = Optional[str]  # None: the key is not there, as before the first write


class Call(NamedTuple):
    """A read or a write of one key, from the call to its acknowledgement.

    A write that was not acknowledged is not sure to have happened; it ends when it no longer can: never (infinity), or
    when its process is gone.
    """

    key: str
    writes: bool
    value: Value
    start: float
    end: float
    sure: bool = True


class Zone(NamedTuple):
    """A value must be there from `low` to `high` (forward); or once at least, at some moment between them."""

    forward: bool
    low: float
    high: float
    value: Value


def violations(calls: Iterable[Call]) -> Iterator[str]:
    """Say which keys are no registers, and why."""
    by_key: Dict[str, List[Call]] = defaultdict(list)
    for call in calls:
        by_key[call.key].append(call)
    for key in sorted(by_key):
        yield from (f"{key}: {what}" for what in _of_one_key(by_key[key]))


def _of_one_key(calls: List[Call]) -> Iterator[str]:
    reads: Dict[Value, List[Call]] = {}
    writes: Dict[Value, Call] = {None: Call("", True, None, -math.inf, -math.inf)}
    for call in calls:
        if call.writes:
            assert call.value not in writes, f"{call.value} is written twice"
            writes[call.value] = call
        else:
            reads.setdefault(call.value, []).append(call)
    for value, found in reads.items():
        if value not in writes:
            yield f"{value} was read and never written"
        elif min(read.end for read in found) < writes[value].start:
            yield f"{value} was read before it was written"
    happened = {value: write for value, write in writes.items() if write.sure or value in reads}
    zones = [_zone(value, [write, *reads.get(value, [])]) for value, write in happened.items()]
    yield from _conflicts([zone for zone in zones if zone.low < zone.high])


def _zone(value: Value, calls: List[Call]) -> Zone:
    first_end, last_start = min(call.end for call in calls), max(call.start for call in calls)
    return Zone(first_end < last_start, min(first_end, last_start), max(first_end, last_start), value)


def _conflicts(zones: List[Zone]) -> Iterator[str]:
    """Two forward zones may not overlap, and none may hold a backward zone."""
    last: Optional[Zone] = None
    for zone in sorted(zones, key=lambda zone: (zone.low, zone.high)):
        if zone.forward and last is not None and zone.low < last.high:
            yield f"{last.value} was seen again after {zone.value}"
        if not zone.forward and last is not None and zone.high < last.high:
            yield f"{last.value} was seen again after {zone.value} had replaced it"
        if zone.forward and (last is None or zone.high > last.high):
            last = zone
