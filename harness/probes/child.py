"""Start what measures beside us: a probe, or a neighbour that has the same file open."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, Mapping

from harness.measure.remote import ROOT, environment

TIMEOUT_S = 120


class ProbeError(Exception):
    """A probe failed; the message is one line."""


def probe(name: str, arguments: Mapping[str, Any], folder: Path) -> Dict[str, Any]:
    """Run a probe; return what it found.

    Raises:
        ProbeError: it failed, or took too long.
    """
    command = [sys.executable, "-m", "harness.probes", name, json.dumps(arguments), str(folder)]
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment(None), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ProbeError(f"{name} took longer than {TIMEOUT_S} s") from error
    if done.returncode:
        raise ProbeError(f"{name}: {(done.stderr.strip().splitlines() or ['it said nothing'])[-1]}")
    found: Dict[str, Any] = json.loads(done.stdout)
    return found


@contextmanager
def neighbour(file: str, rate: float) -> Iterator[None]:
    """Let another process have the file open and commit so many times a second."""
    command = [sys.executable, "-m", "harness.probes.committing", file, str(rate)]
    beside = subprocess.Popen(
        command, cwd=ROOT, env=environment(None), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert beside.stdin is not None
    assert beside.stdout is not None
    try:
        if beside.stdout.readline() != "open\n":
            raise ProbeError("the neighbour did not open the file")
        yield
    finally:
        beside.stdin.close()
        beside.wait(10)
        beside.stdout.close()
