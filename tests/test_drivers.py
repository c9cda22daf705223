"""Other people's tools run our workloads through drivers that define nothing themselves."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any, List

import pytest

from harness import cli
from harness.cli.benchmark import DRIVER
from harness.contenders import CONTENDERS
from harness.contenders.contender import Configuration, Contender, Durability, Face
from harness.drivers import pytest_benchmark
from harness.drivers.asv import blocks
from harness.measure import doors
from harness.measure.bench import Bench
from harness.measure.case import Case
from harness.measure.records import is_complete, read
from harness.measure.remote import ROOT
from harness.report import history
from harness.suites import fixed, from_pytest
from harness.workloads import WORKLOADS, Params
from harness.workloads.workload import Start

DRIVERS = sorted(path for path in (ROOT / "harness" / "drivers").rglob("*.py") if path.name != "__init__.py")
CLASSES = [made for made in vars(blocks).values() if inspect.isclass(made) and issubclass(made, blocks.Blocks)]
CLASSES.remove(blocks.Blocks)


def functions() -> List[Any]:
    """Return every function of the drivers, methods too."""
    found = [member for module in (blocks, pytest_benchmark) for member in vars(module).values()]
    found += [member for made in CLASSES for _, member in inspect.getmembers(made)]
    return [inspect.unwrap(member) for member in found if callable(member)]


def test_no_driver_function_is_a_coroutine_function() -> None:
    assert len(functions()) > len(CLASSES)
    assert [found for found in functions() if inspect.iscoroutinefunction(found)] == []


@pytest.mark.parametrize("path", DRIVERS, ids=lambda path: path.stem)
def test_a_driver_defines_no_body(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert [word for word in ("async ", "await ", "aget", "aset", "perf_counter", "Workload(") if word in source] == []


def test_asv_finds_a_class_for_each_workload() -> None:
    assert sorted(made.workload for made in CLASSES) == sorted(fixed.NAMES)


@pytest.mark.parametrize("made", CLASSES, ids=lambda made: made.__name__)
def test_a_class_measures_time_and_of_writes_the_bytes(made: Any) -> None:
    found = {name for name in dir(made) if name.startswith(("time_", "track_", "mem_", "peakmem_"))}
    written = {"track_written_bytes"} if WORKLOADS[made.workload].writes else set()
    assert found == {"time_block", "track_ns", *written}
    assert made.version == str(WORKLOADS[made.workload].version)


def test_asv_finds_nothing_else() -> None:
    names = [name for name in vars(blocks) if name.startswith(("time_", "track_", "mem_", "peakmem_"))]
    assert names == []


@pytest.mark.parametrize("name", fixed.NAMES)
def test_a_fixed_block_is_whole_steps_of_its_workload(name: str) -> None:
    found = fixed.fixed(name, "threads")
    assert found.n % WORKLOADS[name].step(found.case.params) == 0


@pytest.mark.parametrize("kind", ["time_block", "track_ns", "track_written_bytes"])
def test_asv_measures_a_block(kind: str) -> None:
    made = blocks.Sets()  # type: ignore[attr-defined]  # made from the registry
    made.setup("threads")
    value = getattr(made, kind)("threads")
    assert value is None if kind == "time_block" else value > 0


def test_asv_skips_a_backend_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(CONTENDERS["rust"]), "missing", lambda self: "rust: not built")
    with pytest.raises(NotImplementedError):
        blocks.Sets().setup("rust")  # type: ignore[attr-defined]


def test_pytest_benchmark_leaves_a_record(tmp_path: Path) -> None:
    out = tmp_path / "out"
    where = ("--out", str(out), "--scratch", str(tmp_path / "scratch"), "--machine", "test")
    with pytest.raises(SystemExit) as ended:
        cli.main(["benchmark", "-k", "ycsb-a-on-threads or opening-on-threads", *where])
    assert not ended.value.code
    (path,) = (out / "runs").iterdir()
    begin, *measured, end = found = read(path)
    assert (begin["driver"], is_complete(found), end["kind"]) == ("pytest-benchmark", True, "end")
    assert [record["workload"] for record in measured] == ["ycsb-a", "opening"]
    assert all(len(record["samples"]) == pytest_benchmark.ROUNDS for record in measured)
    assert str(tmp_path) not in path.read_text(encoding="utf-8")


def test_a_benchmark_is_the_same_in_a_record(tmp_path: Path) -> None:
    case = Case("ycsb-a", "rust", "writethrough-full", Params(tasks=8))
    info = {"case": case.as_json(), "n": 20, "facts": {"versions": {}}}
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"benchmarks": [{"extra_info": info, "stats": {"data": [0.001, 0.002]}}]}))
    (measured,) = from_pytest.measured(report)
    assert (measured.case, measured.samples) == (case, pytest.approx([50_000, 100_000]))


@pytest.mark.parametrize("content", ["", "{}", '{"benchmarks": [{"stats": {}}]}', "[]"])
def test_a_report_of_something_else_is_one_line(
    content: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    report.write_text(content)
    where = ("--out", str(tmp_path / "out"), "--scratch", str(tmp_path / "scratch"))
    with pytest.raises(SystemExit) as ended:
        cli.main(["benchmark", "--json", str(report), *where])
    assert ended.value.code == 2
    assert capfd.readouterr().err == (f"error: report.json is no report of {DRIVER} by --benchmark-json\n")


def results() -> List[Path]:
    return sorted((ROOT / "results" / "asv").glob("*/*-*.json"))


@pytest.mark.parametrize("path", results(), ids=lambda path: path.name[:8])
def test_what_asv_keeps_names_no_host_and_no_path(path: Path) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    assert sorted(data["params"]) == ["aiosqlite", "asv_runner", "machine", "maturin", "python"]
    assert data["env_vars"] == {}
    assert '"/' not in path.read_text(encoding="utf-8")


def test_the_history_has_a_row_for_each_workload_and_backend() -> None:
    commits = history.load(ROOT / "results" / "asv")
    table = history.table(commits)
    assert table is not None
    ((_, rows),) = table.sections
    assert {row[0] for row in rows} == {made.__name__ for made in CLASSES}
    assert len(table.headings) == 2 + len(results())


class Waits(Contender):
    """A store in-thread that waits while it is opened."""

    name = "waits"
    face = Face.SYNC
    configurations = {"": Configuration(Durability.VOLATILE, {})}  # noqa: RUF012

    async def open(self, folder: str, options: Any) -> Any:
        import asyncio

        await asyncio.sleep(0)


def test_a_sync_store_that_waits_at_opening_is_refused() -> None:
    with pytest.raises(AssertionError, match="waits"):
        doors.Doors(Waits(), "", {}).visit("key")


SMALL = Params(keys=20, tasks=4, batch=5)
STARTS = [name for name, workload in WORKLOADS.items() if workload.start in (Start.REOPENED, Start.CLOSED)]


@pytest.mark.parametrize("name", STARTS)
@pytest.mark.parametrize("contender", [name for name, found in CONTENDERS.items() if found.face is not Face.CONTROL])
def test_a_store_that_is_opened_again_has_what_was_written(name: str, contender: str, tmp_path: Path) -> None:
    found = CONTENDERS[contender]
    if found.missing() is not None:
        pytest.skip(str(found.missing()))
    bench = Bench()
    opened = bench.open(Case(name, contender, next(iter(found.configurations)), SMALL), str(tmp_path))
    assert bench.block(opened, WORKLOADS[name].step(SMALL)).ns > 0
    if WORKLOADS[name].start is Start.REOPENED:
        key, value = WORKLOADS[name].entries(SMALL)[7]
        assert bench.read(found.face, opened.store, [key]) == [value]
    bench.close(opened)
    bench.loop.close()
