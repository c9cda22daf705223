"""Rows 17 and 19: coverage-guided fuzzing of what decodes values, and of files that are damaged."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Mapping

import pytest

from harness.measure.remote import ROOT
from tests.stores import every_backend
from tests.test_mutants import MUTANTS, Mutant, broken_package
from tests.trust.damage_children import make
from tests.trust.farm import problems, spread
from tests.trust.figures import Figures
from tests.trust.hostile_children import compare_corpus, plant_corpus

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(find_spec("atheris") is None, reason="atheris has no wheel for this Python or system"),
]
SEED = 19
NO_INDEX_ERROR = Mutant(
    "codec/jsonb_mode.py",
    "except (ValueError, IndexError, RuntimeError, MemoryError) as error:",
    "except (ValueError, RuntimeError, MemoryError) as error:",
    caught_by="",
)


def fuzz(
    target: str, folder: Path, *arguments: str, environment: Mapping[str, str] = MappingProxyType({})
) -> subprocess.CompletedProcess[str]:
    """Fuzz a target in a process of its own; the folder keeps the corpus, and what broke it."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.trust.fuzzing", target, str(folder), f"-seed={SEED}"]
    return subprocess.run([*command, *arguments], cwd=ROOT, env={**os.environ, **environment}, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")  # fmt: skip


def add_figures(figures: Figures, row: str, what: str, backend: str, ended: subprocess.CompletedProcess[str]) -> None:
    """Add how much was tried, and what is covered by it."""
    runs = re.findall(r"number_of_executed_units: (\d+)", ended.stdout) or ["0"]
    covered = re.findall(r" cov: (\d+) ", ended.stdout) or ["0"]
    figures.add(row, what, backend, SEED, inputs=int(runs[-1]), covered_edges=int(covered[-1]),
                broken=int(ended.returncode != 0))  # fmt: skip


@pytest.mark.parametrize("mode", ["pickle", "jsonb", "json"])
def test_fuzzed_values_are_values_or_errors_of_ours(in_memory: Path, figures: Figures, long: bool, mode: str) -> None:
    ended = fuzz(mode, in_memory, "-max_total_time=60" if long else "-runs=20000")
    add_figures(figures, "19", f"fuzzed {mode}", "any", ended)
    assert ended.returncode == 0, ended.stdout
    if mode == "pickle":
        case = dict(corpus=str(in_memory / "corpus"), path=str(in_memory / "store.db"))
        outcomes = spread([plant_corpus, compare_corpus], [case], timeout_s=120)
        compared = sum(line[1] for line in outcomes[0].lines if line[0] == "compared")
        figures.add("19", "what the fuzzer found, read by the store", "rust", SEED, compared=compared,
                    broken=len(problems(outcomes)))  # fmt: skip
        assert problems(outcomes) == []
        assert compared > 300


@every_backend
def test_fuzzed_files_are_errors_of_ours(in_memory: Path, figures: Figures, long: bool, backend: str) -> None:
    sound = dict(backend=backend, storage_mode="jsonb", path=str(in_memory / "sound.db"))
    assert problems(spread([make], [sound])) == []
    ended = fuzz(backend, in_memory, "-max_total_time=40" if long else "-runs=400")
    add_figures(figures, "17", "fuzzed files", backend, ended)
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize(
    ("target", "mutant", "finds"),
    [("pickle", MUTANTS["plain unpickling"], "code ran"), ("jsonb", NO_INDEX_ERROR, "IndexError")],
    ids=["pickle", "jsonb"],
)
def test_the_fuzzer_finds_a_broken_reader(tmp_path: Path, target: str, mutant: Mutant, finds: str) -> None:
    broken = broken_package(tmp_path, mutant)
    ended = fuzz(target, tmp_path, "-runs=20000", environment={"PYTHONPATH": str(broken)})
    assert ended.returncode != 0
    assert finds in ended.stdout
