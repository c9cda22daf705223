"""Failures of a command: one line on standard error, and an exit code."""

from __future__ import annotations

import click


class Failure(click.ClickException):
    """The command cannot do what was asked; the message says what to do."""

    def __init__(self, message: str, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click's own exceptions set it, too
