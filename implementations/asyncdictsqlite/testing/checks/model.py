"""Sections 1 to 4 at once: a state machine against dict, by Hypothesis."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import warnings
from typing import Any, Dict, Iterator, List, Optional, Tuple

from ... import AsyncDictSQLite
from ...protocol import Capability
from ..check import Bench, check
from ..expect import equal, on_threads

_EXAMPLES, _STEPS = 10, 30
_KEYS = ["", "\0", "a", "aa", "b", "ü", "\uffff", "😀"]
_VALUES: Dict[str, List[Any]] = {
    "pickle": [None, 0, "x", (1, 2), [1, [2]], {"a": {1, 2}}, b"b"],
    "json": [None, 0, "x", [1, [2]], {"a": None}],
    "jsonb": [None, 0, "x", [1, [2]], {"a": None}],
    "bytes": [b"", b"x", b"y" * 100],
}
# Pairwise over storage mode and capacity, for each persist mode.
_CAPACITIES = (0, 2, 1000)


@check("1.15", "2.4", "3.1", "4.1", needs={Capability.MEMORY}, seconds=30)
async def memory_is_a_dict(bench: Bench) -> None:
    """Any sequence of calls on a memory store answers as dict would."""
    await _run(bench, "memory")


@check("1.15", "2.4", "3.11", "4.1", needs={Capability.LAZY}, seconds=30)
async def lazy_is_a_dict(bench: Bench) -> None:
    """Any sequence of calls on a lazy store, flushes, cancels and reopens among them, answers as dict would."""
    await _run(bench, "lazy")


@check("1.15", "2.4", "3.7", "4.1", needs={Capability.WRITETHROUGH}, seconds=30)
async def writethrough_is_a_dict(bench: Bench) -> None:
    """Any sequence of calls on a writethrough store, cancels and reopens among them, answers as dict would."""
    await _run(bench, "writethrough")


async def _run(bench: Bench, persist_mode: str) -> None:
    for number, storage_mode in enumerate(bench.storage_modes):
        capacity = 1000 if persist_mode == "memory" else _CAPACITIES[(number + bench.seed) % 3]
        await on_threads(1, lambda _: _run_machine(bench, persist_mode, storage_mode, capacity))  # noqa: B023


class Model:
    """A store beside a dict; every step does the same to both and compares the answers.

    The calls go over a loop of its own, now and then by the sync twin.
    """

    def __init__(self, bench: Bench, name: str, options: Dict[str, Any]) -> None:
        self._path, self._options = bench.path(name), options
        self._loop = asyncio.new_event_loop()
        self._dict: Dict[str, Any] = {}
        self.open()

    def open(self) -> None:
        """Open the store."""
        self._db = AsyncDictSQLite(self._path, **self._options)

    def end(self) -> None:
        """Compare once more, and close."""
        self.same_items(None, None, reverse=False)
        self._db.close()
        self._loop.close()

    def same(self, name: str, *arguments: Any, sync: bool, wanted: Any) -> None:
        """Call a method and demand this answer."""
        call = (
            getattr(self._db, name)
            if sync
            else lambda *given: self._loop.run_until_complete(getattr(self._db, "a" + name)(*given))
        )
        equal((name, call(*arguments)), (name, wanted))

    def get(self, key: str, sync: bool) -> None:
        """Read a key."""
        self.same("get", key, 7, sync=sync, wanted=self._dict.get(key, 7))

    def set(self, key: str, value: Any, sync: bool) -> None:
        """Write a key."""
        self.same("set", key, value, sync=sync, wanted=None)
        self._dict[key] = value

    def delete(self, key: str, sync: bool) -> None:
        """Delete a key."""
        self.same("delete", key, sync=sync, wanted=self._dict.pop(key, self) is not self)

    def pop(self, key: str, sync: bool) -> None:
        """Take a key."""
        self.same("pop", key, "none", sync=sync, wanted=self._dict.pop(key, "none"))

    def setdefault(self, key: str, value: Any, sync: bool) -> None:
        """Set a default."""
        self.same("setdefault", key, value, sync=sync, wanted=self._dict.setdefault(key, value))

    def batch_get(self, keys: List[str], sync: bool) -> None:
        """Read many keys."""
        self.same("batch_get", keys, sync=sync, wanted=[self._dict.get(key) for key in keys])

    def batch_set(self, pairs: List[Tuple[str, Any]], sync: bool) -> None:
        """Write many keys."""
        self.same("batch_set", pairs, sync=sync, wanted=None)
        self._dict.update(pairs)

    def batch_delete(self, keys: List[str], sync: bool) -> None:
        """Delete many keys."""
        self.same("batch_delete", keys, sync=sync, wanted=len(set(keys) & self._dict.keys()))
        for key in keys:
            self._dict.pop(key, None)

    def clear(self, sync: bool) -> None:
        """Delete everything."""
        self.same("clear", sync=sync, wanted=None)
        self._dict.clear()

    def same_items(self, start: Optional[str], end: Optional[str], *, reverse: bool) -> None:
        """Iterate."""
        keys = [key for key in self._dict if key >= (start or "") and (end is None or key < end)]
        wanted = [(key, self._dict[key]) for key in sorted(keys, reverse=reverse)]
        equal(list(self._db.items(start=start, end=end, reverse=reverse)), wanted)
        equal(len(self._db), len(self._dict))

    def cancelled_set(self, pairs: List[Tuple[str, Any]]) -> None:
        """Write, cancelled before, while or after it runs: applied all the same, since it was handed over."""

        async def cancel() -> None:
            task = asyncio.ensure_future(self._db.abatch_set(pairs))
            if len(pairs) % 2:
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self._loop.run_until_complete(cancel())
        self._dict.update(pairs)
        self.pop("zz", sync=True)  # what comes later comes after it

    def at_once(self, pairs: List[Tuple[str, Any]], keys: List[str]) -> None:
        """Hand several calls over before any is awaited."""

        async def gather() -> List[Any]:
            writes = [self._db.aset(key, value) for key, value in pairs]
            takes = [self._db.apop(key, "none") for key in keys]
            return (await asyncio.gather(*writes, *takes))[len(pairs) :]

        found = self._loop.run_until_complete(gather())
        self._dict.update(pairs)
        equal(found, [self._dict.pop(key, "none") for key in keys])

    def flush(self, sync: bool) -> None:
        """Flush."""
        self.same("flush", sync=sync, wanted=None)

    def reopen(self) -> None:
        """Close and open again; a memory store starts anew."""
        self._loop.run_until_complete(self._db.aclose())
        if self._options["persist_mode"] == "memory":
            self._dict.clear()
        self.open()


def _run_machine(bench: Bench, persist_mode: str, storage_mode: str, capacity: int) -> None:
    hypothesis = _hypothesis()
    strategies, stateful = (
        importlib.import_module("hypothesis.strategies"),
        importlib.import_module("hypothesis.stateful"),
    )
    sync, key, value = (
        strategies.booleans(),
        strategies.sampled_from(_KEYS),
        strategies.sampled_from(_VALUES[storage_mode]),
    )
    keys, pairs = strategies.lists(key, max_size=5), strategies.lists(strategies.tuples(key, value), max_size=5)
    bound = strategies.sampled_from([None, *_KEYS])
    steps: Dict[str, Dict[str, Any]] = {
        "get": {"key": key, "sync": sync}, "set": {"key": key, "value": value, "sync": sync}, "delete": {"key": key,
        "sync": sync}, "pop": {"key": key, "sync": sync}, "setdefault": {"key": key, "value": value, "sync": sync},
        "batch_get": {"keys": keys, "sync": sync}, "batch_set": {"pairs": pairs, "sync": sync},
        "batch_delete": {"keys": keys, "sync": sync}, "clear": {"sync": sync}, "same_items": {"start": bound,
        "end": bound, "reverse": sync}, "cancelled_set": {"pairs": pairs}, "at_once": {"pairs": pairs, "keys": keys},
        "flush": {"sync": sync}, "reopen": {},
    }  # fmt: skip
    options = {
        "backend": bench.backend,
        "persist_mode": persist_mode,
        "storage_mode": storage_mode,
        "capacity": capacity,
    }
    count = iter(range(10**9))

    def begin(self: Any) -> None:
        stateful.RuleBasedStateMachine.__init__(self)
        self.model = Model(bench, f"{persist_mode}-{storage_mode}-{next(count)}.db", options)

    members: Dict[str, Any] = {"__init__": begin, "teardown": lambda self: self.model.end()}
    for name, arguments in steps.items():
        members[name] = stateful.rule(**arguments)(_step(name))
    machine = hypothesis.seed(bench.seed)(type("AgainstDict", (stateful.RuleBasedStateMachine,), members))
    settings = hypothesis.settings(
        max_examples=_EXAMPLES, stateful_step_count=_STEPS, deadline=None, database=None,
        phases=[hypothesis.Phase.generate],  # the steps of a failure are few: no time is spent on making them fewer
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    with _home(bench), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stateful.run_state_machine_as_test(machine, settings=settings)


@contextlib.contextmanager
def _home(bench: Bench) -> Iterator[None]:
    """Let Hypothesis keep its notes in the check's folder, not in the current one."""
    configuration = importlib.import_module("hypothesis.configuration")
    before = getattr(configuration, "__hypothesis_home_directory", None)
    configuration.set_hypothesis_home_dir(bench.path("hypothesis"))
    try:
        yield
    finally:
        configuration.set_hypothesis_home_dir(before)


def _step(name: str) -> Any:
    def step(self: Any, **arguments: Any) -> None:
        getattr(self.model, name)(**arguments)

    step.__name__ = name
    return step


def _hypothesis() -> Any:
    try:
        return importlib.import_module("hypothesis")
    except ImportError as error:
        raise AssertionError("this check needs hypothesis: install asyncdictsqlite[testing]") from error
