"""Facts about the harness that do not depend on the speed of a machine."""

from __future__ import annotations

import asyncio
import getpass
import inspect
import json
import os
import shutil
import signal
import socket
from pathlib import Path
from typing import Any, AsyncIterator, Callable, Iterator, List, Optional, Tuple

import pytest

from harness import cli, suites
from harness.contenders import CONTENDERS
from harness.contenders.contender import Contender, Durability, Face
from harness.figures import draw
from harness.figures.style import COLOURS
from harness.measure import bench, crowd, host, neighbour, promise, rounds, session, summary, syncs
from harness.measure.case import Case
from harness.measure.records import is_complete, read, without_paths
from harness.measure.remote import ROOT, Workers
from harness.measure.rounds import Effort, Measured, measure
from harness.report.recorded import Recorded
from harness.suites import pairs, run_sweep, stage, sweep
from harness.workloads import WORKLOADS, Params
from harness.workloads.workload import Body

TINY = Effort(rounds=3, block_s=0.001, case_s=60)
SMALL = Params(keys=20, tasks=4, batch=5)
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="syncs are counted with a library that cc builds")


class Recorder:
    """A store that remembers what is done to it, and refuses a write that changes nothing."""

    def __init__(self, entries: List[Tuple[str, bytes]]) -> None:
        self.entries = dict(entries)
        self.done: List[Tuple[str, Any]] = []

    def get(self, key: str) -> bytes:
        self.done.append(("get", key))
        return self.entries[key]

    def set(self, key: str, value: bytes) -> None:
        assert self.entries.get(key) != value, f"{key} has that value already"
        self.done.append(("set", (key, value)))
        self.entries[key] = value

    def batch_get(self, keys: List[str]) -> List[bytes]:
        return [self.get(key) for key in keys]

    def batch_set(self, items: Any) -> None:
        for key, value in items.items() if isinstance(items, dict) else items:
            self.set(key, value)

    def items(self, start: str = "", limit: Optional[int] = None) -> Iterator[Tuple[str, bytes]]:
        if limit is not None:
            self.done.append(("scan", (start, limit)))
            return
        for item in self.entries.items():
            self.done.append(("row", item))
            yield item

    def visit(self, key: str) -> None:
        self.done.append(("visit", key))

    async def avisit(self, key: str) -> None:
        self.visit(key)

    async def aitems(self, start: str = "", limit: Optional[int] = None) -> AsyncIterator[Tuple[str, bytes]]:
        for item in self.items(start, limit):
            yield item

    async def aget(self, key: str) -> bytes:
        return self.get(key)

    async def aset(self, key: str, value: bytes) -> None:
        self.set(key, value)

    async def abatch_get(self, keys: List[str]) -> List[bytes]:
        return self.batch_get(keys)

    async def abatch_set(self, items: Any) -> None:
        self.batch_set(items)


def performed(name: str, params: Params = SMALL, *, sync: bool = False) -> List[Tuple[str, Any]]:
    """Return what three blocks of a workload do to a store."""
    workload = WORKLOADS[name]
    store, state = Recorder(workload.entries(params)), workload.state(params)
    for _ in range(3):
        n = 2 * workload.step(params)
        workload.refill(state, n)
        asyncio.run(ran(workload.sync_body if sync else workload.body, store, state, n))
    return sorted(store.done, key=repr) if name == "threads" else store.done


async def ran(body: Body, store: Recorder, state: Any, n: int) -> None:
    """Let a body do its operations, whether it awaits anything or not."""
    done = body(store, state, n)
    if done is not None:
        await done


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workload_does_the_same_for_the_same_seed(name: str) -> None:
    assert performed(name) == performed(name)


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workload_does_something_else_for_another_seed(name: str) -> None:
    assert performed(name) != performed(name, Params(keys=20, tasks=4, batch=5, seed=2))


@pytest.mark.parametrize("name", WORKLOADS)
def test_the_twins_of_a_workload_do_the_same(name: str) -> None:
    assert performed(name) == performed(name, sync=True)


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_body_does_n_operations(name: str) -> None:
    done = performed(name)
    reads = [what for what, _ in done if what == "get"] if name in ("ycsb-f", "memory") else done  # and what they write
    assert len(reads) == 3 * 2 * WORKLOADS[name].step(SMALL)


def test_the_entries_of_a_seed_are_known_bytes() -> None:
    assert WORKLOADS["hits"].entries(Params(value_size=4, keys=1)) == [("key000000000", bytes.fromhex("d59d06de"))]


@pytest.mark.parametrize("module", [bench, crowd, neighbour, promise, rounds, run_sweep, stage, suites.run_stage])
def test_no_driver_function_is_a_coroutine_function(module: Any) -> None:
    functions = [function for name, function in inspect.getmembers(module) if not name.startswith("_")]
    functions += [getattr(bench.Bench, name) for name in ("open", "block", "close", "read")]
    assert not [function for function in functions if inspect.iscoroutinefunction(function)]


@pytest.mark.parametrize("contender", CONTENDERS.values(), ids=CONTENDERS)
def test_a_contender_declares_its_class_and_the_page_it_is_configured_by(contender: Contender) -> None:
    assert contender.configurations
    assert all(isinstance(chosen.durability, Durability) for chosen in contender.configurations.values())
    assert contender.page.startswith("https://") or (ROOT / contender.page).exists()


def test_a_sweep_names_only_what_there_is() -> None:
    cases = [case for full in (True, False) for group in sweep.groups(full=full) for case in group.cases]
    assert cases
    assert all(case.configuration and case.workload for case in cases)


def test_a_case_is_the_same_in_the_worker() -> None:
    case = Case("writers", "rust", "lazy", Params(tasks=8), {"buffer_size": 10})
    assert Case.from_json(json.loads(json.dumps(case.as_json()))) == case


def test_the_summary_is_median_and_quartiles() -> None:
    found = summary.summary([4.0, 1.0, 3.0, 2.0, 100.0])
    assert (found["median"], found["q1"], found["q3"], found["count"]) == (3.0, 2.0, 4.0, 5)


def test_the_interval_of_the_median_is_the_same_each_time() -> None:
    samples = [number**0.5 for number in range(60)]
    assert summary.summary(samples) == summary.summary(samples)


class Absent(type(CONTENDERS["diskcache"])):  # type: ignore[misc]
    """A peer that nobody has installed."""

    name = "absent"
    package = "absent-store"
    module = "absent_store"


def test_a_missing_peer_is_named_with_its_package_and_how_to_install_it() -> None:
    assert Absent().missing() == (
        "absent: the package absent-store is not installed: python -m pip install absent-store"
    )


def failed(capfd: pytest.CaptureFixture[str], *arguments: str) -> Tuple[Any, str]:
    """Run a command that ends the program; return its status and what it said."""
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    return ended.value.code, capfd.readouterr().err


def test_an_unknown_contender_is_one_line_that_lists_the_known(capfd: pytest.CaptureFixture[str]) -> None:
    status, said = failed(capfd, "run", "--contender", "mysql")
    assert status == 2
    assert said == f"error: unknown contender 'mysql': known are {', '.join(CONTENDERS)}\n"


def test_a_run_names_what_it_skips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(type(CONTENDERS["diskcache"]), "module", "no_such_module")
    where = ("--out", str(tmp_path / "out"), "--scratch", str(tmp_path / "scratch"))
    chosen = ("--contender", "control", "--contender", "diskcache", "--workload", "hits", "--json")
    status, said = failed(capfd, "run", *chosen, *where)
    assert (status, said) == (0, f"skipped: {CONTENDERS['diskcache'].missing()}\n")


def test_a_file_system_that_cannot_sync_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(host, "file_system", lambda folder: "tmpfs")
    where = ("--scratch", str(tmp_path / "scratch"), "--out", str(tmp_path / "out"))
    status, said = failed(capfd, "run", "--contender", "control", *where)
    assert status == 2
    assert said == "error: database files would be on tmpfs, which cannot sync: name a folder on a disk by --scratch\n"
    assert not (tmp_path / "out").exists()


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    found = Workers(tmp_path, None)
    yield found
    found.close()


def nothing(case: Case) -> None:
    """Watch nothing."""


def test_a_broken_contender_does_not_lose_the_others(tmp_path: Path, workers: Workers) -> None:
    cases = [
        Case("hits", "sqlite3", "wal-full", SMALL),
        Case("hits", "diskcache", "default", SMALL, {"disk": "no such disk"}),
        Case("hits", "control", "dict", SMALL),
    ]
    good, broken, control = found = [Measured(case) for case in cases]
    measure(found, workers, tmp_path / "group", TINY, nothing)
    assert broken.failure is not None
    assert len(good.samples) == len(control.samples) == TINY.rounds


def test_a_contender_that_takes_its_process_down_does_not_lose_the_others(tmp_path: Path, workers: Workers) -> None:
    cases = [Case("hits", "sqlite3", "wal-full", SMALL), Case("hits", "control", "dict", SMALL)]

    def crash(case: Case) -> None:
        if case.contender_name == "sqlite3":
            os.kill(workers.of(case).pid, signal.SIGKILL)

    broken, control = found = [Measured(case) for case in cases]
    measure(found, workers, tmp_path / "group", TINY, crash)
    assert broken.failure is not None
    assert len(control.samples) == TINY.rounds


def test_a_group_that_is_late_ends_early(tmp_path: Path, workers: Workers) -> None:
    late = Effort(rounds=9, block_s=0.001, case_s=0)
    measured = Measured(Case("hits", "control", "dict", SMALL))
    measure([measured], workers, tmp_path / "group", late, nothing)
    assert len(measured.samples) == rounds.LEAST_ROUNDS


class Quiet:
    """Watch nothing."""

    def expect(self, steps: int) -> None:
        pass

    def step(self, doing: str) -> None:
        pass


def small_run(tmp_path: Path) -> Path:
    """Run a small sweep; return its record."""
    cases = (
        Case("writers", "sqlite3", "wal-normal", SMALL),
        Case("writers", "sqlite3", "wal-normal", Params(keys=20, tasks=8)),
        Case("hits", "diskcache", "default", SMALL, {"disk": "no such disk"}),
    )
    run = session.Session(driver="sweep", out=tmp_path / "out", scratch=tmp_path / "scratch", machine="test")
    with run:
        run.begin(command="python -m harness run", profile="quick", missing=[])
        run_sweep.run_sweep(run, [pairs.Group("a group", cases)], ["sqlite3"], TINY, Quiet())
    return run.record.path


def test_a_record_has_no_absolute_path_no_host_and_no_user(tmp_path: Path) -> None:
    path = small_run(tmp_path)
    text = path.read_text(encoding="utf-8")
    private = [str(tmp_path), str(ROOT), str(Path.home()) + "/", f'"{socket.gethostname()}"', f'"{getpass.getuser()}"']
    assert [word for word in private if word in text] == []
    assert {record["kind"] for record in read(path)} == {"begin", "promise", "measurement", "failure", "end"}
    assert is_complete(read(path))


def test_each_store_has_a_colour_of_its_own_in_the_figures() -> None:
    colours = [COLOURS.get(name) for name in CONTENDERS]
    assert None not in colours
    assert len(set(colours)) == len(colours)


def test_a_figure_carries_the_name_of_its_record(tmp_path: Path) -> None:
    from PIL import Image

    path = small_run(tmp_path)
    (figure,) = draw(Recorded.load(path), tmp_path / "figures")
    with Image.open(figure) as image:
        assert image.info["Source"] == path.name


def test_paths_in_messages_are_cut_to_their_last_part() -> None:
    assert without_paths("no such file: '/somewhere/x/store.db'\n(see https://a.org/b/c)") == (
        "no such file: 'store.db' (see https://a.org/b/c)"
    )


class Interrupts(Quiet):
    """Interrupt in the second round."""

    def __init__(self) -> None:
        self.steps = 0

    def step(self, doing: str) -> None:
        self.steps += 1
        if self.steps == 3:
            raise KeyboardInterrupt


def test_an_interrupted_run_keeps_what_was_measured(tmp_path: Path) -> None:
    group = pairs.Group("a group", (Case("hits", "control", "dict", SMALL),))
    run = session.Session(driver="sweep", out=tmp_path / "out", scratch=tmp_path / "scratch", machine="test")

    def interrupted() -> None:
        with run:
            run_sweep.run_sweep(run, [group], [], TINY, Interrupts())

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    found = read(run.record.path)
    assert [record["kind"] for record in found] == ["measurement", "end"]
    assert (len(found[0]["samples"]), found[-1]["complete"]) == (2, False)


@needs_cc
@pytest.mark.parametrize(
    ("configuration", "expected"), [("default-journal", 4.0), ("wal-full", 1.0), ("wal-normal", 0.0)], ids=str
)
def test_syncs_are_counted(configuration: str, expected: float, tmp_path: Path) -> None:
    preload, why = syncs.build(tmp_path)
    assert preload is not None, why
    seen = promise.verify("sqlite3", configuration, Workers(tmp_path, preload), tmp_path)
    assert seen.syncs_per_write == pytest.approx(expected, abs=0.05)
    assert seen.left == seen.written


@pytest.mark.parametrize(
    ("durability", "left", "syncs", "held"),
    [
        (Durability.SYNCED, 200, 1.0, True),
        (Durability.SYNCED, 200, None, True),
        (Durability.SYNCED, 200, 0.5, False),
        (Durability.SYNCED, 199, 1.0, False),
        (Durability.KILL, 200, 0.0, True),
        (Durability.KILL, 199, 0.0, False),
        (Durability.VOLATILE, 0, 0.0, True),
    ],
)
def test_a_promise_is_held_or_not(durability: Durability, left: int, syncs: Any, held: bool) -> None:
    names = {Durability.SYNCED: "wal-full", Durability.KILL: "wal-normal"}
    case = Case("rows-single", "sqlite3", names.get(durability, ""))
    if durability is Durability.VOLATILE:
        case = Case("rows-single", "dictsqlite", "lazy")
    assert promise.Promise(case, 200, left, syncs, {}).held is held


def control_goal(most: float) -> Callable[[], stage.Goal]:
    """Return a goal that compares the control with itself."""
    side = stage.Side(Case("hits", "control", "dict", SMALL), 20)
    return lambda: stage.Goal("itself", "the control costs less than itself", side, side, 1, most=most)


@pytest.mark.parametrize(("most", "status"), [(1e9, 0), (0.0, 1)], ids=["held", "not held"])
def test_the_stage_suite_exits_1_unless_its_goals_hold(
    most: float, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "GOALS", (control_goal(most),))
    monkeypatch.setattr(type(CONTENDERS["rust"]), "missing", lambda self: None)
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", "--suite", "stage", "--out", str(tmp_path / "out"), "--scratch", str(tmp_path / "scratch")])
    assert ended.value.code == status
    (path,) = (tmp_path / "out" / "runs").iterdir()
    verdict = read(path)[1]
    assert (verdict["kind"], verdict["held"], len(verdict["samples"])) == ("verdict", status == 0, stage.ROUNDS)


def test_the_control_runs_where_it_has_a_twin() -> None:
    cases = [case for group in sweep.groups(full=True) for case in group.cases if case.contender.face is Face.CONTROL]
    assert cases
    assert all(case.workload.control_body for case in cases)
