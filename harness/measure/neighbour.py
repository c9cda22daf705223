"""A neighbour: another process that has the same file open, and commits while it is told to."""

from __future__ import annotations

import asyncio
import json
import os
import select
import subprocess
import sys
from time import perf_counter
from typing import Any

from harness.contenders.contender import Face
from harness.measure.case import Case

KEY = "neighbour"  # no workload reads it
CLOSE_S = 10


class Neighbour:
    """A context: inside it the process commits ``rate`` times a second, one row each; it ends by `close`.

    Raises:
        OSError: it could not open the file.
    """

    def __init__(self, case: Case, folder: str) -> None:
        from harness.measure.remote import ROOT, environment

        command = [sys.executable, "-m", "harness.measure.neighbour", json.dumps(case.as_json()), folder]
        self._child = subprocess.Popen(
            command, cwd=ROOT, env=environment(None), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            self._heard("open")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Neighbour:
        self._say("go")
        return self

    def __exit__(self, *ended: object) -> None:
        self._say("rest")

    def close(self) -> None:
        """Let the process end."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.close()
        try:
            self._child.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child.stdout.close()

    def _say(self, word: str) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write(f"{word}\n")
        self._child.stdin.flush()
        self._heard(word)

    def _heard(self, word: str) -> None:
        assert self._child.stdout is not None
        said = self._child.stdout.readline()
        if said != f"{word}\n":
            raise OSError(f"the neighbour did not {word}")


def main(case: Case, folder: str) -> None:
    """Open the file; commit between "go" and "rest"."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    loop = asyncio.new_event_loop()
    store = loop.run_until_complete(case.contender.open(folder, case.all_options))
    number = 0

    def commit() -> None:
        nonlocal number
        number += 1
        value = str(number).encode()
        if case.contender.face is Face.SYNC:
            store.set(KEY, value)
        else:
            loop.run_until_complete(store.aset(KEY, value))

    commit()
    _answer(answers, "open")
    while sys.stdin.readline():
        _answer(answers, "go")
        _commit_until_told(commit, case.params.rate)
        sys.stdin.readline()
        _answer(answers, "rest")
    loop.run_until_complete(case.contender.close(store))


def _answer(answers: Any, word: str) -> None:
    answers.write(f"{word}\n")
    answers.flush()


def _commit_until_told(commit: Any, rate: int) -> None:
    """Commit at fixed times: what is late is made up for."""
    started, done = perf_counter(), 0
    while True:
        wait = max(0.0, started + (done + 1) / rate - perf_counter()) if rate else None
        if select.select([sys.stdin], [], [], wait)[0]:
            return
        commit()
        done += 1


if __name__ == "__main__":
    main(Case.from_json(json.loads(sys.argv[1])), sys.argv[2])
