"""Row 19: hostile pickles in a file run no code, whichever backend reads them, and in whichever way."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from asyncdictsqlite.codec import make_codec
from asyncdictsqlite.errors import UnsafePickleError, ValueDecodingError
from tests.stores import every_backend
from tests.test_mutants import MUTANTS, broken_package
from tests.trust.farm import problems, spread
from tests.trust.figures import Figures
from tests.trust.hostile_children import plant, read
from tests.trust.hostile_forms import forms
from tests.trust.sound_values import VALUES

pytestmark = pytest.mark.timeout(900)
LEAST_FORMS = 200
SEED = 19


def test_every_form_is_another() -> None:
    streams = list(forms().values())
    assert len(set(streams)) == len(streams) >= LEAST_FORMS


@every_backend
def test_hostile_pickles_in_a_file_run_no_code(tmp_path: Path, figures: Figures, backend: str) -> None:
    outcomes = spread([plant, read], [dict(backend=backend, path=str(tmp_path / "store.db"))], timeout_s=60)
    bad = problems(outcomes)
    said = outcomes[0].lines
    errors = Counter(line[1] for line in said if line[0] == "error")
    planted = sum(line[1] for line in said if line[0] == "planted")
    figures.add("19", "hostile pickles in a file", backend, 0, forms=planted,
                code_run=len(bad), crashes=sum("crash" in one.trouble for one in outcomes), **errors)  # fmt: skip
    assert bad == []


def test_a_reader_without_its_lock_is_found(tmp_path: Path) -> None:
    broken = broken_package(tmp_path, MUTANTS["plain unpickling"])
    case = dict(backend="threads", path=str(tmp_path / "store.db"))
    outcomes = spread([plant, read], [case], {"PYTHONPATH": str(broken)}, timeout_s=5)
    assert "os.system" in str(problems(outcomes))


@pytest.mark.parametrize("mode", ["pickle", "jsonb", "json"])
def test_damaged_values_are_values_or_errors_of_ours(figures: Figures, long: bool, mode: str) -> None:
    codec, drawn = make_codec(mode), random.Random(SEED)
    ends: Counter[str] = Counter()
    sound = [codec.encode(value) for value in VALUES]
    streams = sound + ([data for data in forms().values() if len(data) < 500] if mode == "pickle" else [])
    for _ in range(400_000 if long else 8000):
        try:
            codec.decode(mutated(drawn.choice(streams), drawn))
            ends["values"] += 1
        except (UnsafePickleError, ValueDecodingError) as error:
            ends[type(error).__name__] += 1
    figures.add("19", f"mutated {mode}", "any", SEED, decoded=sum(ends.values()), uncaught_classes=0, **ends)


def mutated(data: bytes, drawn: random.Random) -> bytes:
    """Change, cut, double or insert some bytes."""
    found = bytearray(data)
    for _ in range(drawn.randrange(1, 5)):
        at = drawn.randrange(len(found) + 1)
        how = drawn.randrange(5)
        if how == 0 and at < len(found):
            found[at] = drawn.randrange(256)
        elif how == 1:
            found[at:at] = drawn.choice(TOKENS)
        elif how == 2:
            del found[at : at + drawn.randrange(1, 9)]
        elif how == 3:
            found += found[at : at + 30]
        elif at < len(found):
            found[at] ^= 1 << drawn.randrange(8)
    return bytes(found)


TOKENS = [bytes([code]) for code in range(256)] + [b"\xff\xff\xff\x7f", b"\x80\x05", b"h\x00", b"\x94", b"R", b"\x93"]
