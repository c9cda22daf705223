"""Hostile pickles do nothing: they run no code, allocate nothing, hang nowhere, and end in our own errors."""

from __future__ import annotations

import base64
import os
import pathlib
import pickle
import subprocess
import sys
from typing import Any, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncdictsqlite.codec import make_codec
from asyncdictsqlite.errors import (
    InvalidValueError,
    UnsafePickleError,
    ValueDecodingError,
)
from tests.codec_values import PICKLED, SEEDED, mutated
from tests.hostile_pickles import HOSTILE, RANGE, SLICE, call, get, name, stream, text

PICKLE = make_codec("pickle")
JSON = make_codec("json")
BYTES = make_codec("bytes")


@pytest.mark.parametrize("attack", HOSTILE)
def test_a_hostile_pickle_is_refused(attack: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((UnsafePickleError, ValueDecodingError)):
        PICKLE.decode(HOSTILE[attack])
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    "attack",
    ["os.system", "builtins.eval", "getattr of anything", "EXT1", "a persistent object", "os.system in protocol 0"],
)
def test_a_pickle_that_names_what_is_not_safe_is_an_unsafe_pickle_error(attack: str) -> None:
    with pytest.raises(UnsafePickleError):
        PICKLE.decode(HOSTILE[attack])


CHILD = """
import base64, resource, sys
from asyncdictsqlite.codec import make_codec
from asyncdictsqlite.errors import UnsafePickleError, ValueDecodingError
codec = make_codec("pickle")
streams = [base64.b64decode(line) for line in sys.stdin]
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
for data in streams:
    try:
        codec.decode(data)
    except (UnsafePickleError, ValueDecodingError) as error:
        assert not isinstance(error.__cause__, (MemoryError, RecursionError)), data[:100]
print(len(streams), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_no_hostile_pickle_allocates_or_crashes(tmp_path: pathlib.Path) -> None:
    lines = b"\n".join(map(base64.b64encode, HOSTILE.values()))
    paths = os.pathsep.join(path for path in sys.path if path)
    child = subprocess.run(
        [sys.executable, "-c", CHILD],
        input=lines,
        capture_output=True,
        timeout=50,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths},
        check=False,
    )
    assert child.returncode == 0, child.stderr.decode()
    decoded, peak_kib = map(int, child.stdout.split())
    assert decoded == len(HOSTILE)
    assert peak_kib < 400_000
    assert not os.listdir(tmp_path)


def test_hostile_pickles_loaded_plainly_would_run_code() -> None:
    with pytest.raises(FileNotFoundError):
        pickle.loads(HOSTILE["builtins.open"].replace(b"CODE_RAN", b"no/such/"))


def test_a_long_list_in_a_list_in_a_list_is_a_value() -> None:
    data = stream(b"(", b"]" * 100_000, b"a" * 99_999)
    assert len(PICKLE.decode(data)) == 1


@SEEDED
@given(mutated(PICKLED.map(PICKLE.encode) | st.sampled_from([data for data in HOSTILE.values() if len(data) < 1000])))
def test_a_damaged_pickle_is_a_value_or_one_of_our_errors(data: bytes) -> None:
    answer(PICKLE.decode, data)


OPCODE_SOUP = st.lists(
    st.sampled_from(sorted(b"(N)]}\x8f01aesu\x90\x91t\x85\x86\x87\x94R\x81\x92b\x88")).map(lambda code: bytes([code]))
    | st.integers(0, 9).map(lambda index: b"h" + bytes([index]))
    | st.sampled_from([b"K\x07", text("a"), b"C\x01a", b"\x96\x01" + bytes(8), b"q\x03", get(2)])
    | st.sampled_from(["deque", "OrderedDict", "defaultdict", "Counter"]).map(lambda kind: name("collections", kind))
    | st.sampled_from([RANGE, SLICE, call("collections", "deque"), name("uuid", "UUID"), name("builtins", "list")]),
    max_size=40,
).map(lambda parts: stream(*parts))


@settings(SEEDED, max_examples=300)
@given(OPCODE_SOUP)
def test_opcodes_in_any_order_are_a_value_or_one_of_our_errors(data: bytes) -> None:
    answer(PICKLE.decode, data)


def answer(decode: Callable[[bytes], Any], data: bytes) -> Any:
    try:
        return decode(data)
    except InvalidValueError as error:
        assert isinstance(error, (UnsafePickleError, ValueDecodingError))
        return None
