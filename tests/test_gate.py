"""The gate's verdicts, by workers whose time and counters are drawn."""

from __future__ import annotations

import json
import random
import re
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

import pytest

from harness.figures import forest
from harness.gate import counting, shown, statistics
from harness.gate.bodies import BODIES, CONTROL, OURS, Body
from harness.gate.counting import Counter
from harness.gate.judging import Effort, Judge
from harness.gate.noise import noise
from harness.gate.record import GateRecord
from harness.gate.trees import Tree
from harness.gate.verdict import Verdict, conclude, judge_control, judge_time
from harness.measure import host
from harness.measure.records import Record, is_complete, read

EFFORT = Effort(restarts=5, quads=6, attempts=3)
HITS = next(body for body in BODIES if body.name == "hits")
SETS = next(body for body in BODIES if body.name == "sets")
HEAD = Tree("HEAD", "c" * 40, False, Path("head"), Path("python"), "0123")


class Worker:
    """Takes 100 ns for an operation, times a factor for each body, and noise."""

    def __init__(self, stand: Stand, factors: Dict[str, float]) -> None:
        self.stand = stand
        self.factors = factors
        self.names: Dict[int, str] = {}

    def ask(self, do: str, **request: Any) -> Dict[str, Any]:
        if do == "open":
            self.names[request["number"]] = self.stand.name(request["case"])
        if do != "time":
            return {}
        factor = self.factors.get(self.names[request["number"]], 1)
        return {"ns": request["n"] * 100 * factor * self.stand.drawn.gauss(1, self.stand.noise)}


class Stand:
    """Gives simulated pairs; ``slow`` are the factors of head."""

    def __init__(self, folder: Path, noise: float = 0.001, **slow: float) -> None:
        self.path = folder
        self.slow = slow
        self.noise = noise
        self.drawn = random.Random(1)
        self.pairs = 0

    @staticmethod
    def name(case: Dict[str, Any]) -> str:
        return "control" if case["contender_name"] == "control" else str(case["workload_name"])

    @contextmanager
    def timed(self, restart: int) -> Iterator[Tuple[Worker, Worker]]:
        self.pairs += 1
        yield Worker(self, {}), Worker(self, self.slow)

    @contextmanager
    def folder(self) -> Iterator[Path]:
        yield self.path / "stores"
        shutil.rmtree(self.path / "stores", ignore_errors=True)


def nothing(number: int) -> List[Counter]:
    return []


def new_record(folder: Path) -> GateRecord:
    return GateRecord(folder / "gate", "machine", HEAD)


def evaluated(
    folder: Path, stand: Stand, *bodies: Body, count: Callable[[int], List[Counter]] = nothing
) -> Tuple[Record, GateRecord]:
    with new_record(folder) as record:
        judge = Judge(record, stand, bodies or (HITS, SETS), EFFORT, count, lambda doing: None)  # type: ignore[arg-type]
        found = judge.evaluation(0)
    return found, record


def test_equal_trees_pass(tmp_path: Path) -> None:
    assert evaluated(tmp_path, Stand(tmp_path))[0]["verdict"] == "PASS"


def test_a_slower_body_fails_and_is_named(tmp_path: Path) -> None:
    found, _ = evaluated(tmp_path, Stand(tmp_path, sets=1.05))
    assert found["verdict"] == "FAIL"
    assert {body["body"]: body["verdict"] for body in found["bodies"]} == {"hits": "PASS", "sets": "FAIL"}


def test_a_faster_body_passes(tmp_path: Path) -> None:
    assert evaluated(tmp_path, Stand(tmp_path, sets=0.7))[0]["verdict"] == "PASS"


def test_a_ratio_at_the_limit_is_inconclusive(tmp_path: Path) -> None:
    assert evaluated(tmp_path, Stand(tmp_path, sets=statistics.LIMIT))[0]["verdict"] == "INCONCLUSIVE"


def test_noise_that_hides_the_limit_is_inconclusive(tmp_path: Path) -> None:
    found, _ = evaluated(tmp_path, Stand(tmp_path, noise=0.2))
    assert found["verdict"] == "INCONCLUSIVE"


def test_a_control_that_does_not_hold_is_measured_again_and_then_inconclusive(tmp_path: Path) -> None:
    stand = Stand(tmp_path, control=1.04, sets=1.5)
    found, record = evaluated(tmp_path, stand)
    assert (found["verdict"], found["attempt"]) == ("INCONCLUSIVE", EFFORT.attempts - 1)
    assert stand.pairs == EFFORT.attempts * EFFORT.restarts
    assert len(record.kind("evaluation")) == EFFORT.attempts


def test_a_control_that_holds_the_second_time_is_enough(tmp_path: Path) -> None:
    class Calming(Stand):
        def timed(self, restart: int) -> Any:
            self.slow = {"control": 1.04} if self.pairs < EFFORT.restarts else {}
            return super().timed(restart)

    found, _ = evaluated(tmp_path, Calming(tmp_path))
    assert (found["verdict"], found["attempt"]) == ("PASS", 1)


def test_a_risen_counter_fails_whatever_the_time_is(tmp_path: Path) -> None:
    risen = Counter("sets", "commits", [10.0], [11.0], 1.0, False)
    stand = Stand(tmp_path, control=1.1)
    assert evaluated(tmp_path, stand, count=lambda number: [risen])[0]["verdict"] == "FAIL"


COUNTERS = [
    ([100.0], [100.0], 1.0, False, "PASS"),
    ([100.0], [99.0], 1.0, False, "PASS"),
    ([100.0], [101.0], 1.0, False, "FAIL"),
    ([100.0], [101.0], 1.0, True, "ALLOWED"),
    ([0.0], [1.0], 1.0, False, "FAIL"),
    ([0.0], [0.0], 1.0, False, "PASS"),
    ([100.0, 104.0], [102.0, 103.0], 1.0, False, "INCONCLUSIVE"),
    ([100.0, 104.0], [105.0, 106.0], 1.0, False, "FAIL"),
    ([1000.0], [1019.0], 1.02, False, "PASS"),
    ([1000.0], [1020.0], 1.02, False, "FAIL"),
]


@pytest.mark.parametrize(("base", "head", "limit", "allowed", "verdict"), COUNTERS)
def test_a_counter_is_judged(base: List[float], head: List[float], limit: float, allowed: bool, verdict: str) -> None:
    assert Counter("body", "counter", base, head, limit, allowed).verdict == verdict


def test_a_counter_that_is_not_steady_is_inconclusive(tmp_path: Path) -> None:
    unsteady = Counter("sets", "commits", [10.0, 14.0], [12.0], 1.0, False)
    assert evaluated(tmp_path, Stand(tmp_path), count=lambda number: [unsteady])[0]["verdict"] == "INCONCLUSIVE"


def test_counters_that_only_one_side_has_are_not_compared() -> None:
    base: counting.Counts = {"sets": {"commits": [1.0], "syncs": [1.0]}, "gone": {"commits": [1.0]}}
    head: counting.Counts = {"sets": {"commits": [1.0]}}
    assert [(found.body, found.counter) for found in counting.compared(base, head, {}, set())] == [("sets", "commits")]


def test_without_timed_bodies_counters_decide(tmp_path: Path) -> None:
    single = next(body for body in BODIES if not body.timed)
    same = Counter("rows-single", "commits", [10.0], [10.0], 1.0, False)
    assert evaluated(tmp_path, Stand(tmp_path), single, count=lambda number: [same])[0]["verdict"] == "PASS"


def test_nothing_counted_and_nothing_timed_is_inconclusive(tmp_path: Path) -> None:
    single = next(body for body in BODIES if not body.timed)
    assert evaluated(tmp_path, Stand(tmp_path), single)[0]["verdict"] == "INCONCLUSIVE"


def test_exit_codes_are_distinct() -> None:
    from harness.cli.gate import BROKEN, USAGE

    assert [verdict.value for verdict in Verdict] == [0, 1, 2]
    assert (USAGE, BROKEN) == (64, 70)


class Interrupted(Stand):
    """Ctrl-C in the third restart."""

    def timed(self, restart: int) -> Any:
        if self.pairs == 2:
            raise KeyboardInterrupt
        return super().timed(restart)


def test_an_interrupted_gate_keeps_and_goes_on(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        evaluated(tmp_path, Interrupted(tmp_path))
    (path,) = (tmp_path / "gate").glob("*.jsonl")
    assert not is_complete(read(path))
    kept = [found for found in read(path) if found["kind"] == "restart"]
    assert len(kept) == 2
    stand, record = Stand(tmp_path), new_record(tmp_path)
    record.resume(path)
    with record:
        judge = Judge(record, stand, (HITS, SETS), EFFORT, nothing, lambda doing: None)  # type: ignore[arg-type]
        assert judge.evaluation(0)["verdict"] == "PASS"
    assert stand.pairs == EFFORT.restarts - 2
    assert is_complete(read(path))
    assert [found for found in read(path) if found["kind"] == "restart"][:2] == kept


def test_a_killed_gate_goes_on_from_its_last_whole_line(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        evaluated(tmp_path, Interrupted(tmp_path))
    (path,) = (tmp_path / "gate").glob("*.jsonl")
    *whole, restart, _ = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([*whole, restart[:100]]), encoding="utf-8")
    stand, record = Stand(tmp_path), new_record(tmp_path)
    record.resume(path)
    with record:
        Judge(record, stand, (HITS, SETS), EFFORT, nothing, lambda doing: None).evaluation(0)  # type: ignore[arg-type]
    assert stand.pairs == EFFORT.restarts - 1
    assert is_complete(read(path))


def begun(record: GateRecord, folder: Path, **asked: Any) -> None:
    """Begin a record as the gate does."""
    side = {"revision": "r", "commit": "c" * 40, "dirty": False, "package_hash": "0"}
    facts = {"aa": False, "evaluations": 1, "planted": None, **asked}
    record.add("begin", base=side, head=side, host=host.host(folder), load=host.load(), sync_us=80.0, **facts)


def test_the_noise_of_the_machine_is_stated(tmp_path: Path) -> None:
    with new_record(tmp_path) as record:
        begun(record, tmp_path)
        stand = Stand(tmp_path, noise=0.01)
        Judge(record, stand, (HITS,), EFFORT, nothing, lambda doing: None).evaluation(0)  # type: ignore[arg-type]
    control, machine = noise(record.records)
    widths = [float(found) for found in re.findall(r"([\d.]+)% wide, of the samples of one ([\d.]+)%", control)[0]]
    assert 0.1 < widths[0] < widths[1] < 3
    assert re.fullmatch(r"machine: load [\d.]+ before, [\d.]+ after, on \d+ cores; [\d.]+ s stolen; .* 80 µs", machine)


def test_nothing_is_said_of_the_noise_before_an_evaluation(tmp_path: Path) -> None:
    with new_record(tmp_path) as record:
        begun(record, tmp_path)
    assert noise(record.records) == []


def test_an_interrupted_series_says_how_often_it_failed_so_far(tmp_path: Path) -> None:
    with new_record(tmp_path) as record:
        begun(record, tmp_path, aa=True, evaluations=60)
        judge = Judge(record, Stand(tmp_path), (HITS,), EFFORT, nothing, lambda doing: None)  # type: ignore[arg-type]
        judge.evaluation(0)
        judge.evaluation(1)
    (said,) = shown.summary(record.records)
    assert said == "so far, false alarms: 0 of 2, 0.0% (0.0%..84.2%, Clopper-Pearson 95 %); 2 PASS"


def test_a_record_of_another_head_is_not_gone_on_with(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        evaluated(tmp_path, Interrupted(tmp_path))
    (path,) = (tmp_path / "gate").glob("*.jsonl")
    tree = Tree("HEAD", "d" * 40, False, Path("head"), Path("python"), "4567")
    other = GateRecord(tmp_path / "gate", "machine", tree)
    with pytest.raises(ValueError, match="another commit"):
        other.resume(path)


def test_closed_evaluations_are_not_measured_again(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    with new_record(tmp_path) as record:
        judge = Judge(record, stand, (HITS,), EFFORT, nothing, lambda doing: None)  # type: ignore[arg-type]
        assert judge.evaluation(0) == judge.evaluation(0)
    assert stand.pairs == EFFORT.restarts


def test_a_time_failure_needs_the_control() -> None:
    slow, wide = statistics.Ratio(1.2, 0.001, 9), statistics.Ratio(1.0, 0.05, 9)
    held, lost = judge_control("control", statistics.Ratio(1.0, 0.001, 9)), judge_control("control", wide)
    assert conclude([], held, judge_time({"hits": slow})) is Verdict.FAIL
    assert conclude([], lost, judge_time({"hits": slow})) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("ratio", "error"), [(1.01, 0.001), (1.0, 0.01), (0.97, 0.005)])
def test_the_control_must_hold_one_within_two_percent(ratio: float, error: float) -> None:
    assert judge_control("control", statistics.Ratio(ratio, error, 9)).verdict is Verdict.INCONCLUSIVE


def test_a_record_has_a_forest_and_tables(tmp_path: Path) -> None:
    with new_record(tmp_path) as record:
        begun(record, tmp_path)
        stand = Stand(tmp_path, sets=1.05)
        risen = Counter("sets", "commits", [10.0], [11.0], 1.0, False)
        judge = Judge(record, stand, (HITS, SETS), EFFORT, lambda n: [risen], lambda doing: None)  # type: ignore[arg-type]
        judge.evaluation(0)
        record.add("verdict", verdict="FAIL")
    forest.save(record.records, tmp_path / "one.png")
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
    counters, times = shown.tables(record.records)
    assert [row[0] for _, rows in counters.sections for row in rows] == ["sets"]
    assert [row[0] for _, rows in times.sections for row in rows] == ["hits", "sets", "control"]
    lines = shown.summary(record.records)
    assert lines[0] == "sets: commits FAIL"
    assert lines[1].startswith("sets: at least ")
    assert lines[-1] == "verdict: FAIL"
    assert str(tmp_path) not in json.dumps(record.records)


def test_bodies_have_names_and_a_control() -> None:
    names = [body.name for body in OURS.bodies]
    assert len({*names, CONTROL.name}) == len(names) + 1


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.name)
def test_counted_operations_fit_the_body(body: Body) -> None:
    step = body.case.workload.step(body.case.params)
    assert body.counted % step == 0
    assert not body.commit_after or body.commit_after == body.case.params.tasks
