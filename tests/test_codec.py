"""Storage modes: what goes in comes out, and what a mode cannot hold is refused at the call."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import json
import math
import sys
from typing import Any, List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncdictsqlite.codec import Codec, keeps, make_codec, pickle_allow_list
from asyncdictsqlite.errors import (
    ConfigError,
    ValueDecodingError,
    ValueEncodingError,
    ValueTooLargeError,
)
from tests.codec_values import JSON_VALUES, SEEDED, mutated

JSON = make_codec("json")
JSONB = make_codec("jsonb")
BYTES = make_codec("bytes")

json_and_jsonb = pytest.mark.parametrize("codec", [JSON, JSONB], ids=["json", "jsonb"])  # they hold the same values


@dataclasses.dataclass
class Point:
    x: int
    y: int


class Level(enum.IntEnum):
    LOW = 1


class Pair(collections.namedtuple("Pair", "a b")):
    __slots__ = ()


@pytest.mark.parametrize(("mode", "text"), [("pickle", False), ("json", True), ("jsonb", False), ("bytes", False)])
def test_a_codec_names_its_mode_and_whether_the_file_keeps_text(mode: str, text: bool) -> None:
    codec = make_codec(mode)
    assert (codec.storage_mode, codec.text) == (mode, text)


def test_an_unknown_mode_is_a_config_error_that_names_the_modes() -> None:
    with pytest.raises(ConfigError, match="'pickle', 'json', 'jsonb', 'bytes'"):
        make_codec("yaml")


@pytest.mark.parametrize("bad", ["os.system", "Name", ["Name"], [""], ["a..b"], ["a b.c"], [5], 5, [b"a.b"], [None]])
def test_a_bad_pickle_allow_is_a_config_error(bad: Any) -> None:
    with pytest.raises(ConfigError, match="pickle_allow"):
        pickle_allow_list(bad)


def test_a_local_class_in_pickle_allow_is_a_config_error() -> None:
    class Local:
        pass

    with pytest.raises(ConfigError, match="import"):
        pickle_allow_list([Local])


@pytest.mark.parametrize("value", [b"a", "a", 1, 1.5, True, None, (), (1, ("a", (b"b", None)))])
def test_memory_may_keep_immutable_values_in_pickle_mode(value: object) -> None:
    assert keeps("pickle", value)


@pytest.mark.parametrize(
    "value", [[], {}, (1, []), bytearray(), Level.LOW, Pair(1, 2), type("S", (str,), {})("a"), (1, Level.LOW), 1j]
)
def test_memory_keeps_no_mutable_value_and_no_subclass(value: object) -> None:
    assert not any(keeps(mode, value) for mode in ("pickle", "json", "jsonb", "bytes"))


@pytest.mark.parametrize("mode", ["json", "jsonb"])
def test_memory_keeps_no_tuple_and_no_bytes_in_json_mode(mode: str) -> None:
    assert [keeps(mode, value) for value in ((), b"", "a", 1, 1.5, None, False)] == [False] * 2 + [True] * 5


def test_memory_keeps_only_bytes_in_bytes_mode() -> None:
    assert [keeps("bytes", value) for value in (b"", "a", 1, None, bytearray())] == [True] + [False] * 4


def test_a_tuple_that_holds_itself_many_times_over_is_not_kept_and_not_walked() -> None:
    value: Any = ()
    for _ in range(100):
        value = (value, value)
    assert not keeps("pickle", value)


@pytest.mark.parametrize("value", [b"abc", bytearray(b"abc"), memoryview(b"abc"), memoryview(b"a-b-c")[::2]])
def test_bytes_mode_takes_what_is_bytes_like(value: object) -> None:
    data = BYTES.encode(value)
    assert type(data) is bytes
    assert BYTES.decode(data) == b"abc"


def test_bytes_mode_gives_the_exact_type_for_a_subclass_of_bytes() -> None:
    assert type(BYTES.encode(type("B", (bytes,), {})(b"abc"))) is bytes


@pytest.mark.parametrize("value", ["abc", 5, None, [1], (b"a",)])
def test_bytes_mode_refuses_what_is_not_bytes_like(value: object) -> None:
    with pytest.raises(ValueEncodingError, match="storage_mode='bytes'") as caught:
        BYTES.encode(value)
    assert isinstance(caught.value, TypeError)


def test_bytes_mode_refuses_a_released_memoryview() -> None:
    view = memoryview(b"abc")
    view.release()
    with pytest.raises(ValueEncodingError):
        BYTES.encode(view)


@pytest.mark.parametrize(
    ("mode", "value"),
    [
        ("bytes", b"x" * 101),
        ("bytes", memoryview(bytearray(202))[::2]),
        ("pickle", b"x" * 101),
        ("pickle", "x" * 101),
        ("pickle", ["x" * 101]),
        ("json", "x" * 101),
        ("json", ["x" * 101]),
        ("json", "\N{SNOWMAN}" * 50),
        ("json", list(range(101))),
        ("jsonb", "x" * 101),
        ("jsonb", ["x" * 101]),
        ("jsonb", "\N{SNOWMAN}" * 50),
        ("jsonb", {"a": list(range(101))}),
    ],
)
def test_a_value_above_max_value_bytes_is_refused_with_both_sizes(mode: str, value: object) -> None:
    with pytest.raises(ValueTooLargeError, match="max_value_bytes=100"):
        make_codec(mode, max_value_bytes=100).encode(value)


@pytest.mark.parametrize(
    ("mode", "value"), [("bytes", b"x" * 100), ("json", "x" * 98), ("jsonb", ["x" * 96]), ("pickle", b"x" * 85)]
)
def test_a_value_of_just_max_value_bytes_is_taken(mode: str, value: object) -> None:
    assert len(make_codec(mode, max_value_bytes=100).encode(value)) == 100


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


@json_and_jsonb
@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -1,
        1.5,
        -0.0,
        1e308,
        5e-324,
        "",
        "\0",
        "\N{SNOWMAN}\N{GRINNING FACE}\x7f\u2028",
        [],
        {},
        {"": [{}]},
    ],
)
def test_json_gives_back_exactly_what_json_can_hold(codec: Codec, value: object) -> None:
    back = codec.decode(codec.encode(value))
    assert (back, type(back), repr(back)) == (value, type(value), repr(value))


def test_json_is_compact_utf8() -> None:
    assert JSON.encode({"a": [1, "\N{SNOWMAN}"]}) == b'{"a":[1,"\xe2\x98\x83"]}'


@json_and_jsonb
def test_tuples_come_back_from_json_as_lists(codec: Codec) -> None:
    assert codec.decode(codec.encode((1, {"a": (2, ())}))) == [1, {"a": [2, []]}]


@json_and_jsonb
@pytest.mark.parametrize(
    "value",
    [
        {1: 2},
        {None: 1},
        {True: 1},
        {"a": {("b",): 1}},
        math.nan,
        [math.inf],
        {"a": -math.inf},
        {1, 2},
        b"a",
        bytearray(),
        dt.date(2020, 1, 1),
        Point(1, 2),
        Level.LOW,
        [Level.LOW],
        {"a": Pair(1, 2)},
        collections.OrderedDict(a=1),
        type("S", (str,), {})("a"),
        {type("S", (str,), {})("a"): 1},
        decimal.Decimal(1),
        object(),
        "\ud800",
        ["a\udfff"],
        {"\ud800": 1},
        10**4300,
        [-(10**4300)],
    ],
    ids=lambda value: type(value).__name__,
)
def test_json_refuses_at_the_call_what_would_come_back_different(codec: Codec, value: object) -> None:
    with pytest.raises(ValueEncodingError, match=f"storage_mode='{codec.storage_mode}'") as caught:
        codec.encode(value)
    assert isinstance(caught.value, TypeError)


@json_and_jsonb
@pytest.mark.parametrize("number", [10**4299, -(10**4300 - 1)], ids=["positive", "negative"])
def test_json_holds_integers_of_4300_digits(codec: Codec, number: int) -> None:
    assert codec.decode(codec.encode([number])) == [number]


@json_and_jsonb
@pytest.mark.parametrize("limit", [0, 640, 10_000])
def test_the_limit_of_4300_digits_does_not_follow_the_interpreter_upwards(codec: Codec, limit: int) -> None:
    if not hasattr(sys, "set_int_max_str_digits"):
        pytest.skip("this Python has no such limit")
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(limit)
    try:
        with pytest.raises(ValueEncodingError):
            codec.encode(10**4300)
        with pytest.raises(ValueDecodingError):
            codec.decode(digits(codec, b"1" * 4301))
        assert codec.decode(digits(codec, b"1" * 600)) == int("1" * 600)
        if limit != 640:
            assert codec.decode(digits(codec, b"-" + b"1" * 4300)) == codec.decode(codec.encode(-int("1" * 4300)))
    finally:
        sys.set_int_max_str_digits(before)


def digits(codec: Codec, text: bytes) -> bytes:
    return b"\xd3" + len(text).to_bytes(2, "big") + text if codec is JSONB else text


@json_and_jsonb
def test_json_holds_500_levels_of_nesting(codec: Codec) -> None:
    assert codec.decode(codec.encode(nested(500))) == nested(500)
    assert codec.decode(codec.encode([nested(499)] * 2)) == [nested(499)] * 2


@json_and_jsonb
def test_json_refuses_to_write_501_levels(codec: Codec) -> None:
    with pytest.raises(ValueEncodingError, match="500 levels"):
        codec.encode(nested(501))


def test_json_refuses_to_read_501_levels() -> None:
    with pytest.raises(ValueDecodingError, match="500 levels"):
        JSON.decode(b"[" * 501 + b"]" * 501)


def test_json_counts_no_brackets_in_strings() -> None:
    value = ["[" * 1000, '\\"[{' * 1000, nested(400)]
    assert JSON.decode(JSON.encode(value)) == value


@json_and_jsonb
def test_json_holds_500_levels_when_the_caller_is_deep_in_its_own_recursion(codec: Codec) -> None:
    def deep(levels: int) -> Any:
        return deep(levels - 1) if levels else codec.decode(codec.encode(nested(500)))

    assert deep(sys.getrecursionlimit() - 300) == nested(500)


@json_and_jsonb
def test_json_refuses_a_list_that_holds_itself(codec: Codec) -> None:
    value: List[Any] = []
    value += [value, value]
    with pytest.raises(ValueEncodingError):
        codec.encode(value)


@pytest.mark.parametrize("mode", ["json", "jsonb"])
def test_json_refuses_a_value_that_shares_its_way_to_2_to_the_100(mode: str) -> None:
    value: List[Any] = []
    for _ in range(100):
        value = [value, value]
    with pytest.raises(ValueTooLargeError):
        make_codec(mode, max_value_bytes=10_000).encode(value)


def test_of_duplicate_json_keys_the_last_wins() -> None:
    assert JSON.decode(b'{"a":1,"a":2}') == {"a": 2}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[1,]",
        b"nul",
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"1e400",
        b'{"a":-1e999}',
        b"1" * 400 + b".5",
        b"1" * 4301,
        b"[-" + b"1" * 4301 + b"]",
        b"\xff",
        b'"\xed\xa0\x80"',
        b'"\\ud800"',
        b'{"\\udfff":1}',
        b"\xef\xbb\xbf1",
        b"1 2",
        b"'a'",
        b'"\n"',
        b"\x80\x05N.",
        b'["' + b'\\"' * 1000 + b"[" * 1000,
    ],
)
def test_json_refuses_what_is_not_json(data: bytes) -> None:
    with pytest.raises(ValueDecodingError) as caught:
        JSON.decode(data)
    assert isinstance(caught.value, ValueError)


def test_json_reads_surrogate_pairs_that_others_escaped() -> None:
    assert JSON.decode(b'"\\ud83d\\ude00"') == "\N{GRINNING FACE}"


@SEEDED
@given(JSON_VALUES)
def test_json_round_trip(value: object) -> None:
    data = JSON.encode(value)
    assert JSON.decode(data) == value
    assert json.loads(data) == value
    assert JSON.encode(JSON.decode(data)) == data


@SEEDED
@given(st.binary())
def test_bytes_round_trip(value: bytes) -> None:
    assert BYTES.decode(BYTES.encode(bytearray(value))) == value


@SEEDED
@given(mutated(JSON_VALUES.map(JSON.encode)) | st.binary())
def test_damaged_json_is_a_value_that_can_be_stored_again_or_one_of_our_errors(data: bytes) -> None:
    try:
        value = JSON.decode(data)
    except ValueDecodingError:
        return
    assert JSON.decode(JSON.encode(value)) == value
