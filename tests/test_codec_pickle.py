"""storage_mode="pickle": the safe types, pickle_allow, and refusals at the call."""

from __future__ import annotations

import collections
import copyreg
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import importlib
import ipaddress
import os
import pathlib
import pickle
import pickletools
import threading
import uuid
import zoneinfo
from typing import Any, List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncdictsqlite.codec import make_codec
from asyncdictsqlite.codec.pickle_opcodes import opcodes, scan
from asyncdictsqlite.errors import (
    UnsafePickleError,
    ValueDecodingError,
    ValueEncodingError,
)
from tests.codec_values import PICKLED, SEEDED
from tests.hostile_pickles import HOSTILE, name, text

PICKLE = make_codec("pickle")
JSON = make_codec("json")
BYTES = make_codec("bytes")


@dataclasses.dataclass
class Point:
    x: int
    y: int


@dataclasses.dataclass(frozen=True)
class Frozen:
    x: int


class Colour(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    LOW = 1


class Pair(collections.namedtuple("Pair", "a b")):
    __slots__ = ()


class Tags(set):  # type: ignore[type-arg]
    pass


class Outer:
    class Inner:
        def __eq__(self, other: object) -> bool:
            return type(other) is type(self)

        __hash__ = None  # type: ignore[assignment]


class Failing:
    def __reduce__(self) -> Any:
        raise LookupError("no")


class FailingToLoad:
    def __setstate__(self, state: object) -> None:
        raise LookupError("no")

    def __getstate__(self) -> object:
        return {"a": 1}


def a_function() -> None:
    """Be named by a pickle."""


SAFE_VALUES = [
    ...,
    NotImplemented,
    1j,
    bytearray(b"abc"),
    range(1, 10**18, 3),
    slice(1, None, "a"),
    {1, (2, 3)},
    frozenset({frozenset(), 1}),
    collections.Counter("abca"),
    collections.OrderedDict(b=1, a=2),
    collections.deque([1, [2]]),
    collections.deque([1, 2], maxlen=2),
    collections.deque([collections.deque([collections.deque()])]),
    collections.defaultdict(list, a=[1]),
    collections.defaultdict(collections.Counter, a=collections.Counter("a")),
    collections.defaultdict(None, a=1),
    dt.date(2020, 2, 29),
    dt.time(1, 2, 3, 4, dt.timezone.utc),
    dt.timedelta(-1, 2, 3),
    dt.timezone.utc,
    dt.timezone(dt.timedelta(hours=1), "X"),
    dt.datetime(2020, 1, 2, 3, 4, 5, 6, dt.timezone.utc),
    decimal.Decimal("-1.50"),
    decimal.Decimal("NaN"),
    fractions.Fraction(-1, 3),
    fractions.Fraction(5),
    ipaddress.ip_address("1.2.3.4"),
    ipaddress.ip_address("::1"),
    ipaddress.ip_network("10.0.0.0/8"),
    ipaddress.ip_network("2001:db8::/32"),
    ipaddress.ip_interface("1.2.3.4/24"),
    ipaddress.ip_interface("::1/64"),
    pathlib.PurePosixPath("/a/b", "c"),
    pathlib.PureWindowsPath("c:/a"),
    pathlib.PurePosixPath(),
    uuid.UUID(int=2**127),
]


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("value", SAFE_VALUES, ids=repr)
def test_pickle_reads_the_safe_types_of_the_standard_library(value: object, protocol: int) -> None:
    if protocol == 3 and isinstance(value, (set, frozenset)):
        pytest.skip("protocol 3 has no opcode for sets")
    encoded = PICKLE.encode(value) if protocol == 5 else pickle.dumps(value, protocol)
    back = PICKLE.decode(encoded)
    assert (type(back), repr(back)) == (type(value), repr(value))


def test_pickle_reads_a_datetime_in_a_named_zone() -> None:
    try:
        zone = zoneinfo.ZoneInfo("Europe/Berlin")
    except zoneinfo.ZoneInfoNotFoundError:
        pytest.skip("no time zone data here")
    value = dt.datetime(2020, 1, 1, tzinfo=zone)
    back = PICKLE.decode(PICKLE.encode(value))
    assert (back, back.tzinfo.key) == (value, "Europe/Berlin")


def test_pickle_writes_protocol_5() -> None:
    assert PICKLE.encode([1])[:2] == b"\x80\x05"


def test_a_pickled_value_is_a_snapshot() -> None:
    value = {"a": [1]}
    data = PICKLE.encode(value)
    value["a"].append(2)
    assert PICKLE.decode(data) == {"a": [1]}
    assert PICKLE.decode(data)["a"] is not PICKLE.decode(data)["a"]


def test_pickle_keeps_sharing_and_cycles() -> None:
    value: List[Any] = [[1]]
    value += [value[0], value]
    back = PICKLE.decode(PICKLE.encode(value))
    assert back[0] is back[1]
    assert back[2] is back


def test_pickle_keeps_a_cycle_through_a_tuple_and_a_safe_container() -> None:
    queue: collections.deque[Any] = collections.deque()
    queue.append((queue, "a"))
    back = PICKLE.decode(PICKLE.encode(queue))
    assert back[0][0] is back


def test_pickle_reads_what_was_written_under_the_names_of_python_3_13() -> None:
    data = PICKLE.encode(pathlib.PurePosixPath("a")).replace(b"\x8c\x0epathlib._local", b"\x8c\x07pathlib")
    for module in ("pathlib", "pathlib._local"):
        stream = b"\x80\x05" + name(module, "PurePosixPath") + text("a") + b"\x85R."
        assert PICKLE.decode(stream) == pathlib.PurePosixPath("a")
    assert b"PurePosixPath" in data


@pytest.mark.parametrize(
    "value", [Point(1, 2), Frozen(1), Colour.RED, Level.LOW, Pair(1, 2), Tags([1, 2]), Outer.Inner(), ValueError("a")]
)
def test_pickle_allow_lets_a_class_in_by_itself_and_by_name(value: Any) -> None:
    kind = type(value)
    with pytest.raises(UnsafePickleError, match=kind.__name__):
        PICKLE.encode(value)
    for allow in (kind, f"{kind.__module__}.{kind.__qualname__}"):
        codec = make_codec("pickle", pickle_allow=[allow])
        back = codec.decode(codec.encode({"a": [value]}))["a"][0]
        assert (type(back), repr(back)) == (kind, repr(value)) or back == value
        with pytest.raises(UnsafePickleError, match="pickle_allow"):
            PICKLE.decode(codec.encode(value))


def test_an_allowed_class_may_be_a_key_a_member_a_factory_and_a_value() -> None:
    codec = make_codec("pickle", pickle_allow=[Frozen, int])
    value = [{Frozen(1): {Frozen(2)}}, Frozen, int, collections.defaultdict(Frozen)]
    assert codec.decode(codec.encode(value)) == value


def test_allowing_a_class_allows_neither_its_attributes_nor_its_module() -> None:
    codec = make_codec("pickle", pickle_allow=[Outer])
    with pytest.raises(UnsafePickleError, match=r"Outer\.Inner"):
        codec.encode(Outer.Inner())
    with pytest.raises(UnsafePickleError):
        codec.decode(b"\x80\x05" + name(__name__, "Outer.__init__.__globals__") + b".")
    with pytest.raises(UnsafePickleError):
        codec.decode(b"\x80\x05" + name(__name__, "Outer") + b"}\x8c\x01xK\x01sb.")


def test_allowing_everything_lifts_the_list() -> None:
    codec = make_codec("pickle", pickle_allow="*")
    assert codec.decode(codec.encode([len, Point(1, 2), int])) == [len, Point(1, 2), int]


def test_an_extension_code_is_refused_at_the_call_unless_everything_is_allowed() -> None:
    copyreg.add_extension(__name__, "Point", 0x70000001)
    try:
        with pytest.raises(UnsafePickleError, match="extension"):
            make_codec("pickle", pickle_allow=[Point]).encode(Point(1, 2))
        codec = make_codec("pickle", pickle_allow="*")
        assert codec.decode(codec.encode(Point(1, 2))) == Point(1, 2)
    finally:
        copyreg.remove_extension(__name__, "Point", 0x70000001)


@pytest.mark.parametrize("value", [a_function, len, Point, int, [dt.datetime], type(None), os.system, Point(1, 2)])
def test_pickle_refuses_at_the_call_a_global_that_reading_would_refuse(value: object) -> None:
    with pytest.raises(UnsafePickleError, match="pickle_allow") as caught:
        PICKLE.encode(value)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("value", [lambda: 0, (i for i in ()), Failing(), memoryview(b""), threading.Lock()], ids=repr)
def test_what_cannot_be_pickled_is_an_encoding_error_with_its_cause(value: object) -> None:
    with pytest.raises(ValueEncodingError, match="storage_mode='pickle'") as caught:
        PICKLE.encode(value)
    assert caught.value.__cause__ is not None


def test_nesting_too_deep_to_pickle_is_an_encoding_error() -> None:
    value: List[Any] = []
    for _ in range(200_000):
        value = [value]
    with pytest.raises(ValueEncodingError):
        PICKLE.encode(value)


def test_an_allowed_class_that_fails_to_load_is_a_decoding_error_with_its_cause() -> None:
    codec = make_codec("pickle", pickle_allow=[FailingToLoad])
    data = codec.encode(FailingToLoad())
    with pytest.raises(ValueDecodingError) as caught:
        codec.decode(data)
    assert isinstance(caught.value.__cause__, LookupError)


def test_a_refused_stream_stays_refused() -> None:
    for _ in range(2):
        with pytest.raises(UnsafePickleError):
            PICKLE.decode(HOSTILE["os.system"])


def test_what_the_codec_remembers_of_streams_is_bounded() -> None:
    codec: Any = make_codec("pickle")
    for number in range(3000):
        codec.decode(pickle.dumps(number))
    codec.decode(pickle.dumps("x" * 5000))
    assert len(codec._inspected) <= 1024
    assert max(map(len, codec._inspected)) <= 1024


@SEEDED
@given(PICKLED)
def test_pickle_round_trip(value: object) -> None:
    back = PICKLE.decode(PICKLE.encode(value))
    assert back == value
    assert pickle.dumps(back, 5) is not None
    assert type(back) is type(value)


@SEEDED
@given(PICKLED, st.sampled_from([3, 4, 5]))
def test_the_scan_cuts_a_stream_where_pickletools_does(value: object, protocol: int) -> None:
    data = pickle.dumps(value, protocol)
    scan(data)
    expected = [(ord(opcode.code), at) for opcode, _, at in pickletools.genops(data) if at is not None]
    ends = [0]
    found = []
    for opcode, _, end in opcodes(data):
        found.append((opcode, ends[-1]))
        ends.append(end)
    assert found == expected


def test_every_safe_global_exists() -> None:
    table = importlib.import_module("asyncdictsqlite.codec.pickle_globals").SAFE
    for full_name in table:
        module, _, attribute = full_name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute)
