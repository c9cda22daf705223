"""The end of a process whose stores are still open: what was acknowledged, or handed over, is saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asyncdictsqlite import AsyncDictSQLite
from tests.stores import child, every_backend

pytestmark = pytest.mark.timeout(30)

START = """
import asyncio, sys
from asyncdictsqlite import AsyncDictSQLite
db = AsyncDictSQLite(sys.argv[1], backend=sys.argv[2], persist_mode=sys.argv[3])
"""
both_modes = pytest.mark.parametrize("mode", ["lazy", "writethrough"])


def value_after(program: str, path: Path, backend: str, mode: str, *flags: str) -> Any:
    child(START + program, path, backend, mode, flags=list(flags))
    with AsyncDictSQLite(path, backend=backend) as db:
        return db.get("k")


@every_backend
def test_a_warning_that_is_an_error_loses_nothing(backend: str, tmp_path: Path) -> None:
    program = "db.set('k', 1); db.flush(); db.set('k', 2)"
    assert value_after(program, tmp_path / "a.db", backend, "lazy", "-W", "error") == 2


@every_backend
def test_an_exit_during_a_close_saves_what_that_close_saves(backend: str, tmp_path: Path) -> None:
    program = """
async def main():
    await db.aset("k", 1)
    db._engine.inject(writer_delay_s=0.15)
    db.aclose()
asyncio.run(main())
"""
    assert value_after(program, tmp_path / "a.db", backend, "lazy") == 1


@every_backend
@both_modes
def test_an_exit_right_after_the_first_call_makes_that_call(backend: str, mode: str, tmp_path: Path) -> None:
    program = """
async def main():
    db.aset("k", 1)
asyncio.run(main())
"""
    assert value_after(program, tmp_path / "a.db", backend, mode) == 1
