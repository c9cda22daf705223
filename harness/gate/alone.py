"""One body alone in a process, for valgrind: open, warm up, do so many operations, close."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, Dict

from harness.gate.worker import GateWorker


def main() -> None:
    """Do what the argument says; leave without cleaning up: only what the operations add is looked at."""
    request: Dict[str, Any] = json.loads(sys.argv[1])
    worker = GateWorker()
    file = Path(worker.hello(request)["file"]).resolve()
    if Path(request["tree"]).resolve() not in file.parents:
        sys.exit(f"{request['package']} was imported from outside of its tree")
    worker.open({**request, "number": 0})
    if request["commit_after"]:
        worker.inject({**request, "number": 0})
    for n in request["blocks"]:
        worker.time({"number": 0, "n": n})
    os._exit(0)


if __name__ == "__main__":
    main()
