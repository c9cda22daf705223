"""What docs/features.md says is shown exists, and the claims that nothing else shows."""

from __future__ import annotations

import ast
import re
import sys
import time
from pathlib import Path
from typing import Iterator, List, Set

import pytest

from asyncdictsqlite import AsyncDictSQLite
from asyncdictsqlite.testing import CHECKS
from harness.workloads import WORKLOADS

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "features.md").read_text(encoding="utf-8")

# What the original names, and what it plans.
NAMED = (
    "awaitable methods",
    "memory",
    "lazy",
    "writethrough",
    "pickle",
    "json",
    "jsonb",
    "bytes",
    "300-fold",
    "43-fold",
    "lock-free reads",
    "parallel batch",
    "GIL is released",
    "Tokio",
    "DashMap",
    "Rayon",
    "async iterators",
    "streaming",
    "pooling",
    "query builder",
)
CHECK_NAMES = {check.name for check in CHECKS}


def rows() -> List[List[str]]:
    """Return the cells of every row, without heads and rules."""
    lines = [line[1:-1].split("|") for line in PAGE.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line] for line in lines]
    return [row for row in cells if set(row[0]) != {"-"} and row[-1] != "shown by"]


def evidence() -> List[str]:
    return sorted({name for row in rows() for name in re.findall(r"`(.+?)`", row[-1])})


def functions(path: Path) -> Set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


def exists(name: str) -> bool:
    """Tell whether there is a check, a workload or a test of that name."""
    if not name.startswith("tests/"):
        return name in CHECK_NAMES or name in WORKLOADS
    file, _, function = name.partition("::")
    path = ROOT / file
    return path.is_file() and (not function or function in functions(path))


def test_no_cell_is_empty() -> None:
    assert [row for row in rows() if len(row) != 3 or "" in row] == []


@pytest.mark.parametrize("feature", NAMED)
def test_the_feature_has_a_row(feature: str) -> None:
    assert [row[0] for row in rows() if re.search(rf"\b{feature}\b", row[0])] != []


@pytest.mark.parametrize("name", evidence())
def test_what_is_said_to_show_it_exists(name: str) -> None:
    assert exists(name)


@pytest.mark.parametrize("name", ["no_such_check", "tests/test_none.py", "tests/test_features.py::test_none"])
def test_a_name_that_is_nowhere_would_be_found(name: str) -> None:
    assert not exists(name)


def test_each_row_is_shown_or_planned() -> None:
    assert [row for row in rows() if "`" not in row[-1] and row[-1] != "planned"] == []


# ---- the claims ---------------------------------------------------------------------------------------------


@pytest.fixture
def _one_thread_keeps_the_gil() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    yield
    sys.setswitchinterval(interval)


def commits_while_the_gil_is_held(backend: str, path: Path, *, seconds: float) -> int:
    """Hand over ten writes, then keep the GIL until each has its commit, or the time is over."""
    with AsyncDictSQLite(path, persist_mode="writethrough", backend=backend, buffer_size=1) as db:
        before: int = db.stats()["commits"]
        for number in range(10):
            db.aset(f"key{number}", number)
        end = time.monotonic() + seconds
        while db.stats()["commits"] < before + 10 and time.monotonic() < end:
            pass
        done: int = db.stats()["commits"]
    return done - before


@pytest.mark.usefixtures("_one_thread_keeps_the_gil")
def test_the_rust_writer_commits_while_the_gil_is_held(tmp_path: Path) -> None:
    assert commits_while_the_gil_is_held("rust", tmp_path / "a.db", seconds=10) == 10


@pytest.mark.usefixtures("_one_thread_keeps_the_gil")
def test_a_thread_that_needs_the_gil_waits_for_it(tmp_path: Path) -> None:
    assert commits_while_the_gil_is_held("threads", tmp_path / "a.db", seconds=0.3) < 10
