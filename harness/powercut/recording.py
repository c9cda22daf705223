"""A recording: the trace of one child, and how it came about. A folder with the files ``trace`` and ``setup.json``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from harness.measure.remote import ROOT
from harness.powercut import preload, subjects, trace, workload
from harness.powercut.disk import Disk

TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Setup:
    """What is recorded: enough to make the calls again, and to say what was promised.

    Attributes:
        name: one of `subjects.BACKENDS` with one of its modes, or (peer) a contender with a configuration.
    """

    peer: bool
    name: str
    mode: str
    seed: int
    calls: int

    @classmethod
    def made_for(cls, subject: subjects.Subject, seed: int, calls: int) -> Setup:
        """Return the setup that records a subject."""
        return cls(not subject.ours, subject.backend or subject.contender, subject.configuration, seed, calls)

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Setup:
        return cls(**fields)

    def subject(self) -> subjects.Subject:
        """Return the store in its configuration."""
        if not self.peer:
            return subjects.ours(self.name, self.mode)
        return next(subject for subject in subjects.peers(self.name) if subject.configuration == self.mode)

    def plan(self) -> workload.Plan:
        """Return the calls."""
        subject = self.subject()
        return workload.plan(self.seed, self.calls, subject.kinds, subject.most_at_once)


class RecordingError(Exception):
    """The child failed; the message ends with what it said."""


@dataclass(frozen=True)
class Recording:
    """A folder with a trace."""

    folder: Path
    setup: Setup

    def events(self) -> List[trace.Event]:
        """Return what happened.

        Raises:
            TraceError: it is not the whole of what happened.
        """
        return trace.read(self.folder / "trace")


def load(folder: Path) -> Recording:
    """Return the recording in a folder."""
    return Recording(folder, Setup.of(json.loads((folder / "setup.json").read_text(encoding="utf-8"))))


def record(
    setup: Setup, folder: Path, library: Path, *, sync_us: int = 200, package: Optional[Path] = None
) -> Recording:
    """Run the workload in a child and record it; `package` is a folder with another asyncdictsqlite.

    Raises:
        RecordingError: the workload failed, or the trace is not the whole of it.
        TraceError: files were written in a way that no trace can hold.
    """
    folder.mkdir(parents=True)
    (folder / "setup.json").write_text(json.dumps(asdict(setup)), encoding="utf-8")
    files = Path(tempfile.mkdtemp(dir=folder))
    command = [sys.executable, "-m", "harness.powercut.child", json.dumps(asdict(setup)), str(files)]
    environment = {**os.environ, **preload.environment(library, files, folder / "trace", sync_us), **_path(package)}
    try:
        ended = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        if ended.returncode != 0:
            raise RecordingError(f"{setup.name} {setup.mode}: the workload failed: {ended.stderr.strip()}")
        made = Recording(folder, setup)
        _compare(made.events(), files)
    except subprocess.TimeoutExpired as error:
        raise RecordingError(f"{setup.name} {setup.mode}: the workload did not end in {TIMEOUT_S:.0f} s") from error
    finally:
        shutil.rmtree(files, ignore_errors=True)
    return made


def _compare(events: List[trace.Event], files: Path) -> None:
    """Check that the trace, replayed with nothing lost, gives the files that the child has left: nothing was missed."""
    disk = Disk(events)
    disk.advance(len(events))
    left = {
        path.relative_to(files).as_posix(): path.read_bytes()
        for path in files.rglob("*")
        if path.is_file() and not path.name.endswith("-shm")
    }
    replayed = disk.live()
    if replayed != left:
        names = sorted(name for name in {*replayed, *left} if replayed.get(name) != left.get(name))
        raise RecordingError(f"the trace does not give the files that the workload left: {', '.join(names)}")


def _path(package: Optional[Path]) -> Dict[str, str]:
    return {} if package is None else {"PYTHONPATH": str(package)}
