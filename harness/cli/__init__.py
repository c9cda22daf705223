"""The commands: ``run`` measures, ``report`` writes what was recorded into the pages."""

from __future__ import annotations

import click

from harness.cli.report import report
from harness.cli.run import run


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """Compare stores on this machine: what they cost, and what they promise."""


main.add_command(run)
main.add_command(report)
