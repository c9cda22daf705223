"""The ledger: which calls were made, what became of them, and what a key may therefore hold."""

from __future__ import annotations

from typing import Dict, Iterator, List, Mapping, Optional, Set

Value = Optional[bytes]

ISSUED = "issued"  # the outcome is unknown
ACKNOWLEDGED = "acknowledged"
DURABLE = "durable"
REFUSED = "refused"  # surely not applied


class Ledger:
    """Calls in the order in which they were made; each sets keys to values of its own, or deletes them (None)."""

    def __init__(self) -> None:
        self.calls: List[Mapping[str, Value]] = []
        self.states: List[str] = []

    def issue(self, items: Mapping[str, Value]) -> int:
        """Note a call; return its number."""
        self.calls.append(items)
        self.states.append(ISSUED)
        return len(self.calls) - 1

    def promote(self, old: str, new: str, before: Optional[int] = None) -> None:
        """Take all calls (before one) that are in one state to another."""
        self.states[:before] = [new if state == old else state for state in self.states[:before]]

    def allowed(self, key: str, *, durably: bool) -> Set[Value]:
        """Return what a key may hold: now, or (`durably`) in the file after the process has gone."""
        sure = (DURABLE,) if durably else (DURABLE, ACKNOWLEDGED)
        allowed: Set[Value] = {None}
        for items, state in zip(self.calls, self.states):
            if key in items and state != REFUSED:
                allowed = {items[key]} if state in sure else allowed | {items[key]}
        return allowed

    def keys(self) -> Set[str]:
        """Return every key that was named."""
        return {key for items in self.calls for key in items}

    def wrong(self, rows: Mapping[str, Value], *, durably: bool) -> Iterator[str]:
        """Say which keys hold what they must not."""
        for key in sorted(self.keys() | set(rows)):
            allowed = self.allowed(key, durably=durably)
            if rows.get(key) not in allowed:
                yield f"{key} holds {_short(rows.get(key))}, not one of {sorted(map(_short, allowed))}"

    def acknowledged(self) -> int:
        """Count the calls that were acknowledged."""
        return sum(state in (ACKNOWLEDGED, DURABLE) for state in self.states)


def torn(rows: Mapping[str, Value], batch: List[str]) -> bool:
    """Tell whether a batch whose keys are only written together is there in part."""
    return len({rows.get(key) for key in batch}) > 1


def _short(value: Value) -> str:
    return "nothing" if value is None else repr(value[:8])


def rows_of(found: Mapping[str, Optional[str]]) -> Dict[str, Value]:
    """Return rows as they came through JSON."""
    return {key: None if value is None else value.encode() for key, value in found.items()}
