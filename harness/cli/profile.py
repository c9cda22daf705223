"""``python -m harness profile``."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import click

from harness.cli.choice import chosen, writable
from harness.cli.failure import Failure
from harness.measure.remote import ROOT
from harness.probes.child import ProbeError
from harness.suites import limits
from harness.suites.profiled import profiled

PROFILES = ROOT / "results" / "profiles"


@click.command()
@click.argument("row")
@click.option("--seconds", type=click.FloatRange(0.1, 600), default=3.0, show_default=True, help="How long to sample.")
@click.option("--out", type=click.Path(path_type=Path), default=PROFILES, help="Folder of profiles.")
@click.option("--scratch", type=click.Path(path_type=Path), default=ROOT / ".bench", help="Folder of database files.")
def profile(row: str, seconds: float, out: Path, scratch: Path) -> None:
    """Say where the time of a ROW of the limits suite goes: the functions that perf finds on our side of it.

    Needs perf. Functions of the extension have names in a build that keeps them:

    \b
      touch rust_core/src/lib.rs
      CARGO_PROFILE_RELEASE_STRIP=false MATURIN_STRIP=false make build
    """
    (name,) = chosen("row", (row,), limits.names())
    if shutil.which("perf") is None:
        raise Failure("profile needs perf: on Debian apt-get install linux-perf")
    writable(out, "--out")
    writable(scratch, "--scratch")
    out.mkdir(parents=True, exist_ok=True)
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        try:
            text = profiled(name, Path(folder), seconds)
        except ProbeError as error:
            raise Failure(str(error), exit_code=1) from error
    file = out / f"{name}.txt"
    file.write_text(text, encoding="utf-8")
    click.echo(text)
    click.echo(f"profile: {file.name}")
