"""Seeded keys and values: the same parameters draw the same stream on every machine."""

from __future__ import annotations

import random
from typing import List

from harness.workloads.workload import Items, Params

DIFFERENT_VALUES = 64


def draw(params: Params, purpose: str) -> random.Random:
    """Return the random numbers of one purpose: purposes do not disturb each other."""
    return random.Random(f"{params.seed}/{purpose}")


def key(number: int) -> str:
    """Name the key of that number; the order of the names is the order of the numbers."""
    return f"key{number:09d}"


def values(params: Params, purpose: str) -> List[bytes]:
    """Draw values that do not compress, of ``value_size`` bytes."""
    source = draw(params, f"{purpose} values")
    return [source.randbytes(params.value_size) for _ in range(DIFFERENT_VALUES)]


def changes(keys: List[str], values: List[bytes]) -> Items:
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
