"""Figures of the trust tests: printed in every run, recorded in the long one (``make torture``)."""

from __future__ import annotations

import shlex
import sys
import tempfile
from pathlib import Path
from typing import Iterator, Optional

import pytest

from harness.measure.host import host, machine_label
from harness.measure.records import RecordFile, without_paths
from harness.measure.remote import ROOT
from tests.trust.figures import Figures


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch of the long tier."""
    parser.addoption("--torture", action="store_true", help="run the long tier and record its figures")


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """Whether this is the long tier."""
    return bool(request.config.getoption("--torture", default=False))


@pytest.fixture(scope="session")
def _record(request: pytest.FixtureRequest, long: bool) -> Iterator[Optional[RecordFile]]:
    if not long:
        yield None
        return
    file = RecordFile(ROOT / "results" / "trust", "trust", machine_label(), ROOT)
    file.__enter__()
    file.add("begin", command=without_paths(shlex.join(["python", "-m", "pytest", *sys.argv[1:]])), host=host(ROOT))
    yield file
    failed = request.session.testsfailed
    file.__exit__(AssertionError if failed else None, None, None)


@pytest.fixture
def figures(_record: Optional[RecordFile]) -> Figures:
    """Return where a test puts its figures."""
    return Figures(_record)


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A folder in memory, where there is one: syncs cost nothing there."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)
