"""A file that dictsqlite 2.1.3 itself made: recognised, refused with a sentence, never touched."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from asyncdictsqlite import AsyncDictSQLite
from asyncdictsqlite.errors import SchemaMismatchError

# In a child: dictsqlite brings a SQLite of its own.
MAKE = """
import sys, dictsqlite
db = dictsqlite.DictSQLite(sys.argv[1])
db["a"] = {"b": 1}
db.flush()
db.close()
"""


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    pytest.importorskip("dictsqlite", reason="dictsqlite (dependency group: peers) makes the file of this test")
    path = tmp_path / "old.db"
    subprocess.run([sys.executable, "-c", MAKE, str(path)], check=True, timeout=30)
    assert path.stat().st_size > 0
    return path


@pytest.mark.parametrize("backend", ["rust", "threads"])
@pytest.mark.parametrize("persist_mode", ["lazy", "writethrough"])
def test_a_file_of_dictsqlite_is_refused_and_untouched(old_file: Path, backend: str, persist_mode: str) -> None:
    before = hashlib.sha256(old_file.read_bytes()).digest()
    db = AsyncDictSQLite(old_file, backend=backend, persist_mode=persist_mode)
    with pytest.raises(SchemaMismatchError, match="python -m asyncdictsqlite import"):
        db.set("k", 1)
    with pytest.raises(SchemaMismatchError, match="dictsqlite"):
        db.get("a")
    db.close()
    assert hashlib.sha256(old_file.read_bytes()).digest() == before
