"""Many processes on one file, driven as one worker: each does a hand of the operations."""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, List, Sequence

from harness.measure.remote import RemoteWorker, WorkerError


class Crowd:
    """The workers of one case; the first fills the file before all of them open it."""

    def __init__(self, workers: Sequence[RemoteWorker]) -> None:
        self.workers = workers

    @property
    def alive(self) -> bool:
        return all(worker.alive for worker in self.workers)

    def ask(self, do: str, *, number: int, **request: Any) -> Dict[str, Any]:
        """Do what a worker is asked to, all of them at once.

        Raises:
            WorkerError: one of them failed.
        """
        if do == "open":
            return self._open(number, request)
        if do == "block":
            return self._block(number, request["n"])
        self._all(do, number=number)
        return {}

    def close(self) -> None:
        """Let the processes end, or end them."""
        for worker in self.workers:
            worker.close()

    def _open(self, number: int, request: Dict[str, Any]) -> Dict[str, Any]:
        facts = self.workers[0].ask("open", number=number, **request)
        self.workers[0].ask("close", number=number)
        for hand, worker in enumerate(self.workers):
            worker.ask("join", number=number, case=request["case"], folder=request["folder"], hand=hand)
        return facts

    def _block(self, number: int, n: int) -> Dict[str, Any]:
        """Return a block that lasts from the first beginning to the last end."""
        blocks = self._all("block", number=number, n=n // len(self.workers))
        counters: Counter[str] = Counter()
        seen: Dict[str, List[int]] = {}
        for block in blocks:
            counters.update(block["counters"])
            for name, values in block["seen"].items():
                seen.setdefault(name, []).extend(values)
        started = min(block["started"] for block in blocks)
        ns = max(block["started"] + block["ns"] for block in blocks) - started
        operations = sum(block["n"] for block in blocks)
        return {"n": operations, "ns": ns, "counters": dict(counters), "seen": seen, "started": started}

    def _all(self, do: str, **request: Any) -> List[Dict[str, Any]]:
        for worker in self.workers:
            worker.send(do, **request)
        answers, failures = [], []
        for worker in self.workers:
            try:
                answers.append(worker.answer())
            except WorkerError as error:
                failures.append(error)
        if failures:
            raise failures[0]
        return answers
