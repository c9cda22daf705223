"""The commands: ``run`` and ``benchmark`` measure, ``report`` writes what was recorded into the pages."""

from __future__ import annotations

import sys
from typing import Optional, Sequence

import click

from harness.cli.benchmark import benchmark
from harness.cli.compare import compare
from harness.cli.counters import counters
from harness.cli.gate import gate
from harness.cli.notebook import notebook
from harness.cli.profile import profile
from harness.cli.report import report
from harness.cli.run import run
from harness.cli.sweep import sweep
from harness.cli.trace import trace


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def commands() -> None:
    """Compare stores on this machine: what they cost, and what they promise."""


commands.add_command(run)
commands.add_command(sweep)
commands.add_command(compare)
commands.add_command(gate)
commands.add_command(counters)
commands.add_command(trace)
commands.add_command(profile)
commands.add_command(benchmark)
commands.add_command(notebook)
commands.add_command(report)


def main(arguments: Optional[Sequence[str]] = None) -> None:
    """Run a command; what it cannot do is one line on standard error."""
    try:
        sys.exit(commands.main(arguments, prog_name="python -m harness", standalone_mode=False) or 0)
    except click.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except click.ClickException as error:
        click.echo(f"error: {error.format_message()}", err=True)
        sys.exit(error.exit_code)
