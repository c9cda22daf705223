"""What a newcomer may type wrongly is answered by one line that says what to do."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, Tuple

import pytest

from harness import cli
from harness.contenders import CONTENDERS

WRONG = [
    ("run", "--contender", "mysql"),
    ("run", "--contender", "sqlite"),
    ("run", "--workload", "reads"),
    ("run", "--suite", "all"),
    ("run", "--contender", "control", "--machine", "a/b"),
    ("run", "--rounds", "3"),
    ("run", "--contender", "control", "--workload", "writers"),
    ("run", "--value-size", "0"),
    ("run", "--value-size", "1kb"),
    ("run", "--keys", "-5"),
    ("run", "--keys", "1000000", "--value-size", "1000000"),
    ("run", "--tasks", "0"),
    ("run", "--read-ratio", "90"),
    ("run", "--read-ratio", "90%"),
    ("run", "--value-kind", "pickle"),
    ("run", "--value-size", "100", "--suite", "stage"),
    ("run", "--keys", "100", "--workload", "hits"),
    ("run", "--value-size"),
    ("run", "hits"),
    ("sweep", "--contender", "mysql"),
    ("sweep", "--workload", "writes"),
    ("compare",),
    ("compare", "yesterday.jsonl"),
    ("compare", "yesterday.jsonl", "today.jsonl"),
    ("compare", "README.md", "README.md"),
    ("report", "--record", "yesterday.jsonl"),
    ("benchmark", "--json", "no-such-report.json"),
    ("trace", "no-such-trace.csv"),
    ("trace", "README.md"),
    ("trace", "--tasks", "0"),
    ("measure",),
    ("--contender", "rust"),
]


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_a_wrong_input_is_one_line(arguments: Tuple[str, ...], capfd: pytest.CaptureFixture[str]) -> None:
    status, said = failed(capfd, *arguments)
    assert status == 2
    assert re.fullmatch(r"error: [^\n]{10,600}\n", said)


def failed(capfd: pytest.CaptureFixture[str], *arguments: str) -> Tuple[Any, str]:
    """Run a command that ends the program; return its status and what it said on standard error."""
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    return ended.value.code, capfd.readouterr().err


def test_a_name_that_is_nearly_right_is_suggested(capfd: pytest.CaptureFixture[str]) -> None:
    _, said = failed(capfd, "run", "--contender", "sqlite")
    assert said.startswith("error: unknown contender 'sqlite' (did you mean sqlite3?): known are ")


def test_an_output_that_is_a_file_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").write_text("")
    where = ("--out", str(tmp_path / "out"), "--scratch", str(tmp_path / "scratch"))
    status, said = failed(capfd, "run", "--contender", "control", *where)
    assert (status, said) == (2, "error: --out out: out is no folder\n")


def test_a_missing_peer_that_is_asked_for_alone_names_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(type(CONTENDERS["diskcache"]), "module", "no_such_module")
    status, said = failed(capfd, "run", "--contender", "diskcache")
    assert status == 2
    assert "python -m pip install diskcache" in said


def test_an_interrupt_outside_of_a_measurement_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupted(names: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["harness.cli.run"], "installed", interrupted)
    assert failed(capfd, "run") == (130, "\ninterrupted\n")
