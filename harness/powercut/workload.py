"""What the child does, fixed by a seed; a crash state must be what the first of its calls leave, however many."""

from __future__ import annotations

import random
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

VERSION = 1
KEYS = 150
PAUSE_S = 1.5
SIZES = (20, 200, 1500, 6000)  # bytes of a value: inside of a page, up to several overflow pages


class Call(NamedTuple):
    """One call.

    Attributes:
        kind: "set", "batch_set", "delete"; "flush", "reopen", or "pause": long enough for a flush to start by itself.
        items: what it leaves; None for a key that it deletes.
    """

    kind: str
    items: Dict[str, Optional[bytes]]


class Plan(NamedTuple):
    """Calls in order, and how many are made at once each time."""

    calls: List[Call]
    chunks: List[int]

    def numbered(self) -> List[List[Tuple[int, Call]]]:
        """Return the calls with their numbers, those that are made at once together."""
        numbered, start = [], 0
        for size in self.chunks:
            numbered.append(list(enumerate(self.calls[start : start + size], start)))
            start += size
        return numbered


def plan(seed: int, count: int, kinds: Sequence[str], most_at_once: int) -> Plan:
    """Return a plan of `count` calls or a few more.

    Calls that are no writes are made alone, and so is a deletion: in lazy mode one of a key that is not in memory is
    passed by later calls on other keys.
    """
    chance = random.Random(seed)
    calls: List[Call] = []
    chunks: List[int] = []
    once = {kind: at for kind, at in (("reopen", count // 4), ("pause", count * 3 // 4)) if kind in kinds}
    while once or len(calls) < count:
        due = [kind for kind, at in once.items() if at <= len(calls)]
        if due:
            del once[due[0]]
            calls.append(_write(chance, len(calls)))  # there is something to flush
            chunks.append(1)
        drawn = [Call(due[0], {})] if due else _chunk(chance, len(calls), kinds, most_at_once)
        calls += drawn
        chunks.append(len(drawn))
    return Plan(calls, chunks)


def _chunk(chance: random.Random, number: int, kinds: Sequence[str], most_at_once: int) -> List[Call]:
    dice = chance.random()
    if "flush" in kinds and dice < 0.08:
        return [Call("flush", {})]
    if "delete" in kinds and dice < 0.2:
        return [Call("delete", {_key(chance): None})]
    size = min(most_at_once, chance.choice((1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 8, 16, 64)))
    return [_write(chance, at) for at in range(number, number + size)]


def _write(chance: random.Random, number: int) -> Call:
    if chance.random() < 0.3:
        keys = sorted({_key(chance) for _ in range(chance.choice((2, 5, 12, 40)))})
        return Call("batch_set", {key: _value(chance, number, key) for key in keys})
    key = _key(chance)
    return Call("set", {key: _value(chance, number, key)})


def _key(chance: random.Random) -> str:
    return f"key-{chance.randrange(KEYS):04d}"


def _value(chance: random.Random, number: int, key: str) -> bytes:
    """Return a value that no other call writes, and no other key has."""
    return f"{number}:{key}:".encode() + chance.randbytes(chance.choice(SIZES))
