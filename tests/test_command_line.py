"""``python -m asyncdictsqlite``."""

from __future__ import annotations

import pickle
import sqlite3
import subprocess
import sys
from pathlib import Path

from asyncdictsqlite import AsyncDictSQLite


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "asyncdictsqlite", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def old_file(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE kv_store(key TEXT PRIMARY KEY, value BLOB)")
    rows = [(f"k{i}", pickle.dumps({"n": i})) for i in range(2500)]
    connection.executemany("INSERT INTO kv_store VALUES(?, ?)", rows)
    connection.commit()
    connection.close()


def test_info_names_every_backend_and_the_promise_of_each() -> None:
    answer = run("info")
    assert answer.returncode == 0, answer.stderr
    for word in ("threads", "rust", "auto", "SQLite"):
        assert word in answer.stdout


def test_import_copies_every_row_of_a_dictsqlite_file(tmp_path: Path) -> None:
    old_file(tmp_path / "old.db")
    answer = run("import", str(tmp_path / "old.db"), str(tmp_path / "new.db"))
    assert answer.returncode == 0, answer.stderr
    with AsyncDictSQLite(tmp_path / "new.db", backend="threads") as db:
        assert len(db) == 2500
        assert db["k7"] == {"n": 7}


def test_import_leaves_an_existing_file_alone(tmp_path: Path) -> None:
    old_file(tmp_path / "old.db")
    (tmp_path / "new.db").write_bytes(b"mine")
    answer = run("import", str(tmp_path / "old.db"), str(tmp_path / "new.db"))
    assert answer.returncode == 1
    assert "exists" in answer.stderr
    assert (tmp_path / "new.db").read_bytes() == b"mine"


def test_import_of_garbage_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "old.db").write_bytes(b"garbage" * 1000)
    answer = run("import", str(tmp_path / "old.db"), str(tmp_path / "new.db"))
    assert answer.returncode == 1
    assert "not a SQLite database" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not (tmp_path / "new.db").exists()


def test_an_import_that_fails_midway_leaves_no_new_file(tmp_path: Path) -> None:
    old_file(tmp_path / "old.db")
    connection = sqlite3.connect(tmp_path / "old.db")
    connection.execute("INSERT INTO kv_store VALUES('z', ?)", (b"no pickle",))
    connection.commit()
    connection.close()
    answer = run("import", str(tmp_path / "old.db"), str(tmp_path / "new.db"))
    assert answer.returncode == 1
    assert [path.name for path in tmp_path.iterdir()] == ["old.db"]
