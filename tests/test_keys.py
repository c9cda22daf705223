"""Keys and their ranges."""

from __future__ import annotations

import pytest

from asyncdictsqlite import KeyEncodingError, KeyTooLongError
from asyncdictsqlite.keys import MAX_KEY_BYTES, bounds, check_key, successor


class Name(str):
    """A str of one's own."""

    __slots__ = ()

    def __str__(self) -> str:
        return "something else"


def test_a_subclass_of_str_becomes_its_exact_str() -> None:
    assert type(check_key(Name("a"))) is str
    assert check_key(Name("a")) == "a"


@pytest.mark.parametrize("key", [1, None, b"a", 1.0, ("a",)])
def test_what_is_no_str_is_a_type_error(key: object) -> None:
    with pytest.raises(TypeError, match="key must be str"):
        check_key(key)


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(KeyEncodingError):
        check_key("a\ud800")


def test_the_limit_counts_bytes_of_utf8() -> None:
    assert check_key("é" * (MAX_KEY_BYTES // 2))
    with pytest.raises(KeyTooLongError):
        check_key("é" * (MAX_KEY_BYTES // 2) + "a")


@pytest.mark.parametrize(
    ("prefix", "after"),
    [("a", "b"), ("az", "a{"), ("a\U0010ffff", "b"), ("\U0010ffff", None), ("", None), ("\ud7ff", "\ue000")],
)
def test_the_successor_of_a_prefix_is_the_first_text_after_all_that_begin_with_it(prefix: str, after: str) -> None:
    assert successor(prefix) == after


def test_a_prefix_narrows_start_and_end() -> None:
    assert bounds("b", "a", "z") == ("b", "c")
    assert bounds("b", "bb", "bc") == ("bb", "bc")
    assert bounds(None, None, None) == ("", None)
