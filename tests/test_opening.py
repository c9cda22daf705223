"""Who may open a file: what needs no second process (the conformance suite has the rest)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Tuple

import pytest

from asyncdictsqlite import AlreadyOpenError, AsyncDictSQLite, UnknownBackendError
from asyncdictsqlite.promise import has_wal_reset_bug, in_force


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 54, 1), False),
    ],
)
def test_the_versions_with_the_wal_reset_bug_are_known(version: Tuple[int, ...], affected: bool) -> None:
    assert has_wal_reset_bug(version) is affected


class Affected:
    """A factory whose SQLite has the bug."""

    sqlite_version_info = (3, 40, 1)


def test_an_affected_library_opens_exclusively_unless_told_otherwise() -> None:
    assert in_force(None, Affected())[0] is True  # type: ignore[arg-type]
    assert in_force(False, Affected())[0] is False  # type: ignore[arg-type]


def test_a_hard_link_is_the_same_file(tmp_path: Path) -> None:
    with AsyncDictSQLite(tmp_path / "a.db", backend="threads") as db:
        db["k"] = 1
        os.link(tmp_path / "a.db", tmp_path / "b.db")
        other = AsyncDictSQLite(tmp_path / "b.db", backend="threads", capacity=5)
        with pytest.raises(AlreadyOpenError, match="capacity"):
            other.get("k")


def test_an_unknown_backend_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownBackendError, match="threads"):
        AsyncDictSQLite(tmp_path / "a.db", backend="nosuch")


def test_the_environment_overrides_auto(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADSQ_BACKEND", "threads")
    assert AsyncDictSQLite(tmp_path / "a.db").backend == "threads"
    monkeypatch.setenv("ADSQ_BACKEND", "nosuch")
    with pytest.raises(UnknownBackendError):
        AsyncDictSQLite(tmp_path / "a.db")
