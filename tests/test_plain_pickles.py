"""The rust backend loads and dumps plain pickles without the codec: it must give what the codec gives."""

from __future__ import annotations

import pickle
import random
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncdictsqlite import AsyncDictSQLite
from asyncdictsqlite.codec import make_codec
from asyncdictsqlite.errors import ValueDecodingError
from tests.codec_values import SEEDED
from tests.hostile_pickles import HOSTILE, get, stream

SEED = 20261127
CODEC = make_codec("pickle")

WRITE = """
import pickle, sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.executemany("INSERT INTO main(key, value) VALUES (?, ?)", pickle.load(sys.stdin.buffer).items())
connection.commit()
connection.close()
"""
READ = """
import pickle, sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
pickle.dump(dict(connection.execute("SELECT key, value FROM main")), sys.stdout.buffer)
"""


def in_a_child(script: str, path: Path, given: bytes = b"") -> bytes:
    done = subprocess.run([sys.executable, "-c", script, str(path)], input=given, check=True, capture_output=True)
    return done.stdout


def atom(chance: random.Random) -> Any:
    numbers = (chance.randrange(-(2**70), 2**70), chance.randrange(300), chance.random())
    texts = ("é\ud800", "key", "long" * chance.randrange(100), b"x" * chance.randrange(300))
    return chance.choice((None, True, False, *numbers, *texts))


def tree(chance: random.Random, depth: int = 4) -> Any:
    kind = chance.choice(["atom", "list", "tuple", "dict", "shared", "set", "frozenset", "bytearray"])
    if depth == 0 or kind == "atom":
        return atom(chance)
    items = [tree(chance, depth - 1) for _ in range(chance.randrange(5))]
    if kind == "dict":
        return {str(number) if chance.random() < 0.8 else number: item for number, item in enumerate(items)}
    if kind == "shared":
        return [items, items, tuple(items), (items,)]
    if kind in ("set", "frozenset"):
        return (set if kind == "set" else frozenset)(map(repr, items))
    return bytearray(7) if kind == "bytearray" else (list if kind == "list" else tuple)(items)


def damaged(chance: random.Random, data: bytes) -> bytes:
    for _ in range(chance.randrange(3)):
        at = chance.randrange(len(data) or 1)
        change = chance.randrange(4)
        if change == 0:
            data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
        elif change == 1:
            data = data[:at] + data[at + 1 :]
        elif change == 2:
            data = data[:at]
        else:
            data = data[:at] + bytes([chance.choice(b"(aesu\x90)]}\x8f\x94h\x00\x85\x86\x87\x91t012Nj.")]) + data[at:]
    return data


def outcome(call: Any, *arguments: Any) -> Tuple[str, str]:
    try:
        value = call(*arguments)
    except Exception as error:
        return type(error).__name__, ""
    return type(value).__name__, ascii(value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "store.db"
    with AsyncDictSQLite(found, backend="rust", persist_mode="writethrough", storage_mode="pickle") as store:
        store["made"] = True
    return found


def with_streams(path: Path, streams: List[bytes]) -> Dict[str, bytes]:
    rows = {f"stream-{number}": data for number, data in enumerate(streams)}
    in_a_child(WRITE, path, pickle.dumps(rows))
    return rows


def test_damaged_streams_end_as_the_codec_ends(path: Path) -> None:
    chance = random.Random(SEED)
    protocols = [pickle.dumps(tree(chance), chance.choice([2, 3, 4, 5, 5, 5])) for _ in range(3000)]
    rows = with_streams(path, [damaged(chance, data) for data in protocols])
    expected = {key: outcome(CODEC.decode, data) for key, data in rows.items()}
    assert len({kind for kind, _ in expected.values()}) > 8
    with AsyncDictSQLite(path, backend="rust", storage_mode="pickle") as store:
        for _ in ("cold", "hit"):
            assert {key: outcome(store.get, key) for key in rows} == expected


def test_a_key_of_tuples_that_share_tuples_is_not_hashed(path: Path) -> None:
    shared: Any = (1,)
    for _ in range(60):
        shared = (shared, shared)
    stream = b"\x80\x05}" + pickle.dumps(shared, 5)[2:-1] + b"K\x01s."
    rows = with_streams(path, [stream])
    with AsyncDictSQLite(path, backend="rust", storage_mode="pickle") as store:
        assert outcome(store.get, "stream-0") == outcome(CODEC.decode, rows["stream-0"])


def test_what_is_stored_is_what_the_codec_gives(path: Path) -> None:
    chance = random.Random(SEED)
    values = {f"value-{number}": tree(chance) for number in range(1000)}
    itself: Dict[str, Any] = {"keys": {(1, 2): 3, frozenset("a"): 4}}
    itself["again"] = itself
    values["contains itself"] = itself
    with AsyncDictSQLite(path, backend="rust", storage_mode="pickle") as store:
        for key, value in values.items():
            store[key] = value
    stored = pickle.loads(in_a_child(READ, path))
    assert {key: stored[key] for key in values} == {key: CODEC.encode(value) for key, value in values.items()}


def test_each_hit_of_a_container_is_a_value_of_its_own(path: Path) -> None:
    with AsyncDictSQLite(path, backend="rust", storage_mode="pickle") as store:
        store["key"] = {"list": [1]}
        store["key"]["list"].append(2)
        store.batch_get(["key"])[0]["list"].append(2)
        assert store["key"] == {"list": [1]}
        assert store.batch_get(["key", "made", "key"]) == [{"list": [1]}, True, {"list": [1]}]


def test_hostile_streams_end_as_the_codec_ends(path: Path) -> None:
    rows = with_streams(path, list(HOSTILE.values()))
    expected = {key: outcome(CODEC.decode, data) for key, data in rows.items()}
    with AsyncDictSQLite(path, backend="rust", storage_mode="pickle") as store:
        for _ in ("cold", "hit"):
            assert {key: outcome(store.get, key) for key in rows} == expected


OPCODE_SOUP = st.lists(
    st.sampled_from(sorted(b"(N)]}\x8f01aesu\x90\x91t\x85\x86\x87\x94\x88")).map(lambda code: bytes([code]))
    | st.integers(0, 5).map(lambda index: b"h" + bytes([index]))
    | st.sampled_from([b"K\x07", b"\x8c\x01a", b"C\x01a", b"\x96\x01" + bytes(8), b"\x95" + bytes(8)])
    | st.sampled_from([b"q\x03", get(2)]),
    max_size=40,
).map(lambda parts: stream(*parts))


@pytest.fixture(scope="module")
def decode() -> Iterator[Callable[[str, bytes], Any]]:
    store: Any = AsyncDictSQLite("a name", backend="rust", persist_mode="memory")
    with store:
        yield store._decode


@settings(SEEDED, max_examples=1000)
@given(OPCODE_SOUP)
def test_any_opcodes_decode_as_the_codec_decodes(decode: Callable[[str, bytes], Any], data: bytes) -> None:
    assert outcome(decode, "key", data) == outcome(CODEC.decode, data)


@pytest.mark.parametrize("kind", [list, tuple])
def test_a_value_that_holds_itself_a_thousand_times_over_and_over_is_set(kind: Any, path: Path) -> None:
    value: Any = kind([1])
    for _ in range(12):
        value = kind([value] * 1000)
    with AsyncDictSQLite(path, backend="rust", storage_mode="pickle") as store:
        store["key"] = value
        store.batch_set({"batch": value})
        assert [len(store[key]) for key in ("key", "batch")] == [1000, 1000]
    stored = pickle.loads(in_a_child(READ, path))
    assert [stored["key"], stored["batch"]] == [CODEC.encode(value)] * 2


def test_what_a_batch_stores_is_what_the_codec_gives(path: Path) -> None:
    chance = random.Random(SEED)
    values = {f"value-{number}": tree(chance) for number in range(1000)}
    plain = {key: value for key, value in values.items() if "set(" not in repr(value)}
    with AsyncDictSQLite(path, backend="rust", storage_mode="pickle") as store:
        store.batch_set(values)
        store.batch_set({f"again {key}": value for key, value in plain.items()})
    stored = pickle.loads(in_a_child(READ, path))
    assert {key: stored[key] for key in values} == {key: CODEC.encode(value) for key, value in values.items()}
    assert {key: stored[f"again {key}"] for key in plain} == {key: stored[key] for key in plain}


def test_what_is_iterated_over_is_what_is_read(path: Path) -> None:
    chance = random.Random(SEED)
    with AsyncDictSQLite(path, backend="rust", storage_mode="pickle") as store:
        store.batch_set({f"value-{number}": tree(chance) for number in range(300)})
        expected = {key: outcome(store.get, key) for key in store}
        assert {key: outcome(lambda it: it, value) for key, value in store.items()} == expected
        assert [outcome(lambda it: it, value) for value in store.values()] == list(expected.values())


def test_a_broken_value_that_is_iterated_over_is_named(path: Path) -> None:
    with_streams(path, [b"\x80\x05]"])
    store = AsyncDictSQLite(path, backend="rust", storage_mode="pickle")
    with store, pytest.raises(ValueDecodingError, match="stream-0"):
        list(store.items())


def test_an_object_decoded_in_a_batch_stays(path: Path) -> None:
    with AsyncDictSQLite(path, backend="rust", storage_mode="pickle") as store:
        store["tuple"] = ("a", 10**30)
    with AsyncDictSQLite(path, backend="rust", storage_mode="pickle") as store:
        assert [store.batch_get(["tuple"]) for _ in range(2)] == [[("a", 10**30)]] * 2
        assert store.batch_get(["tuple"])[0] is store.batch_get(["tuple"])[0]
        assert store.get("tuple") is store.get("tuple")


@pytest.mark.parametrize("mode", ["memory", "lazy", "writethrough"])
def test_of_two_pairs_with_one_key_the_last_counts(mode: str, tmp_path: Path) -> None:
    with AsyncDictSQLite(tmp_path / "a.db", backend="rust", persist_mode=mode) as store:
        store.batch_set([("key", 1), ("other", 2), ("key", 3)])
        assert store.batch_get(["key", "other"]) == [3, 2]


def test_a_pair_of_three_is_refused_and_nothing_is_set(tmp_path: Path) -> None:
    with AsyncDictSQLite(tmp_path / "a.db", backend="rust") as store:
        with pytest.raises((TypeError, ValueError)):
            store.batch_set([("key", 1), ("other", 2, 3)])
        assert list(store.keys()) == []
