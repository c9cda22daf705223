"""A worker of the gate: `harness.measure.worker`, run by the Python of one tree and pinned to one processor."""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path

from harness.gate import bodies, writes
from harness.measure.counters import difference
from harness.measure.encoded import bare
from harness.measure.worker import Answer, Request, Worker, serve


class GateWorker(Worker):
    """Answers what the gate asks beside."""

    def hello(self, request: Request) -> Answer:
        """Go to one processor before any thread starts, import the package under test, say where it came from."""
        if request["cpu"] is not None:
            os.sched_setaffinity(0, {request["cpu"]})
        package = importlib.import_module(request["package"])
        if request["bodies"]:
            bodies.run(Path(request["bodies"]))
        return {"file": package.__file__}

    def inject(self, request: Request) -> Answer:
        """Let each commit wait for so many calls."""
        store = bare(self.opened[request["number"]].store)
        store._engine.inject(commit_after=request["commit_after"])
        return {}

    def count(self, request: Request) -> Answer:
        """Do one block; count, but of writes those to files."""
        before = writes.counted()
        counters = self.block(request)["counters"]
        for name in ("write_calls", "written_bytes"):
            counters.pop(name, None)
        return {"counters": {**counters, **difference(writes.counted(), before)}}

    def time(self, request: Request) -> Answer:
        """Time one block and count nothing."""
        opened = self.opened[request["number"]]
        self.bench.refill(opened, request["n"])
        return {"ns": self.bench.run(opened, request["n"])}

    def answer(self, line: str) -> Answer:
        request = json.loads(line)
        own = {"hello": self.hello, "inject": self.inject, "count": self.count, "time": self.time}
        if request["do"] not in own:
            return super().answer(line)
        try:
            return own[request["do"]](request)
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    serve(GateWorker())
