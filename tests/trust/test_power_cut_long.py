"""Rows 3 and 4, at length: 20,000 power cuts of the Rust backend, 5,000 of each other; its record is its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.measure.remote import ROOT

pytestmark = pytest.mark.timeout(1200)


@pytest.mark.parametrize(("backend", "states"), [("rust", 20_000), ("threads", 5000), ("aiosqlite", 5000)])
def test_thousands_of_power_cuts_lose_nothing_acknowledged(long: bool, backend: str, states: int) -> None:
    if not long:
        pytest.skip("test_powercut.py cuts 500 times")
    command = [sys.executable, "-m", "harness.powercut", "run", "--backend", backend, "--mode", "writethrough"]
    ended = subprocess.run([*command, "--states", str(states)], cwd=ROOT, capture_output=True, text=True, check=False)
    print(ended.stdout)
    assert ended.returncode == 0, ended.stdout + ended.stderr
