"""Open loops, stalls, threads, processes, neighbours and memory: what is counted, not how fast it is."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any, Iterator, List, Tuple

import pytest

from harness.contenders import CONTENDERS
from harness.contenders.contender import Face
from harness.figures import draw
from harness.measure import session
from harness.measure.bench import Bench
from harness.measure.case import Case
from harness.measure.crowd import Crowd
from harness.measure.neighbour import KEY, Neighbour
from harness.measure.remote import Workers
from harness.measure.rounds import Effort, Measured, measure
from harness.measure.summary import distribution
from harness.report import waiting
from harness.report.recorded import Recorded
from harness.suites import pairs, run_sweep, sweep
from harness.workloads import WORKLOADS, Params, open_loop, stalls, streams
from harness.workloads.workload import Start

TINY = Effort(rounds=2, block_s=0.01, case_s=60)
NEW = ("ycsb-e", "cold-batches", "open-loop", "stalls", "threads", "processes", "beside-commits", "memory")
TRIED = {
    (case.workload_name, case.contender_name): case
    for group in sweep.groups(full=True)
    for case in group.cases
    if case.workload_name in NEW
}


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    found = Workers(tmp_path, None)
    yield found
    found.close()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("case", TRIED.values(), ids=[" on ".join(pair) for pair in TRIED])
def test_a_workload_runs_on_every_store_of_the_sweep(case: Case, tmp_path: Path, workers: Workers) -> None:
    if case.contender.missing() is not None:
        pytest.skip(str(case.contender.missing()))
    params = Params(keys=200, tasks=2, batch=50, rate=1000, read_ratio=0.5)
    measured = Measured(Case(case.workload_name, case.contender_name, case.configuration_name, params))
    measure([measured], workers, tmp_path / "group", TINY, lambda case: None)
    assert measured.failure is None
    assert len(measured.samples) == TINY.rounds
    assert set(measured.seen) == SEEN.get(case.workload_name, set())


SEEN = {
    "open-loop": {"reads", "writes", "late"},
    "stalls": {"callbacks"},
    "threads": {"operations"},
    "processes": {"operations"},
}

SCANNING = [name for name, contender in CONTENDERS.items() if contender.scans]


@pytest.mark.parametrize("name", SCANNING)
def test_a_scan_gives_the_entries_from_a_key_on_in_order(name: str, tmp_path: Path) -> None:
    contender = CONTENDERS[name]
    if contender.missing() is not None:
        pytest.skip(str(contender.missing()))
    bench, entries = Bench(), streams.entries(Params(keys=20))
    opened = bench.open(Case("hits", name, next(iter(contender.configurations)), Params(keys=20)), str(tmp_path))

    async def scanned() -> List[Tuple[str, bytes]]:
        if contender.face is Face.SYNC:
            return list(opened.store.items(start="key000000004+", limit=7))
        return [item async for item in opened.store.aitems(start="key000000004+", limit=7)]

    assert bench.loop.run_until_complete(scanned()) == entries[5:12]
    bench.close(opened)
    bench.loop.close()


class Clock:
    """A clock that moves when it is told to; an alarm of it lets the loop turn once."""

    def __init__(self) -> None:
        self.now = 0

    def __enter__(self) -> Clock:
        return self

    def __exit__(self, *ended: object) -> None:
        pass

    async def until(self, due: int) -> None:
        await asyncio.sleep(0)
        self.now = max(self.now, due)

    def get(self, key: str) -> None:
        """Hold the loop for 5."""
        self.now += 5


def test_a_request_takes_its_time_from_when_it_was_to_come(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(open_loop, "perf_counter_ns", lambda: clock.now)
    monkeypatch.setattr(open_loop, "Alarm", lambda: clock)
    state = WORKLOADS["open-loop"].state(Params(keys=10, read_ratio=1.0))
    state.due = [1, 2, 3]
    asyncio.run(open_loop.sync_requests(clock, state, 3))
    assert state.forget() == {"reads": [5, 9, 13], "writes": [], "late": [0, 4, 8]}


def test_the_time_of_a_block_of_requests_is_that_of_its_requests(tmp_path: Path) -> None:
    bench = Bench()
    params = Params(keys=10, rate=10_000)
    opened = bench.open(Case("open-loop", "control", "dict", params), str(tmp_path))
    block = bench.block(opened, 20)
    assert block.ns == sum(block.seen["reads"]) + sum(block.seen["writes"])
    assert len(block.seen["late"]) == len(block.seen["reads"]) + len(block.seen["writes"]) == 20
    bench.close(opened)
    bench.loop.close()


def test_arrivals_are_drawn_from_the_seed_at_the_rate() -> None:
    state, again = (WORKLOADS["open-loop"].state(Params(keys=10, rate=1000)) for _ in range(2))
    for one in (state, again):
        WORKLOADS["open-loop"].refill(one, 10_000)
    assert state.due == again.due == sorted(state.due)
    assert state.due[-1] / 1e9 == pytest.approx(10, rel=0.05)


def test_an_alarm_rings_not_before_its_time() -> None:
    async def rung() -> int:
        with open_loop.Alarm() as alarm:
            due = time.perf_counter_ns() + 2_000_000
            await alarm.until(due)
            return time.perf_counter_ns() - due

    assert asyncio.run(rung()) >= 0


def test_a_watch_looks_at_every_callback() -> None:
    async def turned() -> stalls.Watch:
        with stalls.Watch() as watch:
            for _ in range(5):
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        return watch

    assert len(asyncio.run(turned()).times) == 5


def test_a_neighbour_commits_while_it_is_told_to(tmp_path: Path) -> None:
    bench = Bench()
    case = Case("beside-commits", "sqlite3", "wal-normal", Params(keys=10, rate=1000))
    opened = bench.open(case, str(tmp_path))
    assert opened.neighbour is not None
    with opened.neighbour:
        first = opened.store.get(KEY)
        while opened.store.get(KEY) == first:
            time.sleep(0.001)
    rest = opened.store.get(KEY)
    time.sleep(0.02)
    assert opened.store.get(KEY) == rest
    bench.close(opened)
    bench.loop.close()


SEEING = [name for name, contender in CONTENDERS.items() if contender.processes is not None]


@pytest.mark.timeout(60)
@pytest.mark.filterwarnings("ignore::asyncdictsqlite.errors.WalResetWarning")
@pytest.mark.parametrize("name", SEEING)
def test_a_store_for_several_processes_sees_what_another_one_wrote(name: str, tmp_path: Path) -> None:
    contender = CONTENDERS[name]
    if contender.missing() is not None:
        pytest.skip(str(contender.missing()))
    bench = Bench()
    configuration = TRIED["beside-commits", name].configuration_name
    opened = bench.open(Case("beside-commits", name, configuration, Params(keys=10, rate=100)), str(tmp_path))
    first = bench.read(contender.face, opened.store, [KEY])
    assert opened.neighbour is not None
    with opened.neighbour:
        while bench.read(contender.face, opened.store, [KEY]) == first:
            time.sleep(0.001)
    bench.close(opened)
    bench.loop.close()


def test_a_neighbour_that_cannot_open_the_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(OSError, match="did not open"):
        Neighbour(Case("beside-commits", "sqlite3", "wal-normal"), str(tmp_path))


SHARED = Case("processes", "sqlite3", "wal-normal", Params(keys=20, tasks=2))


def test_processes_do_a_hand_each(tmp_path: Path, workers: Workers) -> None:
    crowd = Crowd([workers.fresh(), workers.fresh()])
    crowd.ask("open", number=0, case=SHARED.as_json(), folder=str(tmp_path))
    block = crowd.ask("block", number=0, n=40)
    crowd.close()
    assert (block["n"], len(block["seen"]["operations"])) == (40, 40)


def test_a_process_that_ends_ends_its_case_only(tmp_path: Path, workers: Workers) -> None:
    broken, control = found = [Measured(SHARED), Measured(Case("hits", "control", "dict", Params(keys=20)))]
    made: List[Any] = []
    monkey = workers.fresh

    def fresh() -> Any:
        made.append(monkey())
        return made[-1]

    workers.fresh = fresh  # type: ignore[method-assign]

    def crash(case: Case) -> None:
        if case.workload.start is Start.PROCESSES and made[1].alive:
            os.kill(made[1].pid, signal.SIGKILL)

    measure(found, workers, tmp_path / "group", TINY, crash)
    assert broken.failure is not None
    assert len(control.samples) == TINY.rounds
    assert not made[0].alive


def test_memory_is_what_the_process_grew_by_since_the_first_block() -> None:
    blocks = [{"n": 10, "ns": 1, "own_bytes": 1500}, {"n": 10, "ns": 1, "own_bytes": 3000}]
    measured = Measured(Case("memory", "control", "dict"), blocks=blocks, own_bytes=1000)
    assert measured.samples == [50, 100]


def test_a_distribution_has_the_least_value_that_a_share_does_not_exceed() -> None:
    found = distribution(list(range(1, 10_001)))
    assert found["count"] == 10_000
    assert {found["quantiles"][share] for share in ("0.5", "0.99", "0.999", "1")} == {5000, 9900, 9990, 10_000}


def small(workload: str, contender: str, configuration: str, **params: Any) -> pairs.Group:
    cases = (Case(workload, contender, configuration, Params(keys=64, **params)),)
    return pairs.Group(f"{workload} {params}", cases, TINY)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """Return the record of a small sweep."""
    folder = tmp_path_factory.mktemp("sweep")
    groups = [
        *(small("open-loop", "sqlite3-executor", "wal-normal", rate=rate) for rate in (500, 1000)),
        small("open-loop", "control", "dict", rate=500, slice_ms=0.1),
        small("stalls", "control", "dict", tasks=4),
        *(small("threads", "sqlite3", "wal-normal", tasks=threads, read_ratio=1.0) for threads in (1, 2)),
        small("beside-commits", "sqlite3", "wal-normal", rate=100),
        small("memory", "control", "dict"),
    ]
    opened = session.Session(driver="sweep", out=folder / "out", scratch=folder / "scratch", machine="test")
    with opened:
        opened.begin(command="python -m harness run", profile="quick", missing=[])
        run_sweep.run_sweep(opened, groups, [], TINY, Quiet())
    return Recorded.load(opened.record.path)


class Quiet:
    """Watch nothing."""

    def expect(self, steps: int) -> None:
        pass

    def step(self, doing: str) -> None:
        pass


def test_a_record_has_the_shares_of_what_was_seen(run: Recorded) -> None:
    assert run.kind("failure") == []
    found = {record["workload"]: record["distributions"] for record in run.kind("measurement")}
    assert {name: set(seen) for name, seen in found.items()} == {
        **{name: SEEN[name] for name in ("open-loop", "stalls", "threads")},
        "beside-commits": set(),
        "memory": set(),
    }
    for seen in found.values():
        assert all(list(one["quantiles"].values()) == sorted(one["quantiles"].values()) for one in seen.values())


def test_a_record_of_memory_is_in_bytes(run: Recorded) -> None:
    (record,) = run.measurements("memory")
    assert (record["metric"], record["unit"]) == ("memory per entry", "B")


def test_every_table_and_figure_of_waiting_and_sharing_is_made(run: Recorded, tmp_path: Path) -> None:
    assert len(waiting.tables(run)) == 8
    assert [path.stem for path in draw(run, tmp_path)] == ["latency", "stalls", "sharing", "memory"]
