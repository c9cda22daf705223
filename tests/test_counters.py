"""The counters' baseline: what counts as moved, and what the command says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.cli.counters import counters
from harness.gate import baseline
from harness.gate.baseline import Moved, moved

pytestmark = pytest.mark.timeout(30)
KEPT = {"hits": {"instructions": 1000.0}, "sets of 8": {"syncs": 8.0, "commits": 8.0}}


def test_equal_counters_have_not_moved() -> None:
    assert moved(KEPT, KEPT) == []


def test_one_sync_more_has_moved() -> None:
    now = {**KEPT, "sets of 8": {"syncs": 9.0, "commits": 8.0}}
    assert moved(KEPT, now) == [Moved("sets of 8", "syncs", 8.0, 9.0)]


def test_one_sync_less_has_moved() -> None:
    now = {**KEPT, "sets of 8": {"syncs": 7.0, "commits": 8.0}}
    assert moved(KEPT, now) == [Moved("sets of 8", "syncs", 8.0, 7.0)]


@pytest.mark.parametrize(("count", "moves"), [(1009.9, False), (1010.1, True), (990.1, False), (989.9, True)])
def test_instructions_may_differ_by_one_percent(count: float, moves: bool) -> None:
    assert bool(moved(KEPT, {**KEPT, "hits": {"instructions": count}})) is moves


@pytest.mark.parametrize(("count", "moves"), [(1029.9, False), (1030.1, True)])
def test_instructions_of_pickled_dicts_may_differ_by_three_percent(count: float, moves: bool) -> None:
    assert bool(moved({"hits-dict": {"instructions": 1000.0}}, {"hits-dict": {"instructions": count}})) is moves


def test_a_body_that_is_not_counted_any_more_has_moved() -> None:
    assert moved(KEPT, {"hits": KEPT["hits"]}) == [
        Moved("sets of 8", "commits", 8.0, None),
        Moved("sets of 8", "syncs", 8.0, None),
    ]


def test_another_build_has_another_file() -> None:
    facts = {"machine": "x86_64", "python": "CPython 3.11.2 GCC 12", "rustc": "rustc 1.95"}
    assert baseline.path_of(facts) != baseline.path_of({**facts, "rustc": "rustc 1.96"})


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(counted: baseline.Counters, *options: str) -> Any:
        monkeypatch.setattr(baseline, "measured", lambda scratch, step: counted)
        folders = ["--baselines", str(tmp_path / "baselines"), "--scratch", str(tmp_path)]
        return CliRunner().invoke(counters, [*options, *folders])

    return run


def test_check_passes_where_nothing_moved(command: Any) -> None:
    assert command(KEPT, "--update").exit_code == 0
    assert command(KEPT, "--check").exit_code == 0


def test_check_names_what_moved(command: Any) -> None:
    command(KEPT, "--update")
    found = command({**KEPT, "sets of 8": {"syncs": 9.0, "commits": 8.0}}, "--check")
    assert found.exit_code
    assert "sets of 8: syncs was 8.0, is 9.0" in found.output


def test_check_without_a_baseline_says_so(command: Any) -> None:
    found = command(KEPT, "--check")
    assert found.exit_code == 0
    assert "nothing to compare with" in found.output


def test_the_committed_baselines_tell_what_they_hold_for() -> None:
    for path in baseline.BASELINES.glob("*.json"):
        assert baseline.load(path, json.loads(path.read_text(encoding="utf-8"))["key"])
        assert "/" not in path.read_text(encoding="utf-8").replace("python -m", "")


@pytest.mark.parametrize("valgrind", ["none", "valgrind-4"])
def test_without_the_same_valgrind_all_but_instructions_is_compared(
    valgrind: str, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    command(KEPT, "--update")
    facts = {**baseline.key(), "valgrind": valgrind}
    monkeypatch.setattr(baseline, "key", lambda: facts)
    now = {"sets of 8": {"syncs": 8.0, "commits": 8.0}, "hits": {"instructions": 5000.0}}
    found = command(now if valgrind != "none" else {"sets of 8": now["sets of 8"]}, "--check")
    assert found.exit_code == 0
    assert "instructions are not compared" in found.output
    assert command({"sets of 8": {"syncs": 9.0, "commits": 8.0}}, "--check").exit_code


def test_the_folder_of_stores_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline, "BODIES", [])
    monkeypatch.setattr(baseline.instructions, "missing", lambda: "not here")
    assert baseline.measured(tmp_path / "new" / "folder", print) == {}
