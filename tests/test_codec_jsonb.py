"""storage_mode="jsonb": the very bytes of SQLite's own jsonb(), and whatever SQLite writes can be read.

SQLite's side is the one built into the Rust extension; stock SQLite before 3.45 has no JSONB.
"""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator, List, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncdictsqlite import AsyncDictSQLite
from asyncdictsqlite.codec import jsonb_mode, make_codec
from asyncdictsqlite.errors import ValueDecodingError, ValueTooLargeError
from tests.codec_values import JSON_VALUES, SEEDED, mutated
from tests.json_documents import documents

_rust: Any = pytest.importorskip("asyncdictsqlite._rust")

JSON = make_codec("json")
JSONB = make_codec("jsonb")


def ask(sql: str, *parameters: Union[str, bytes]) -> List[Any]:
    answers: List[Any] = _rust.ask_sqlite(":memory:", sql, list(parameters))
    return answers


# Writing


def test_10000_seeded_documents_are_written_byte_for_byte_as_sqlite_writes_them() -> None:
    count = 0
    for number in range(10):
        values = list(documents(1000, seed=number))
        texts = [JSON.encode(value).decode() for value in values]
        assert [JSONB.encode(value) for value in values] == ask("SELECT jsonb(?)", *texts)
        count += len(values)
    assert count == 10_000


def test_seeded_documents_come_back_as_from_json_and_as_json_in_sqlite() -> None:
    values = list(documents(1000, seed=100))
    encoded = [JSONB.encode(value) for value in values]
    assert list(map(repr, map(JSONB.decode, encoded))) == list(map(repr, values))
    assert ask("SELECT json(?)", *encoded) == [JSON.encode(value).decode() for value in values]


def test_the_seeded_documents_reach_every_kind_and_every_size_of_header() -> None:
    firsts = {first for value in documents(3000) for first in first_bytes(JSONB.encode(value))}
    assert {first & 15 for first in firsts} == {0, 1, 2, 3, 5, 7, 8, 11, 12}
    for kind in (7, 8, 11, 12):
        assert {first >> 4 for first in firsts if first & 15 == kind} >= {12, 13, 14}


def first_bytes(data: bytes) -> Iterator[int]:
    """Yield the first byte of each element, outer ones before inner ones."""
    at = 0
    while at < len(data):
        first, size, at = data[at], data[at] >> 4, at + 1
        if size > 11:
            width = 1 << size - 12
            size, at = int.from_bytes(data[at : at + width], "big"), at + width
        yield first
        at += 0 if first & 15 > 10 else size


@SEEDED
@given(JSON_VALUES)
def test_any_json_value_is_written_as_sqlite_writes_it(value: object) -> None:
    assert [JSONB.encode(value)] == ask("SELECT jsonb(?)", JSON.encode(value).decode())


def test_a_size_of_4_gib_would_take_the_header_of_nine_bytes() -> None:
    assert jsonb_mode._header(11, 2**32) == b"\xfb\x00\x00\x00\x01\x00\x00\x00\x00"


def test_a_list_of_one_large_string_many_times_is_refused_before_it_is_built() -> None:
    with pytest.raises(ValueTooLargeError, match="max_value_bytes=1000000"):
        make_codec("jsonb", max_value_bytes=10**6).encode([["x" * 10**6] * 10**6])


# Reading what others wrote


@pytest.mark.parametrize(
    ("json5", "value"),
    [
        ("[0x1F, -0xff, +0X10, 0x00]", [31, -255, 16, 0]),
        ("[.5, 5., -.5, +1, 5.e3, -5.E-3, -0]", [0.5, 5.0, -0.5, 1, 5000.0, -0.005, 0]),
        ("{a: 1, $b_2: null, \\u0063: true,}", {"a": 1, "$b_2": None, "c": True}),
        ("'it\\'s \"quoted\"'", 'it\'s "quoted"'),
        ("'\\x41\\v\\0\\b\\/\\u00e9\\ud83d\\ude00'", "A\v\0\b/\u00e9\N{GRINNING FACE}"),
        ("'a\\\nb\\\r\nc\\\rd\\\u2028e\\\u2029f'", "abcdef"),
        ('"tab\there"', "tab\there"),
    ],
)
def test_what_sqlite_makes_of_json5_is_read(json5: str, value: object) -> None:
    assert list(map(JSONB.decode, ask("SELECT jsonb(?)", json5))) == [value]


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("jsonb_array(?, 1, 2.5, NULL, 1e300)", ['he"\n\\', 1, 2.5, None, 1e300]),
        ("jsonb_object(?, 'a\"')", {'he"\n\\': 'a"'}),
        ("jsonb_set('{\"a\": [1]}', '$.a[#]', ?)", {"a": [1, 'he"\n\\']}),
        ("jsonb_patch('{\"a\": 1, \"b\": 2}', jsonb_object('a', NULL, 'c', ?))", {"b": 2, "c": 'he"\n\\'}),
        ("(SELECT jsonb_group_array(value) FROM json_each(jsonb_array('x', ?)))", ["x", 'he"\n\\']),
    ],
)
def test_what_the_jsonb_functions_of_sqlite_build_is_read(sql: str, value: object) -> None:
    assert list(map(JSONB.decode, ask(f"SELECT {sql}", 'he"\n\\'))) == [value]


@pytest.mark.parametrize("header", [b"\x27", b"\xc7\x02", b"\xd7\0\x02", b"\xe7\0\0\0\x02", b"\xf7\0\0\0\0\0\0\0\x02"])
def test_a_header_may_be_longer_than_need_be(header: bytes) -> None:
    assert JSONB.decode(header + b"ab") == "ab"


def test_of_duplicate_jsonb_keys_the_last_wins() -> None:
    assert JSONB.decode(ask("SELECT jsonb(?)", '{"a":1,"b":0,"a":2}')[0]) == {"a": 2, "b": 0}


# Refusing


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\x00",  # two elements
        b"\x10\x00",  # null with a payload
        b"\xc0\x00",
        b"\x0d",  # kinds that are not in use
        b"\x0e",
        b"\x0f",
        b"\x17",  # ends beyond the data
        b"\xc7",
        b"\xd7\x01",
        b"\xe7\x00\x00",
        b"\xf7" + b"\xff" * 8,
        b"\x4b\x2b\xca\x01\x00",  # ends beyond the array that holds it
        b"\x1c\x00",  # an object of a key alone
        b"\x2c\x00\x00",  # a key that is no text
        b"\x3c\x1b\x00\x00",
        b"\x03",  # integers that are none
        b"\x13-",
        b"\x2301",
        b"\x23+1",
        b"\x331_0",
        b"\x23 1",
        b"\x24" + b"12",
        b"\x340xg",
        b"\xd4\x11\x00" + b"0x" + b"f" * 4350,
        b"\x15" + b"1",  # floats that are none
        b"\x25" + b"1.",
        b"\x25" + b".5",
        b"\x35nan",
        b"\x36inf",
        b"\x16" + b".",
        b"\x55" + b"9e999",
        b"\x66" + b"-9e999",
        b'\x17"',  # what JSON escapes, in a text without escapes
        b"\x17\\",
        b"\x17\n",
        b'\x18"',
        b"\x18\n",
        b"\x18\\",
        b"\x28\\v",
        b"\x28\\'",
        b"\x68\\ud800",  # half of a pair
        b"\x69\\udfff",
        b"\x29\\x",
        b"\x39\\01",
        b"\x29\\a",
        b"\x19\\",
        b"\x17\xff",
        b"\x3a\xed\xa0\x80",
        b"{}",
        b"\x80\x05N.",
    ],
)
def test_what_is_not_jsonb_is_refused(data: bytes) -> None:
    with pytest.raises(ValueDecodingError, match="not JSONB"):
        JSONB.decode(data)


@pytest.mark.parametrize("kind", ["array", "object"])
def test_501_levels_are_not_read(kind: str) -> None:
    opened, closed = ("[", "]") if kind == "array" else ('{"a":', "}")
    deep = [opened * levels + "1" + closed * levels for levels in (500, 501, 999)]
    just, above, far_above = ask("SELECT jsonb(?)", *deep)
    assert JSONB.decode(just) is not None
    for data in (above, far_above):
        with pytest.raises(ValueDecodingError, match="500 levels"):
            JSONB.decode(data)


def test_headers_alone_nested_a_million_deep_are_refused() -> None:
    data = b""
    for _ in range(1000):
        data = b"\xeb" + len(data).to_bytes(4, "big") + data
    for bomb in (data, b"\x1b" * 10**6, b"\xfb" * 10**6):
        with pytest.raises(ValueDecodingError):
            JSONB.decode(bomb)


# Damage


def judge(data: bytes) -> None:
    """Whatever the bytes are: our error, or a value that SQLite, too, finds there and that can be stored again."""
    try:
        value = JSONB.decode(data)
    except ValueDecodingError:
        return
    assert ask("SELECT json_valid(?, 8)", data) == [1]
    assert repr(JSON.decode(ask("SELECT json(?)", data)[0].encode())) == repr(value)
    assert repr(JSONB.decode(JSONB.encode(value))) == repr(value)


@SEEDED
@given(mutated(JSON_VALUES.map(JSONB.encode)) | st.binary())
def test_damaged_jsonb_is_a_value_that_sqlite_sees_too_or_a_decoding_error(data: bytes) -> None:
    judge(data)


def test_50000_seeded_damages_are_values_that_sqlite_sees_too_or_decoding_errors() -> None:
    draw = random.Random(4)
    texts = (
        "[0x1F,-0xf,.5,5.]",
        "'a\\'\"\\x41\\0\\\n'",
        '{"a\\n":"\\u00e9","b":[null,1.5e3,-7]}',
        '[[],{},"abc",true]',
    )
    whole = ask("SELECT jsonb(?)", *texts) + ask("SELECT jsonb_array(?, 'x')", 'he"')
    for _ in range(50_000):
        data = bytearray(draw.choice(whole))
        for _ in range(draw.randrange(1, 4)):
            at, cut = draw.randrange(len(data) + 1), draw.randrange(3)
            data[at : at + cut] = draw.choice((b"", draw.randbytes(1), bytes([draw.randrange(16)]), b"\\", b"\xc7"))
        judge(bytes(data))


# In a file

CHILD = """
import sys
from asyncdictsqlite import _rust
path, sql = sys.argv[1:]
print(_rust.ask_sqlite(path, sql, ["user"])[0])
"""


@pytest.mark.parametrize("backend", ["rust", "threads"])
def test_json_extract_reads_the_values_of_a_file_from_another_process(backend: str, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with AsyncDictSQLite(path, storage_mode="jsonb", backend=backend, persist_mode="writethrough") as db:
        db["user"] = {"name": "Ada", "tags": ["x", 'quo"ted\n'], "born": 1815}
    sql = "SELECT typeof(value) || json_extract(value, '$.name') ||"
    sql += " json_extract(value, '$.tags[1]') FROM main WHERE key = ?"
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), sql],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
        check=False,
    )
    assert (child.stdout, child.stderr) == ('blobAdaquo"ted\n\n', "")


def test_a_value_that_sqlite_wrote_is_read_by_the_store(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with AsyncDictSQLite(path, storage_mode="jsonb", backend="threads", persist_mode="writethrough") as db:
        db["a"] = 1
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE main SET value = ?", ask("SELECT jsonb_object('k', ?)", 'he"'))
    connection.close()
    with AsyncDictSQLite(path, storage_mode="jsonb", backend="threads") as db:
        assert db["a"] == {"k": 'he"'}
