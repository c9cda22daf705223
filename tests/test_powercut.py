"""Power cuts: what was acknowledged is there afterwards, and the simulator sees it when it is not."""

from __future__ import annotations

import random
import subprocess
import sys
from concurrent.futures import Executor
from pathlib import Path
from typing import Dict, Iterator, List, Optional

import pytest

from harness.measure.remote import ROOT
from harness.powercut import campaign, preload, recording, rows, subjects, table, trace
from harness.powercut.check import by_store, materialise
from harness.powercut.disk import POLICIES, Disk, apply
from harness.powercut.model import History, Progress, judge
from harness.powercut.subjects import Promise
from harness.powercut.workload import Call
from tests.test_mutants import Mutant, broken_package

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="LD_PRELOAD and /proc are needed"),
]

SEED = 20
PROCESSES = 2


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return preload.build(tmp_path_factory.mktemp("preload"))


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    with campaign.processes(PROCESSES) as pool:
        yield pool


# ---- what is promised -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("backend", "mode", "states"),
    [
        ("rust", "writethrough-full", 500),
        ("threads", "writethrough-full", 200),
        ("aiosqlite", "writethrough-full", 100),
        ("rust", "writethrough-normal", 50),
        ("rust", "lazy", 50),
        ("threads", "lazy", 50),
    ],
)
def test_a_power_cut_breaks_no_promise(
    tmp_path: Path, library: Path, pool: Executor, backend: str, mode: str, states: int
) -> None:
    planned = campaign.Campaign(states, SEED, calls=400)
    result = campaign.run(subjects.ours(backend, mode), planned, library, tmp_path, pool, PROCESSES)
    outcome = result.outcome
    print(f"{backend} {mode}, seed {SEED}: {outcome}")
    assert outcome.broken == []
    assert outcome.states == states
    assert set(outcome.by_policy) == set(POLICIES)
    assert outcome.reopened > 0
    assert (outcome.torn, outcome.holes, outcome.corrupt) == (0, 0, 0)
    assert (outcome.losing == 0) == (mode == "writethrough-full"), "the others lose something, and that is seen"


@pytest.mark.parametrize("backend", ["rust", "threads"])
def test_what_a_power_cut_leaves_of_a_new_file_opens(tmp_path: Path, library: Path, backend: str) -> None:
    subject = subjects.ours(backend, "writethrough-full")
    events = recording.record(recording.Setup.made_for(subject, SEED, 20), tmp_path / "recording", library).events()
    disk, torn, problems = Disk(events), 0, []
    opened = next(number for number, event in enumerate(events) if event.kind == trace.ISSUED)
    for position in range(opened + 1):
        disk.advance(position)
        for seed in range(24 if _writes_first_page(events[max(0, position - 2) : position]) else 1):
            folder = tmp_path / f"{position}-{seed}"
            folder.mkdir()
            materialise(disk.cut("torn", random.Random(seed)), folder)
            file = folder / subject.file
            torn += file.exists() and file.stat().st_size > 0 and not file.read_bytes().startswith(b"SQLite")
            problems.append(by_store(subject, folder).problem)
    print(f"{backend}: {len(problems)} power cuts while a file is made, {torn} times its first page was torn")
    assert torn > 0
    assert [problem for problem in problems if problem] == []


def _writes_first_page(events: List[trace.Event]) -> bool:
    return any(event.kind == trace.WRITE and bytes(event.data[:6]) == b"SQLite" for event in events)


def test_folders_of_posix_break_no_promise(tmp_path: Path, library: Path, pool: Executor) -> None:
    planned = campaign.Campaign(100, SEED, calls=200, strict_directory=True)
    result = campaign.run(subjects.ours("rust", "writethrough-full"), planned, library, tmp_path, pool, PROCESSES)
    print(f"rust writethrough-full, names kept by syncs of the folder only, seed {SEED}: {result.outcome}")
    assert result.outcome.broken == []


# ---- the simulator sees -----------------------------------------------------------------------------------

MUTANTS = {
    "acknowledge before commit": Mutant(
        "pycore/writer.py",
        "results = self._commit_group(calls)",
        "changes.are_blind_puts([(call.changes, call.old) for call in calls]) and"
        " finish_all([(call.op, [Was(False)] * len(call.changes), None) for call in calls]);"
        " results = self._commit_group(calls)",
        caught_by="acknowledged calls are lost",
    ),
    "batch without transaction": Mutant(
        "pycore/changes.py",
        "connection.executemany(UPSERT.format(table), sorted(rows.items()))",
        "for at in range(0, len(rows), 3): at and (connection.execute('COMMIT'),"
        " connection.execute('BEGIN IMMEDIATE')),"
        " connection.executemany(UPSERT.format(table), sorted(rows.items())[at : at + 3])",
        caught_by="a batch in part",
    ),
    "synchronous off": Mutant(
        "pycore/connection.py",
        'connection.execute(f"PRAGMA synchronous={SYNCHRONOUS[opening.options.synchronous]}")',
        'connection.execute("PRAGMA synchronous=OFF")',
        caught_by="acknowledged calls are lost",
    ),
    "flush without sync": Mutant(
        "pycore/writer.py",
        'self.connection.execute("PRAGMA synchronous=FULL")',
        "pass",
        caught_by="calls before flush",
    ),
    "flush that never starts by itself": Mutant(
        "pycore/lazy.py",
        "self._set_alarm(options.flush_interval)",
        "pass",
        caught_by="calls before flush",
    ),
}

MODES = {"flush without sync": "writethrough-normal", "flush that never starts by itself": "lazy"}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_caught(tmp_path: Path, library: Path, pool: Executor, name: str) -> None:
    mutant = MUTANTS[name]
    package = broken_package(tmp_path / "package", mutant)
    planned = campaign.Campaign(100, SEED, calls=300, sync_us=1000, package=package)
    subject = subjects.ours("threads", MODES.get(name, "writethrough-full"))
    result = campaign.run(subject, planned, library, tmp_path / "recordings", pool, PROCESSES)
    print(f"{name}, seed {SEED}: {len(result.outcome.broken)} broken promises in {result.outcome.states} power cuts")
    assert any(mutant.caught_by in problem for problem in result.outcome.broken)


def test_what_the_recorder_cannot_follow_is_refused(tmp_path: Path, library: Path) -> None:
    source = "import mmap; file = open('f', 'w+b'); file.write(b'x' * 4096); file.flush(); mmap.mmap(file.fileno(), 0)"
    with pytest.raises(trace.TraceError, match="mmap for writing"):
        recorded(source, tmp_path, library)


def recorded(source: str, folder: Path, library: Path) -> List[trace.Event]:
    """Run Python source in an empty folder; return what the recorder saw."""
    files = folder / "files"
    files.mkdir()
    environment = preload.environment(library, files, folder / "trace", 0)
    subprocess.run([sys.executable, "-c", source], check=True, cwd=files, env=environment)
    return trace.read(folder / "trace")


# ---- the disk ---------------------------------------------------------------------------------------------


def left(events: List[trace.Event], policy: str, seed: int = 0, *, strict: bool = False) -> Dict[str, bytes]:
    """Return the files that a power cut at the end leaves."""
    disk = Disk(events, strict_directory=strict)
    disk.advance(len(events))
    contents = {}
    for name, (file, kept) in disk.cut(policy, random.Random(seed)).files.items():
        content = bytearray(file.durable)
        for change in kept:
            apply(content, change)
        contents[name] = bytes(content)
    return contents


SYNCED_THEN_WRITTEN = """
import os
file = os.open("f", os.O_RDWR | os.O_CREAT)
os.pwrite(file, b"old" * 512, 0)
os.fsync(file)
os.pwrite(file, b"new" * 512, 0)
"""


def test_only_what_a_sync_covered_is_sure(tmp_path: Path, library: Path) -> None:
    events = recorded(SYNCED_THEN_WRITTEN, tmp_path, library)
    assert left(events, "nothing") == {"f": b"old" * 512}
    assert left(events, "all") == {"f": b"new" * 512}


def test_a_torn_write_leaves_whole_sectors(tmp_path: Path, library: Path) -> None:
    events = recorded(SYNCED_THEN_WRITTEN, tmp_path, library)
    seen = {left(events, "torn", seed)["f"] for seed in range(50)}
    old, new = b"old" * 512, b"new" * 512
    assert len(seen) > 4
    for content in seen:
        for at in range(0, len(old), 512):
            assert content[at : at + 512] in (old[at : at + 512], new[at : at + 512])


def test_a_name_is_sure_once_the_folder_is_synced(tmp_path: Path, library: Path) -> None:
    events = recorded(SYNCED_THEN_WRITTEN, tmp_path, library)
    assert left(events, "nothing", strict=True) == {}
    folder = SYNCED_THEN_WRITTEN + "os.fsync(os.open('.', os.O_RDONLY))"
    (tmp_path / "folder").mkdir()
    assert left(recorded(folder, tmp_path / "folder", library), "nothing", strict=True) == {"f": b"old" * 512}


def test_a_rename_that_was_not_synced_may_be_lost(tmp_path: Path, library: Path) -> None:
    events = recorded(SYNCED_THEN_WRITTEN + "os.rename('f', 'g')", tmp_path, library)
    assert left(events, "nothing") == {"f": b"old" * 512}
    assert left(events, "all") == {"g": b"new" * 512}


# ---- the model --------------------------------------------------------------------------------------------

CALLS = [
    Call("set", {"a": b"1"}),
    Call("batch_set", {"a": b"2", "b": b"2"}),
    Call("set", {"c": b"3"}),
]
PROMISE = Promise(acknowledged=True)


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ({"a": b"2", "b": b"2", "c": b"3"}, None),
        ({"a": b"2", "b": b"2"}, None),
        ({"a": b"1"}, "acknowledged calls are lost"),
        ({"a": b"2"}, "a batch in part"),
        ({"a": b"1", "c": b"3"}, "a later call without an earlier one"),
        ({"a": b"4", "b": b"2"}, "rows that nobody has written"),
    ],
)
def test_the_model_judges(rows: Dict[str, bytes], problem: Optional[str]) -> None:
    progress = Progress(issued=3, acknowledged={0: 0, 1: 0})
    broken = judge(History(CALLS), progress, PROMISE, rows, 0).broken
    assert (broken == []) if problem is None else any(problem in line for line in broken)


# ---- what is published ------------------------------------------------------------------------------------


def test_the_table_of_the_documentation_is_what_the_records_give() -> None:
    page = (ROOT / "docs" / "durability.md").read_text(encoding="utf-8")
    newest = table.newest(ROOT / "results" / "trust")
    assert newest
    figures = rows.markdown(rows.newest(ROOT / "results" / "trust"))
    written = table.between(table.written_into(page, newest), "trust:table", figures)
    assert page == written, "python -m harness.powercut table --into docs/durability.md"
