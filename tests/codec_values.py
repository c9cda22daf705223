"""Hypothesis strategies for what the storage modes hold, whole and damaged."""

from __future__ import annotations

import collections
import datetime as dt
import pathlib
from typing import List, Tuple

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

SEEDED = settings(
    derandomize=True, deadline=None, max_examples=80, suppress_health_check=list(HealthCheck), database=None
)

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
HASHABLE = st.recursive(
    SCALARS
    | st.dates()
    | st.times()
    | st.datetimes(timezones=st.sampled_from([dt.timezone.utc]) | st.none())
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.uuids()
    | st.ip_addresses()
    | st.complex_numbers(allow_nan=False)
    | st.text("ab/.").map(pathlib.PurePosixPath)
    | st.builds(range, st.integers(), st.integers()),
    lambda inner: st.lists(inner, max_size=4).map(tuple) | st.frozensets(inner, max_size=4),
    max_leaves=8,
)
PICKLED = st.recursive(
    HASHABLE | st.binary().map(bytearray),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(HASHABLE, inner, max_size=5)
        | st.dictionaries(HASHABLE, inner, max_size=5).map(collections.OrderedDict)
        | st.lists(inner, max_size=5).map(lambda items: collections.defaultdict(list, enumerate(items)))
        | st.lists(inner, max_size=5).map(collections.deque)
        | st.lists(inner, max_size=3).map(lambda items: [items, tuple(items), items])
        | st.sets(HASHABLE, max_size=5)
    ),
    max_leaves=15,
)
JSON_TEXT = st.text(st.characters(blacklist_categories=["Cs"]))
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | JSON_TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(JSON_TEXT, inner),
    max_leaves=20,
)


def mutated(strategy: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    edits = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255), st.integers(0, 3)), max_size=4)

    def mutate(data: bytes, changes: List[Tuple[int, int, int]]) -> bytes:
        for place, byte, cut in changes:
            at = place % (len(data) + 1)
            data = data[:at] + bytes([byte]) + data[at + cut :]
        return data

    return st.builds(mutate, strategy, edits)
