"""mypy --strict reports exactly what misuse.py expects, to a user who has only the installed package."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Set, Tuple

import pytest

pytest.importorskip("mypy", reason="mypy is not installed")

MISUSE = Path(__file__).with_name("misuse.py")
_EXPECTED = re.compile(r"  # type: ignore\[([\w-]+)\]$", re.MULTILINE)
_REPORTED = re.compile(r"^\w+\.py:(\d+): error: .*\[([\w-]+)\]$", re.MULTILINE)


def expected() -> Set[Tuple[int, str]]:
    text = MISUSE.read_text(encoding="utf-8")
    return {(text.count("\n", 0, found.start()) + 1, found[1]) for found in _EXPECTED.finditer(text)}


def reported(folder: Path) -> Set[Tuple[int, str]]:
    """Let mypy check the file without its comments, away from this repository's configuration."""
    (folder / MISUSE.name).write_text(_EXPECTED.sub("", MISUSE.read_text(encoding="utf-8")), encoding="utf-8")
    options = ["--strict", "--no-error-summary", "--no-pretty", "--hide-error-context"]
    environment = {name: value for name, value in os.environ.items() if name != "MYPYPATH"}
    ended = subprocess.run(
        [sys.executable, "-m", "mypy", *options, MISUSE.name],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert ended.stderr == ""
    return {(int(line), code) for line, code in _REPORTED.findall(ended.stdout)}


def test_mypy_reports_what_is_expected_and_no_more(tmp_path: Path) -> None:
    assert reported(tmp_path) == expected()
