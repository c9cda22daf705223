"""A worker process: opens, times and closes cases as it is told, one JSON line each way.

Standard output carries the answers, so what a contender prints is sent to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Callable, Dict, Mapping, TextIO

from harness.measure.bench import Bench, Opened
from harness.measure.case import Case

Request = Mapping[str, Any]
Answer = Dict[str, Any]


class Worker:
    """The cases that are open in this process, by number."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.opened: Dict[int, Opened] = {}

    def open(self, request: Request) -> Answer:
        case = Case.from_json(request["case"])
        opened = self.bench.open(case, request["folder"], request.get("fill_s"))
        self.opened[request["number"]] = opened
        facts = {"entries": opened.entries, "entry_bytes": opened.entry_bytes}
        return {**facts, "versions": case.contender.versions()}

    def join(self, request: Request) -> Answer:
        case = Case.from_json(request["case"])
        self.opened[request["number"]] = self.bench.join(case, request["folder"], request["hand"])
        return {}

    def block(self, request: Request) -> Answer:
        return vars(self.bench.block(self.opened[request["number"]], request["n"]))

    def close(self, request: Request) -> Answer:
        self.bench.close(self.opened.pop(request["number"]))
        return {}

    def survivors(self, request: Request) -> Answer:
        """Open what another process left and count which of the keys are still there."""
        case = Case.from_json(request["case"])
        contender = case.contender
        store = self.bench.loop.run_until_complete(contender.open(request["folder"], case.all_options))
        there = self.bench.read(contender.face, store, request["keys"])
        self.bench.loop.run_until_complete(contender.close(store))
        return {"there": sum(value is not None for value in there)}

    def answer(self, line: str) -> Answer:
        """Do what one line asks; what fails is an answer, too."""
        request = json.loads(line)
        actions: Dict[str, Callable[[Request], Answer]] = {
            "open": self.open,
            "join": self.join,
            "block": self.block,
            "close": self.close,
            "survivors": self.survivors,
        }
        try:
            return actions[request["do"]](request)
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"}


def _own_output() -> TextIO:
    """Take standard output for the answers and point everybody else's at standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def serve(worker: Worker) -> None:
    """Answer until standard input ends; leave without cleaning up what a broken contender may hang in."""
    answers = _own_output()
    for line in sys.stdin:
        answers.write(json.dumps(worker.answer(line)) + "\n")
        answers.flush()
    os._exit(0)


if __name__ == "__main__":
    serve(Worker())
