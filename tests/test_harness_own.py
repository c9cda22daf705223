"""One's own case, going on with an interrupted run, and two records side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

import pytest

from harness import cli
from harness.contenders import CONTENDERS
from harness.measure import session
from harness.measure.bench import Bench
from harness.measure.case import Case
from harness.measure.records import is_complete, read
from harness.measure.rounds import Effort
from harness.report.compared import NotComparableError, compared, holm_levels
from harness.report.own import noise, own
from harness.report.recorded import Recorded
from harness.suites import pairs, run_sweep, sweep
from harness.workloads import Params, replay
from harness.workloads.streams import KINDS, values

TINY = Effort(rounds=3, block_s=0.001, case_s=60)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("contender", CONTENDERS)
def test_a_store_gives_back_values_of_every_kind(contender: str, kind: str, tmp_path: Path) -> None:
    found = CONTENDERS[contender]
    if found.missing() is not None:
        pytest.skip(str(found.missing()))
    params = Params(keys=20, tasks=2, value_size=200, value_kind=kind)
    bench = Bench()
    opened = bench.open(Case("own", contender, next(iter(found.configurations)), params), str(tmp_path))
    assert bench.block(opened, 20).ns > 0
    assert bench.read(found.face, opened.store, ["no such key"]) == [None]
    bench.close(opened)
    bench.loop.close()


@pytest.mark.parametrize("size", [200, 1000])
def test_a_dict_is_as_long_as_its_json(size: int) -> None:
    assert {len(json.dumps(value)) for value in values(Params(value_size=size, value_kind="dict"), "a")} == {size}


def test_a_store_that_is_slow_to_fill_is_left_out(tmp_path: Path) -> None:
    bench = Bench()
    with pytest.raises(TimeoutError, match="left out: it had 500 of 2000 entries"):
        bench.open(Case("own", "control", "dict", Params(keys=2000)), str(tmp_path), fill_s=0)
    bench.loop.close()


def ran(tmp_path: Path, *arguments: str) -> Path:
    """Run a command; return its record."""
    where = ("--out", str(tmp_path / "out"), "--scratch", str(tmp_path / "scratch"), "--machine", "test")
    with pytest.raises(SystemExit) as ended:
        cli.main([*arguments, *where])
    assert not ended.value.code
    (path,) = (tmp_path / "out" / "runs").glob("*.jsonl")
    return path


def test_ones_own_case_is_a_table_by_class_with_the_noise_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.suites.own.QUICK", TINY)
    chosen = ("--contender", "sqlite3", "--contender", "control")
    path = ran(tmp_path, "run", *chosen, "--keys", "50", "--read-ratio", "0.5", "--value-kind", "text")
    run = Recorded.load(path)
    table = own(run)
    assert run.complete
    assert table is not None
    assert [name for name, _ in table.sections] == ["synced before acknowledgement", "survives a kill"]
    assert {row[-1] for _, rows in table.sections for row in rows} == {"200 of 200"}
    said = " ".join(noise(run))
    assert all(word in said for word in ("one sync", "the control", "load", "stolen"))
    assert "--keys 50 --tasks 16 --read-ratio 0.5 --value-kind text" in run.begin["command"]


GROUPS = [
    pairs.Group(title, (Case("hits", "control", "dict", Params(keys=20)), Case("hits", "sqlite3", "wal-normal")))
    for title in ("first", "second")
]


class Interrupts:
    """Interrupt in the second group."""

    def __init__(self, at: int) -> None:
        self.left = at

    def expect(self, steps: int) -> None:
        pass

    def step(self, doing: str) -> None:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def opened(tmp_path: Path, resume: Any = None) -> session.Session:
    return session.Session(
        driver="sweep", out=tmp_path / "out", scratch=tmp_path / "scratch", machine="test", resume=resume
    )


def interrupted(tmp_path: Path) -> Path:
    """Return the record of a run that ended in its second group."""
    run = opened(tmp_path)

    def go() -> None:
        with run:
            run.begin(command="python -m harness sweep", profile="full", missing=[])
            run_sweep.run_sweep(run, GROUPS, [], TINY, Interrupts(13))

    with pytest.raises(KeyboardInterrupt):
        go()
    return run.record.path


def test_an_interrupted_run_is_gone_on_with_and_keeps_what_it_had(tmp_path: Path) -> None:
    path = interrupted(tmp_path)
    before = read(path)
    again = opened(tmp_path, path)
    with again:
        run_sweep.run_sweep(again, GROUPS, [], TINY, Interrupts(1000))
    after = read(path)
    assert is_complete(after)
    assert after[:3] == before[:3]
    assert [record.get("title") for record in after] == [None, "first", "first", "second", "second", None]
    assert {record["run"] for record in after} == {before[0]["run"]}


def test_the_command_of_an_interrupted_sweep_goes_on_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "groups", lambda full: GROUPS)
    monkeypatch.setattr(sweep, "FULL", TINY)
    path = interrupted(tmp_path)
    assert ran(tmp_path, "sweep") == path
    found = read(path)
    assert is_complete(found)
    assert len(found) == 6
    second = {record["title"]: len(record["samples"]) for record in found if record["kind"] == "measurement"}
    assert second == {"first": TINY.rounds, "second": TINY.rounds}


def test_a_run_of_another_package_is_not_gone_on_with(tmp_path: Path) -> None:
    path = interrupted(tmp_path)
    lines = [{**record, "package_hash": "another"} for record in read(path)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(ValueError, match="another package_hash"):
        opened(tmp_path, path)


def record(samples: List[float], **host: Any) -> Recorded:
    """Return a record of one case."""
    facts: Dict[str, Any] = dict.fromkeys(("cpu", "cores", "affinity", "memory_bytes", "kernel", "file_system"), 1)
    case: Dict[str, Any] = dict.fromkeys(("workload", "workload_version", "contender", "configuration", "title"), "x")
    case.update(options={}, params={}, metric="time", unit="ns")
    begin = {"kind": "begin", "schema": 1, "driver": "sweep", "machine": "m", "host": {**facts, **host}}
    found = {"samples": samples, "summary": {"median": sorted(samples)[len(samples) // 2]}}
    measured = {"kind": "measurement", **case, **found}
    return Recorded("a.jsonl", [begin, measured])


FLAT = [100.0 + number for number in range(9)]


def test_a_record_of_the_same_numbers_is_no_different() -> None:
    (found,) = compared(record(FLAT), record(FLAT))
    assert (found.ratio, found.verdict) == (1.0, "no difference seen")


def test_a_record_of_twice_the_time_is_slower() -> None:
    (found,) = compared(record(FLAT), record([2 * sample for sample in FLAT]))
    assert (found.ratio, found.verdict) == (2.0, "slower")


def test_a_parameter_that_an_older_record_does_not_have_had_its_default() -> None:
    newer, other = record(FLAT), record(FLAT)
    newer.records[1]["params"], other.records[1]["params"] = {"rate": 0}, {"rate": 1}
    assert len(compared(record(FLAT), newer)) == 1
    with pytest.raises(NotComparableError, match="no case in common"):
        compared(record(FLAT), other)


def test_records_of_different_machines_do_not_compare() -> None:
    with pytest.raises(NotComparableError, match="their cpu differs: 1 and other"):
        compared(record(FLAT), record(FLAT, cpu="other"))


def test_the_intervals_of_many_cases_are_wider_by_holm() -> None:
    assert holm_levels([0.5, 0.001, 0.02]) == pytest.approx([0.05, 0.05 / 3, 0.05 / 2])


def test_the_sample_trace_is_what_its_generator_makes() -> None:
    assert replay.SAMPLE.read_text(encoding="utf-8") == replay.sample()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1,a,1,10,7,get", "line 1 has 6 fields"),
        ("1,a,1,ten,7,get,0", "line 1: value_size 'ten'"),
        ("1,a,1,10,7,read,0", "line 1: operation 'read'"),
        ("1,a,1,10,7,delete,0", "it has no read and no write"),
    ],
)
def test_a_line_that_is_no_request_is_named(line: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replay.parse([line])


def test_a_trace_is_replayed_and_its_record_has_its_name_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.suites.own.QUICK", TINY)
    (tmp_path / "my.csv").write_text("1,a,1,9,7,get,0\n2,b,1,9,7,set,0\n")
    path = ran(tmp_path, "trace", str(tmp_path / "my.csv"), "--contender", "sqlite3", "--tasks", "2")
    assert own(Recorded.load(path)) is not None
    assert {record["params"]["trace"] for record in Recorded.load(path).kind("measurement")} == {"my.csv"}
    assert str(tmp_path) not in path.read_text(encoding="utf-8")
