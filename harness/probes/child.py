"""Start a probe in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Mapping

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
