"""The driver's side of the worker processes: one for each contender, so that no two SQLite libraries meet."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from harness.measure.case import Case

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 120.0


class WorkerError(Exception):
    """A contender failed in its worker, or the worker itself ended; the message is one line."""


class RemoteWorker:
    """A child process that runs `harness.measure.worker`."""

    def __init__(self, scratch: Path, preload: Optional[Path]) -> None:
        self._scratch = scratch
        self._errors = tempfile.TemporaryFile("w+", dir=scratch)
        self._child = subprocess.Popen(
            [sys.executable, "-m", "harness.measure.worker"],
            cwd=ROOT,
            env=environment(preload),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            start_new_session=True,  # Ctrl-C is for the driver, which then ends its workers
        )
        self._selector = selectors.DefaultSelector()
        assert self._child.stdout is not None
        self._selector.register(self._child.stdout, selectors.EVENT_READ)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def alive(self) -> bool:
        return self._child.poll() is None

    def ask(self, do: str, **request: Any) -> Dict[str, Any]:
        """Send one request and wait for its answer.

        Raises:
            WorkerError: it failed there, or there is no answer in time.
        """
        self.send(do, **request)
        return self.answer()

    def send(self, do: str, **request: Any) -> None:
        """Send one request.

        Raises:
            WorkerError: the process has ended.
        """
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps({"do": do, **request}) + "\n")
            self._child.stdin.flush()
        except OSError as error:
            raise WorkerError(self._death()) from error

    def answer(self) -> Dict[str, Any]:
        """Wait for the answer to what was sent.

        Raises:
            WorkerError: it failed there, or there is no answer in time.
        """
        answer = self._answer()
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def kill(self) -> None:
        """End the process by SIGKILL, as a crash would."""
        self._child.kill()
        self._finish()

    def close(self) -> None:
        """Let the process end, or end it."""
        assert self._child.stdin is not None
        try:
            self._child.stdin.close()
            self._child.wait(5)
        except (OSError, subprocess.TimeoutExpired):
            self._child.kill()
        self._finish()

    def _answer(self) -> Dict[str, Any]:
        assert self._child.stdout is not None
        if not self._selector.select(TIMEOUT_S):
            self._child.kill()
            raise WorkerError(f"no answer in {TIMEOUT_S:.0f} s: killed")
        line = self._child.stdout.readline()
        if not line:
            raise WorkerError(self._death())
        answer: Dict[str, Any] = json.loads(line)
        return answer

    def _death(self) -> str:
        status = self._child.wait(5)
        self._errors.seek(0)
        said: List[str] = self._errors.read().strip().splitlines()
        return f"the worker ended with status {status}" + (f": {said[-1]}" if said else "")

    def _finish(self) -> None:
        self._child.wait()
        self._selector.close()
        self._errors.close()
        for stream in (self._child.stdin, self._child.stdout):
            assert stream is not None
            try:
                stream.close()
            except OSError:
                pass


class Workers:
    """One worker for each contender, started when first needed, started again when it has ended."""

    def __init__(self, scratch: Path, preload: Optional[Path]) -> None:
        self._scratch = scratch
        self._preload = preload
        self._workers: Dict[str, RemoteWorker] = {}

    def fresh(self) -> RemoteWorker:
        """Start a worker that the caller ends."""
        return RemoteWorker(self._scratch, self._preload)

    def of(self, case: Case) -> RemoteWorker:
        """Return the worker of the case's contender."""
        return self.named(case.contender_name)

    def named(self, name: str) -> RemoteWorker:
        """Return the worker of that name."""
        worker = self._workers.get(name)
        if worker is None or not worker.alive:
            if worker is not None:
                worker.close()
            worker = self._workers[name] = self.fresh()
        return worker

    def close(self) -> None:
        """End them all."""
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()


def environment(preload: Optional[Path]) -> Mapping[str, str]:
    """Return what a process that measures finds: one hash seed, this checkout, no choice of a backend."""
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": _python_path()}
    environment.pop("ADSQ_BACKEND", None)
    if preload is not None:
        environment["LD_PRELOAD"] = " ".join(filter(None, (str(preload), os.environ.get("LD_PRELOAD"))))
    return environment


def _python_path() -> str:
    return os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
