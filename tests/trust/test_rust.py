"""Row 22: the engine's own tests, plain, under shuttle and under AddressSanitizer; `make lint` runs clippy."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType
from typing import List, Mapping

import pytest

from harness.measure.remote import ROOT
from tests.trust.figures import Figures

pytestmark = pytest.mark.timeout(1200)
TARGET = f"{platform.machine()}-unknown-linux-gnu"
# What tests leak on purpose: words of a WAL's index that nobody unmaps, a connection whose process "has died".
LEAKED = "leak:coherence::tests\nleak:unpublished::tests\nleak:keeps_its_wal\n"


def run(*command: str, environment: Mapping[str, str] = MappingProxyType({})) -> subprocess.CompletedProcess[str]:
    """Run a command of the Rust that the Makefile would take."""
    folder = subprocess.run(["sh", ".ci/rust.sh"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    path = os.pathsep.join([folder, os.environ["PATH"]])
    variables = {**os.environ, "PATH": path, "RUSTUP_AUTO_INSTALL": "0", **environment}
    return subprocess.run(command, cwd=ROOT / "rust_core", env=variables,
                          check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # fmt: skip


def add_figures(figures: Figures, test: str, output: str, least: int = 50) -> None:
    """Add how many tests passed, how many failed."""
    results: List[List[str]] = re.findall(r"(\d+) passed; (\d+) failed", output)
    passed, failed = (sum(int(result[at]) for result in results) for at in (0, 1))
    figures.add("22", test, "rust", 0, passed=passed, failed=failed)
    assert passed > least


def test_the_engine_passes_its_own_tests(figures: Figures, long: bool) -> None:
    if not long:
        pytest.skip("the long tier and `make rust` run this")
    ended = run("cargo", "test", "--locked", "--no-default-features")
    assert ended.returncode == 0, ended.stdout
    add_figures(figures, "cargo test", ended.stdout)


def test_the_queues_keep_their_promises_in_every_order_of_threads_that_was_tried(figures: Figures, long: bool) -> None:
    if not long:
        pytest.skip("the long tier and `make rust` run this")
    ended = run("cargo", "test", "--locked", "--no-default-features", "--features", "shuttle", "shuttled")
    assert ended.returncode == 0, ended.stdout
    add_figures(figures, "inbox and outbox under shuttle, 6,000 orders each", ended.stdout, least=6)


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the runtime of AddressSanitizer is looked for on Linux"
)
def test_the_engine_and_sqlite_pass_under_address_sanitizer(tmp_path: Path, figures: Figures, long: bool) -> None:
    if not long:
        pytest.skip("the long tier runs this")
    root = run("rustc", "+nightly", "--print", "sysroot").stdout.strip()
    if not Path(root, "lib", "rustlib", TARGET, "lib", "librustc-nightly_rt.asan.a").exists():
        pytest.skip("no nightly toolchain with the runtime of AddressSanitizer")
    (tmp_path / "leaked").write_text(LEAKED)
    environment = {
        "RUSTFLAGS": "-Zsanitizer=address",
        f"CFLAGS_{TARGET.replace('-', '_')}": "-fsanitize=address -g1",
        "LSAN_OPTIONS": f"suppressions={tmp_path / 'leaked'}",
    }
    command = ["cargo", "+nightly", "test", "--locked", "--no-default-features", "--target", TARGET]
    ended = run(*command, environment=environment)
    assert ended.returncode == 0, ended.stdout
    assert "Sanitizer: " not in ended.stdout
    add_figures(figures, "cargo test under AddressSanitizer, SQLite included", ended.stdout)
