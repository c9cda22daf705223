"""The options of one's own case."""

from __future__ import annotations

from typing import Any, Callable, Optional

import click

from harness.cli.failure import Failure
from harness.workloads import Params
from harness.workloads.streams import KINDS

MOST_BYTES = 2**30  # of all values together
_DEFAULTS = Params(value_size=256, keys=10_000, tasks=16, read_ratio=0.9, value_kind="bytes")
_OPTIONS = (
    click.option("--value-size", type=click.IntRange(1, 2**24), metavar="BYTES", help="Your case: size of a value."),
    click.option("--keys", type=click.IntRange(1, 10**6), metavar="N", help="Your case: how many keys are stored."),
    click.option("--tasks", type=click.IntRange(1, 4096), metavar="N", help="Your case: tasks that ask at once."),
    click.option("--read-ratio", type=click.FloatRange(0, 1), metavar="0..1", help="Your case: the share of reads."),
    click.option("--value-kind", type=click.Choice(list(KINDS)), help="Your case: what a value is."),
)


def options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def asked_for(**given: Optional[Any]) -> Optional[Params]:
    """Return the case, defaults where nothing was said; None if none of the options was given.

    Raises:
        Failure: all values together are too large to be written in time.
    """
    said = {name: value for name, value in given.items() if value is not None}
    if not said:
        return None
    params = Params(**{**vars(_DEFAULTS), **said})
    size = params.keys * params.value_size
    if size > MOST_BYTES:
        raise Failure(f"--keys times --value-size is {size / 2**30:.1f} GiB for each store: at most 1 GiB")
    return params


def words(params: Params) -> str:
    """Return the options that ask for the same case."""
    facts = {name: getattr(params, name) for name in ("value_size", "keys", "tasks", "read_ratio", "value_kind")}
    return " ".join(f"--{name.replace('_', '-')} {value}" for name, value in facts.items())
