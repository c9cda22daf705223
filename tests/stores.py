"""What tests of a store's life share: the backends, and how a call ended."""

from __future__ import annotations

import asyncio
import functools
import subprocess
import sys
from typing import Any, Awaitable, Callable, List

import pytest

every_backend = pytest.mark.parametrize("backend", ["threads", "aiosqlite", "rust"])
on_the_python_core = pytest.mark.parametrize("backend", ["threads", "aiosqlite"])


def in_a_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Make a test of a coroutine function: it runs in a loop of its own."""

    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        asyncio.run(test(**fixtures))  # type: ignore[arg-type]

    return run


async def outcome(call: Awaitable[Any], seconds: float = 10.0) -> Any:
    """Return what a call returned, or the exception that it raised; a TimeoutError means that it hangs."""
    try:
        return await asyncio.wait_for(call, seconds)
    except Exception as error:
        return error


def child(source: str, *arguments: object, flags: List[str] = []) -> str:  # noqa: B006
    """Run a program in a process of its own and return what it printed; its errors fail the test."""
    command = [sys.executable, *flags, "-c", source, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0, done.stderr
    return done.stdout
