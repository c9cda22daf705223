"""Seeded keys and values: the same parameters draw the same stream on every machine."""

from __future__ import annotations

import json
import random
import string
from typing import Any, Callable, Dict, List

from harness.workloads.workload import Items, Params

DIFFERENT_VALUES = 64


def draw(params: Params, purpose: str) -> random.Random:
    """Return the random numbers of one purpose: purposes do not disturb each other."""
    return random.Random(f"{params.seed}/{purpose}")


def key(number: int) -> str:
    """Name the key of that number; the order of the names is the order of the numbers."""
    return f"key{number:09d}"


def values(params: Params, purpose: str) -> List[Any]:
    """Draw values of ``value_size`` bytes (of a dict: of its JSON, as far as that can be so short)."""
    source = draw(params, f"{purpose} values")
    return [KINDS[params.value_kind](source, params.value_size) for _ in range(DIFFERENT_VALUES)]


def _bytes(source: random.Random, size: int) -> bytes:
    """Draw bytes that do not compress."""
    return source.randbytes(size)


def _text(source: random.Random, size: int) -> str:
    return "".join(source.choices(string.ascii_letters + " ", k=size))


def _dict(source: random.Random, size: int) -> Dict[str, Any]:
    """Draw a record of six fields; its text fills it up."""
    record = {"id": source.randrange(10**6), "name": _text(source, 8), "score": round(source.random(), 6)}
    record.update(active=source.random() < 0.5, tags=[_text(source, 4), _text(source, 4)], text="")
    return {**record, "text": _text(source, max(0, size - len(json.dumps(record))))}


KINDS: Dict[str, Callable[[random.Random, int], Any]] = {"bytes": _bytes, "dict": _dict, "text": _text}


def changes(keys: List[str], values: List[Any]) -> Items:
    """Return two writes of each key, of different values: SQLite does not write a row that is the same already."""
    writes = [(key, values[number % len(values)]) for number, key in enumerate(keys)]
    return writes + [(key, values[(number + 1) % len(values)]) for number, key in enumerate(keys)]


def entries(params: Params) -> Items:
    """Return what the store holds first: ``keys`` entries in key order."""
    stored = values(params, "entries")
    return [(key(number), stored[number % len(stored)]) for number in range(params.keys)]


def no_entries(params: Params) -> Items:
    """Begin with an empty store."""
    return []


def keys_in_random_order(params: Params, purpose: str) -> List[str]:
    """Return every key once, in random order: equal to those in the store, not the same objects."""
    order = [key(number) for number in range(params.keys)]
    draw(params, purpose).shuffle(order)
    return order
