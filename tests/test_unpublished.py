"""Answers that wait for the publication of the commit they have seen."""

from __future__ import annotations

from typing import List, Optional

import pytest

from asyncdictsqlite.protocol import Change, Kind
from asyncdictsqlite.pycore.unpublished import Unpublished


def held(changes: List[Change], table: str, keys: Optional[List[str]]) -> bool:
    unpublished = Unpublished()
    unpublished.begin([changes])
    return unpublished.holds_back(table, keys, lambda: None)


@pytest.mark.parametrize(
    ("change", "table", "keys", "waits"),
    [
        (Change(Kind.PUT, "main", "k", b""), "main", ["a", "k"], True),
        (Change(Kind.PUT, "main", "k", b""), "main", ["a"], False),
        (Change(Kind.PUT, "main", "k", b""), "other", ["k"], False),
        (Change(Kind.PUT, "main", "k", b""), "main", None, True),
        (Change(Kind.PUT, "main", "k", b""), "other", None, False),
        (Change(Kind.CLEAR, "main"), "main", ["a"], True),
        (Change(Kind.DROP, "main"), "other", ["a"], False),
    ],
)
def test_an_answer_waits_if_the_commit_changes_what_it_is_about(
    change: Change, table: str, keys: Optional[List[str]], waits: bool
) -> None:
    assert held([change], table, keys) is waits


def test_no_answer_waits_without_a_commit() -> None:
    assert not Unpublished().holds_back("main", ["k"], lambda: None)


def test_answers_are_given_once_at_the_end() -> None:
    unpublished, given = Unpublished(), []
    unpublished.begin([[Change(Kind.PUT, "main", "k", b"")]])
    unpublished.holds_back("main", ["k"], lambda: given.append(1))
    for answer in unpublished.end() + unpublished.end():
        answer()
    assert given == [1]
