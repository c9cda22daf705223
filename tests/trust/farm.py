"""The farm: runs a function on many cases, each in a process of its own that may crash or hang.

A driver process imports everything once and forks for each case: that takes milliseconds, where a fresh interpreter
takes a fifth of a second. No store is opened in a driver. A stage that says ["kill"] may kill itself.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import random
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Sequence

Case = Dict[str, Any]
Lines = List[Any]
Say = Callable[[Any], None]
Stage = Callable[[Case, Lines, Say], None]  # (case, what the stages before said, say)

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 20.0
PROCESSES = 2


class Outcome(NamedTuple):
    """What became of one case: what its stages said; "" or how it ended otherwise."""

    case: Case
    lines: Lines
    trouble: str

    @property
    def hung(self) -> bool:
        """Whether it had to be killed."""
        return self.trouble.startswith("hang")


def spread(
    stages: Sequence[Stage],
    cases: Sequence[Case],
    environment: Mapping[str, str] = MappingProxyType({}),
    timeout_s: float = TIMEOUT_S,
    processes: int = PROCESSES,
) -> List[Outcome]:
    """Run the stages of each case, each stage in a fresh process; a stage is a function at the top of a module."""
    names = [f"{stage.__module__}:{stage.__name__}" for stage in stages]
    shares = [cases[at::processes] for at in range(processes)]
    with ThreadPoolExecutor(processes) as threads:
        found = list(threads.map(lambda share: _drive(names, share, environment, timeout_s), shares))
    return [found[at % processes][at // processes] for at in range(len(cases))]


def kill_within(seconds: float, seed: int, say: Say) -> None:
    """Have this process killed at a random moment."""

    def kill() -> None:
        say(["kill"])
        os.kill(os.getpid(), signal.SIGKILL)

    timer = threading.Timer(random.Random(seed).random() * seconds, kill)
    timer.daemon = True
    timer.start()


def problems(outcomes: Sequence[Outcome]) -> List[str]:
    """Return what broke the contract, with the case."""
    found = []
    for outcome in outcomes:
        bad = [line[1] for line in outcome.lines if line[0] in ("bad", "exception")]
        bad += [outcome.trouble] if outcome.trouble else []
        found += [f"{outcome.case}: {what}" for what in bad]
    return found


def _drive(
    names: Sequence[str], cases: Sequence[Case], environment: Mapping[str, str], timeout_s: float
) -> List[Outcome]:
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.trust.farm", str(timeout_s), *names],
        input="".join(json.dumps(case) + "\n" for case in cases),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
        check=False,
    )
    outcomes = [Outcome(*json.loads(line)) for line in ended.stdout.splitlines()]
    assert len(outcomes) == len(cases), ended.stderr
    return outcomes


def main() -> None:
    """Run the stages of each case that comes on standard input; print what became of it."""
    for backend in ("rust", "threads", "aiosqlite"):
        with contextlib.suppress(ImportError):  # a copy of the package has no extension
            import_module(f"asyncdictsqlite.backends.{backend}")
    timeout_s, names = float(sys.argv[1]), sys.argv[2:]
    stages = [getattr(import_module(name.partition(":")[0]), name.partition(":")[2]) for name in names]
    for line in sys.stdin:
        case = json.loads(line)
        print(json.dumps(_outcome(stages, case, timeout_s)), flush=True)


def _outcome(stages: Sequence[Stage], case: Case, timeout_s: float) -> Outcome:
    lines: Lines = []
    for stage in stages:
        said, trouble = _forked(stage, case, lines, timeout_s)
        lines += said
        if trouble and not (["kill"] in said and trouble == f"crash by signal {int(signal.SIGKILL)}"):
            return Outcome(case, lines, f"{trouble} in {stage.__name__}")
    return Outcome(case, lines, "")


def _forked(stage: Stage, case: Case, before: Lines, timeout_s: float) -> Any:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _child(stage, case, before, writing, timeout_s)
    os.close(writing)
    deadline = time.monotonic() + timeout_s
    data = b""
    while True:
        ready, _, _ = select.select([reading], [], [], max(0.0, deadline - time.monotonic()))
        chunk = os.read(reading, 1 << 16) if ready else b""
        data += chunk
        if not chunk:
            break
    os.close(reading)
    trouble = _reap(pid, deadline)
    return [json.loads(line) for line in data.splitlines() if line.endswith((b"]", b"}"))], trouble


def _child(stage: Stage, case: Case, before: Lines, writing: int, timeout_s: float) -> None:
    os.dup2(2, 1)  # what it prints is no outcome
    faulthandler.dump_traceback_later(timeout_s - 1, exit=False)
    code = 1
    try:
        stage(case, before, lambda line: os.write(writing, json.dumps(line).encode() + b"\n"))
        code = 0
    except BaseException:
        os.write(writing, json.dumps(["exception", traceback.format_exc()]).encode() + b"\n")
    finally:
        os._exit(code)


def _reap(pid: int, deadline: float) -> str:
    """Wait for the end of a child; return "" or what was wrong with it."""
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            break
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return "hang"
        time.sleep(0.0005)
    if os.WIFSIGNALED(status):
        return f"crash by signal {os.WTERMSIG(status)}"
    return f"exit code {os.WEXITSTATUS(status)}" if os.WEXITSTATUS(status) else ""


if __name__ == "__main__":
    main()
