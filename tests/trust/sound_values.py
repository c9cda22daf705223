"""Values as seeds of mutations: what every storage mode holds, and what pickle alone does."""

from __future__ import annotations

import datetime as dt
import ipaddress
import uuid
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any, List

VALUES: List[Any] = [
    None, True, 0, -1, 2**70, 1.5, "text", "ä" * 40, [], {}, [1, "two", None], {"a": {"b": [1, 2, {"c": 3}]}},
    list(range(300)), {str(number): number for number in range(40)}, [[[[[["deep"]]]]]], "x" * 5000,
]  # fmt: skip

PICKLED: List[Any] = [
    (), (1, 2, 3, 4), {1, 2}, frozenset("ab"), b"bytes", bytearray(b"bytes"), 1j, range(3), slice(1, None), ...,
    dt.date(2026, 1, 2), dt.datetime(2026, 1, 2, tzinfo=dt.timezone.utc), dt.time(3, 4), dt.timedelta(5),
    Counter("abca"), OrderedDict(a=1), defaultdict(list, a=[1]), deque([1, 2], 3), Decimal("1.50"), Fraction(1, 3),
    ipaddress.ip_address("::1"), ipaddress.ip_network("10.0.0.0/8"), uuid.UUID(int=7), PurePosixPath("a/b"),
    {(1, "a"): [frozenset([Fraction(1, 2)])], None: {"x": deque()}},
]  # fmt: skip
