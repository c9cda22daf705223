"""The check of histories sees what is no register, and agrees with trying every order."""

from __future__ import annotations

import itertools
import random
from typing import List, Sequence

import pytest

from tests.trust.history import Call, violations


def write(value: str, start: float, end: float) -> Call:
    return Call("k", True, value, start, end)


def read(value: str | None, start: float, end: float) -> Call:
    return Call("k", False, value, start, end)


@pytest.mark.parametrize(
    "calls",
    [
        [write("a", 0, 1), read(None, 2, 3)],
        [write("a", 0, 1), write("b", 2, 3), read("a", 4, 5)],
        [write("a", 0, 9), read("a", 1, 2), read(None, 3, 4)],
        [write("a", 0, 9), write("b", 0, 9), read("a", 1, 2), read("b", 3, 4), read("a", 5, 6)],
        [read("a", 0, 1), write("a", 2, 3)],
        [read("x", 0, 1)],
    ],
    ids=["lost", "stale", "back to nothing", "back and forth", "before it was written", "from nowhere"],
)
def test_what_is_no_register_is_found(calls: List[Call]) -> None:
    assert list(violations(calls))


def test_it_agrees_with_trying_every_order() -> None:
    drawn, verdicts = random.Random(9), []
    for _ in range(1500):
        calls = _some(drawn)
        verdicts.append(not list(violations(calls)))
        assert verdicts[-1] == any(map(_is_register, itertools.permutations(calls))), calls
    assert 100 < sum(verdicts) < 1400


def _some(drawn: random.Random) -> List[Call]:
    times = drawn.sample(range(100), 10)
    spans = [sorted(times[at : at + 2]) for at in range(0, 10, 2)]
    writes = [write(name, *span) for name, span in zip("ab", spans)]
    return writes + [read(drawn.choice(["a", "b", None]), *span) for span in spans[2:]]


def _is_register(order: Sequence[Call]) -> bool:
    now = None
    for at, call in enumerate(order):
        if any(later.end < call.start for later in order[at + 1 :]):
            return False
        if not call.writes and call.value != now:
            return False
        now = call.value
    return True
