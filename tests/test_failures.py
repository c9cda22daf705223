"""What sqlite3 raises becomes what the contract names."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from asyncdictsqlite import AsyncDictSQLite
from asyncdictsqlite.errors import CorruptError
from asyncdictsqlite.pycore.failures import translate
from tests.stores import child, every_backend

PLANT_A_BLOB = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("INSERT INTO main(key, value) VALUES (x'ff', x'00')")
connection.commit()
"""


@pytest.mark.parametrize(
    "error",
    [
        UnicodeDecodeError("utf-8", b"malformed database schema (adsq\xdfmeta)", 31, 32, "invalid continuation byte"),
        sqlite3.OperationalError("Could not decode to UTF-8 column 'key' with text '\ufffd('"),
    ],
)
def test_text_that_is_no_utf_8_is_damage(error: Exception) -> None:
    assert isinstance(translate(error, "a.db"), CorruptError)


@every_backend
@pytest.mark.timeout(20)
@pytest.mark.filterwarnings("ignore::asyncdictsqlite.WalResetWarning")
def test_an_iteration_ends_at_a_key_that_is_no_text(backend: str, tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with AsyncDictSQLite(path, backend=backend, storage_mode="bytes") as store:
        store["key"] = b""
    child(PLANT_A_BLOB, path)
    with AsyncDictSQLite(path, backend=backend, storage_mode="bytes") as store, pytest.raises(CorruptError):
        list(store.keys())
