"""The limits suite: what it compares, what it records, what the pages show of it."""

from __future__ import annotations

import asyncio
import importlib
import json
import re
import shutil
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest

from harness import cli
from harness.contenders import CONTENDERS
from harness.measure.case import Case
from harness.measure.records import read
from harness.measure.remote import ROOT
from harness.measure.rounds import Effort
from harness.probes.stall import Watch
from harness.report import limits as report
from harness.report.checked import problems
from harness.report.markdown import UNRECORDED, regenerate, replaced
from harness.report.recorded import Recorded
from harness.suites import limits, profiled
from harness.suites.limit import Group, Probed, Row, control
from harness.suites.limits_disk import LADDER
from harness.workloads import Params

RUNS = ROOT / "results" / "runs"
PAGE = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
GROUPS = limits.groups(full=True)
CASES = [case for group in GROUPS if isinstance(group, Group) for case in group.cases.values()]
TINY = Effort(rounds=3, block_s=0.001, case_s=60)
SMALL = Params(keys=20, tasks=4, batch=5)
needs_rust = pytest.mark.skipif(CONTENDERS["rust"].missing() is not None, reason="it measures the Rust backend")
needs_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it reads /proc or uses RUSAGE_THREAD")


def test_names_of_rows_differ() -> None:
    assert len(set(limits.names())) == len(limits.names())


def test_a_row_compares_two_of_its_cases() -> None:
    groups = [group for group in GROUPS if isinstance(group, Group)]
    assert [row.name for group in groups for row in group.rows if not {row.ours, row.against} <= set(group.cases)] == []


def test_every_case_is_one_that_there_is() -> None:
    assert all(case.configuration and case.workload for case in CASES)
    assert all(case.workload.control_body for case in CASES if case.contender_name == "control")


def test_every_probe_is_a_module() -> None:
    probes = {group.probe for group in GROUPS if isinstance(group, Probed)}
    assert all(callable(importlib.import_module(f"harness.probes.{name}").run) for name in probes)


def test_the_page_explains_every_row() -> None:
    explained = re.findall(r"`([\w.-]+)`", PAGE.partition("## What limits each row")[2])
    assert sorted(set(limits.names()) - set(explained)) == []


@pytest.mark.parametrize(
    ("goal", "ours", "against", "held"),
    [
        ({"most": 0.5}, 1.0, 2.0, True),
        ({"most": 0.5}, 1.1, 2.0, False),
        ({"least": 2}, 1.0, 2.0, True),
        ({"least": 2}, 1.1, 2.0, False),
        ({"most": 0}, 0.0, 0.0, True),
        ({"most": 0}, 1.0, 0.0, False),
        ({}, 1.0, 2.0, None),
    ],
    ids=str,
)
def test_a_goal_is_a_number_and_a_direction(
    goal: Dict[str, float], ours: float, against: float, held: Optional[bool]
) -> None:
    row = Row("row", "operation", "yardstick", **goal)  # type: ignore[arg-type]
    (ratio,) = row.ratios([ours], [against])
    assert row.holds(ratio) is held


def group(**goal: float) -> Group:
    """Compare the control with itself, and with what is not installed."""
    cases = {
        "ours": control("hits", SMALL),
        "itself": control("hits", SMALL),
        "nobody": Case("hits", "diskcache", "default", SMALL),
    }
    rows = (Row("same", "a hit", "itself", headline=True, **goal), Row("lost", "a hit", "nobody", **goal))  # type: ignore[arg-type]
    return Group("Itself", cases, rows, TINY)


def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups: List[Any], *arguments: str) -> Any:
    """Run the suite on these groups; return its exit code and its record."""
    monkeypatch.setattr(limits, "groups", lambda *, full: groups)
    monkeypatch.setattr(type(CONTENDERS["rust"]), "missing", lambda self: None)
    monkeypatch.setattr(type(CONTENDERS["diskcache"]), "missing", lambda self: "not installed")
    where = ("--out", str(tmp_path / "out"), "--scratch", str(tmp_path / "scratch"))
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", "--suite", "limits", *arguments, *where])
    (path,) = (tmp_path / "out" / "runs").iterdir()
    return ended.value.code, path


@pytest.mark.parametrize(("most", "status"), [(1e9, 0), (1e-9, 1)], ids=["held", "not held"])
def test_the_suite_exits_1_unless_every_row_holds(
    most: float, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, path = run(tmp_path, monkeypatch, [group(most=most)])
    assert code == status
    (verdict,) = Recorded.load(path).kind("verdict")
    assert (verdict["row"], verdict["held"]) == ("same", not status)
    assert len(verdict["samples"]) == len(verdict["ours"]["samples"]) == TINY.rounds


def test_a_row_without_a_goal_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, path = run(tmp_path, monkeypatch, [group()])
    assert (code, Recorded.load(path).kind("verdict")[0]["held"]) == (0, None)


def test_a_probe_that_fails_is_recorded_and_ends_only_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Probed("Broken", "no_such_probe", Row("broken", "nothing", "nothing", most=1))
    code, path = run(tmp_path, monkeypatch, [broken, group(most=1e9)])
    assert code == 1
    assert [record["kind"] for record in read(path) if "row" in record] == ["failure", "verdict"]


def test_one_row_may_be_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Group("Other", {}, (Row("other", "a hit", "itself"),), TINY)
    _, path = run(tmp_path, monkeypatch, [group(most=1e9), other], "--row", "same")
    run_of = Recorded.load(path)
    assert run_of.begin["command"] == "python -m harness run --suite limits --row same"
    assert run_of.whole is False


def test_an_unknown_row_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", "--suite", "limits", "--row", "hot"])
    assert ended.value.code == 2
    assert "unknown row 'hot' (did you mean hit?)" in capfd.readouterr().err


PROBES: Dict[str, Dict[str, Any]] = {
    "attached": {"rounds": 2, "n": 1000},
    "busy": {"slice_ms": 1, "seconds": 0.05, "repeats": 2},
    "memory": {"sizes": [1000, 2000]},
    "neighbour": {"rate": 100, "seconds": 0.2},
    "readers": {"rows": 200, "n": 100, "rounds": 2},
    "stall": {"rows": 200, "tasks": 4, "seconds": 0.05, "repeats": 2},
    "threads": {"rows": 200, "n": 100, "rounds": 2},
}


@needs_rust
@needs_linux
@pytest.mark.parametrize("name", PROBES)
def test_a_probe_gives_as_many_samples_of_both_sides(name: str, tmp_path: Path) -> None:
    from harness.probes.child import probe

    found = probe(name, PROBES[name], tmp_path)
    assert len(found["ours"]) == len(found["against"]) > 1
    assert all(value >= 0 for value in found["ours"])


@needs_rust
@needs_linux
def test_busy_reads_go_to_the_thread(tmp_path: Path) -> None:
    from harness.probes.busy import run as busy

    assert busy(str(tmp_path), 1, seconds=0.05, repeats=1)["facts"]["by_thread"] > 0


@needs_linux
def test_a_callback_that_waits_is_seen() -> None:
    async def wait() -> None:
        asyncio.get_running_loop().call_soon(time.sleep, 0.01)
        await asyncio.sleep(0.02)

    with Watch() as watch:
        asyncio.run(wait())
    assert watch.switches >= 1
    assert max(watch.times) >= 10_000_000


def recorded(folder: Path, python: str, number: int, command: str = "python -m harness run --suite limits") -> Path:
    """Write the record of a run with one row."""
    side = {"label": "ours", "unit": "ns", "summary": {"median": 50.0}}
    verdict = {"row": "hit", "operation": "a hit", "wanted": "<= 0.55", "held": False, "headline": True}
    shown = {"summary": {"median": 0.6, "q1": 0.5, "q3": 0.7}, "ours": side, "against": {**side, "label": "a dict"}}
    host = {"python": python, "cpu": "a CPU", "cores": 2, "file_system": "ext4"}
    records = [
        {"kind": "begin", "driver": "limits", "command": command, "host": host, "sync_us": 100, "machine": "m"},
        {"kind": "verdict", **verdict, **shown},
        {"kind": "end", "complete": True},
    ]
    folder.mkdir(exist_ok=True)
    path = folder / f"{number}.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def test_the_pages_show_the_newest_whole_record_of_each_python(tmp_path: Path) -> None:
    recorded(tmp_path, "3.11.2", 1)
    old = recorded(tmp_path, "3.11.2", 2)
    new = recorded(tmp_path, "3.13.0", 3)
    recorded(tmp_path, "3.11.2", 4, "python -m harness run --suite limits --row hit")
    assert (report.pick(tmp_path, latest=False), report.pick(tmp_path, latest=True)) == (old, new)


def test_there_is_no_latest_python_where_there_is_one(tmp_path: Path) -> None:
    recorded(tmp_path, "3.11.2", 1)
    assert report.pick(tmp_path, latest=True) is None


def test_a_page_says_how_to_make_the_record_until_there_is_one(tmp_path: Path) -> None:
    page, runs = tmp_path / "page.md", tmp_path / "runs"
    runs.mkdir()
    page.write_text("<!-- harness:limits -->\nold\n<!-- /harness:limits -->\n", encoding="utf-8")
    regenerate(page, lambda driver: None)
    text = page.read_text(encoding="utf-8")
    assert UNRECORDED in text
    assert problems(text, runs) == []
    recorded(runs, "3.11.2", 1)
    assert problems(text, runs) != []


def test_a_page_shows_the_table_once_there_is_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "ROOT", tmp_path)
    page, runs = tmp_path / "page.md", tmp_path / "runs"
    page.write_text(replaced(PAGE, "limits-rows", "old\n"), encoding="utf-8")
    path = recorded(runs, "3.11.2", 1)
    regenerate(page, lambda driver: path if driver == "limits" else None)
    row = "| hit | a hit | 50.0 ns | a dict: 50.0 ns | 0.60x (0.50..0.70) | <= 0.55 | NO |"
    assert row in page.read_text(encoding="utf-8")


def test_the_page_of_limits_is_what_its_records_give() -> None:
    assert problems(PAGE, RUNS) == []


def test_a_row_that_is_not_held_names_its_profile(tmp_path: Path) -> None:
    run_of = Recorded.load(recorded(tmp_path, "3.11.2", 1))
    assert report.missing_profiles(run_of, tmp_path) == ["results/profiles/hit.txt"]
    (tmp_path / "results" / "profiles").mkdir(parents=True)
    (tmp_path / "results" / "profiles" / "hit.txt").touch()
    assert report.missing_profiles(run_of, tmp_path) == []


def test_the_table_names_a_profile_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "ROOT", tmp_path)
    run_of = Recorded.load(recorded(tmp_path, "3.11.2", 1))
    (tmp_path / "results" / "profiles").mkdir(parents=True)
    (tmp_path / "results" / "profiles" / "hit.txt").touch()
    ((_, [row]),) = report.limits(run_of).sections
    assert row[-1] == "NO: `results/profiles/hit.txt`"


def test_the_page_shows_each_step_of_the_ladder(tmp_path: Path) -> None:
    path = recorded(tmp_path, "3.11.2", 1)
    begin, *others = read(path)
    steps = [
        ("sqlite3", "default-journal", 1, 900.0),
        ("sqlite3", "wal-full", 1, 300.0),
        ("rust", "writethrough-full", 1000, 3.0),
    ]
    measured = [
        {
            "kind": "measurement",
            "workload": "writers",
            "title": LADDER,
            "params": {"value_size": 64},
            "counters": {},
            "contender": contender,
            "configuration": configuration,
            "options": {"buffer_size": size},
            "summary": {"median": median, "q1": median, "q3": median},
        }
        for contender, configuration, size, median in steps
    ]
    table = report.ladder(Recorded(path.name, [begin, *measured, *others]))
    ((_, rows),) = table.sections
    assert [row[2:4] for row in rows] == [["", ""], ["3.00x", "19%"], ["100x", "81%"]]


def test_every_published_row_that_is_not_held_has_a_profile() -> None:
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    for name in set(re.findall(r"results/runs/([\w.-]+\.jsonl)", page)):
        assert report.missing_profiles(Recorded.load(RUNS / name), ROOT) == []


PERF = """
    12.06%  asyncdictsqlite  libc.so.6                              [.] __memcmp_evex_movbe               -      -
     4.11%  python           _rust.cpython-311-x86_64-linux-gnu.so  [.] 0x00000000000a4815                -      -
     2.44%  python           _rust.cpython-311-x86_64-linux-gnu.so  [.] 0x00000000000a4b1f                -      -
     0.10%  python           [kernel.kallsyms]                      [k] clear_page                        -      -
"""


def test_a_profile_sums_what_has_no_name() -> None:
    lines = profiled._table(PERF).splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["12.06", "%", "asyncdictsqlite", "libc", "user", "__memcmp_evex_movbe"],
        ["6.55", "%", "python", "_rust", "user", "(without", "names)"],
    ]


@needs_rust
@pytest.mark.skipif(shutil.which("perf") is None, reason="profiles are made by perf")
@pytest.mark.parametrize("row", ["hit", "busy-medium"])
def test_a_profile_names_the_row_and_no_path(row: str, tmp_path: Path) -> None:
    text = profiled.profiled(row, tmp_path, 0.3)
    assert text.startswith(f"python -m harness profile {row}: ")
    assert str(ROOT) not in text
    assert "python" in text.splitlines()[-1] or "python" in text
