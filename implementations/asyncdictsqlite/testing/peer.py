"""Peer: another process that runs a function of the suite, spoken to line by line.

A function that runs in a peer takes plain values (what `ast.literal_eval` reads), prints lines and reads lines.
Everything a peer does has a timeout, and leaving its ``with`` block kills and reaps it.
"""

from __future__ import annotations

import ast
import os
import select
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from types import MappingProxyType
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Sequence, Tuple, TypeVar

from .. import AsyncDictSQLite
from .check import Bench

Self = TypeVar("Self", bound="Peer")

TIMEOUT_S = 20.0

# A shell's background job ignores SIGINT, and so would its children.
_START = """
import ast, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from {0} import {1}
{1}(*ast.literal_eval(sys.argv[1]))
"""


class Ended(NamedTuple):
    """How a process ended."""

    returncode: int
    stdout: str
    stderr: str


class Peer:
    """A child process that runs `function(*arguments)`, which must be at the top of a module."""

    def __init__(
        self,
        function: Callable[..., None],
        *arguments: Any,
        flags: Sequence[str] = (),
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        start = _START.format(function.__module__, function.__name__)
        self.name = f"{function.__name__}{arguments}"
        self._stderr = tempfile.TemporaryFile()  # a file never blocks its writer
        self._rest = b""
        self.process = subprocess.Popen(
            [sys.executable, *flags, "-c", start, ascii(arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env={**Bench.environment(), **environment},
        )

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    def tell(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def hear(self, timeout_s: float = TIMEOUT_S) -> str:
        """Read the next line it prints.

        Raises:
            AssertionError: it ended, or printed nothing in time; with what it wrote to its standard error.
        """
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._rest:
            if not self._read_some(deadline):
                raise AssertionError(f"{self.name} ended or said nothing in {timeout_s} s: {self._errors()}")
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()

    def end(self, timeout_s: float = TIMEOUT_S) -> Ended:
        """Close its standard input, wait for its end, and reap it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        deadline = time.monotonic() + timeout_s
        while self._read_some(deadline):
            pass
        try:
            self.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.name} did not end in {timeout_s} s: {self._errors()}") from None
        return Ended(self.process.returncode, self._rest.decode(), self._errors())

    def kill(self) -> List[str]:
        """SIGKILL and reap it; return the whole lines it printed and nobody heard."""
        self.process.send_signal(signal.SIGKILL)
        lines = self.end().stdout.split("\n")
        return lines[:-1]

    def interrupt(self) -> None:
        """Send SIGINT."""
        self.process.send_signal(signal.SIGINT)

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self._stderr):
            if stream is not None:
                stream.close()

    def _read_some(self, deadline: float) -> bool:
        """Take in what it printed; False at the end of its output, or when time is up."""
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        chunk = os.read(descriptor, 1 << 16) if ready else b""
        self._rest += chunk
        return bool(chunk)

    def _errors(self) -> str:
        self._stderr.seek(0)
        return self._stderr.read().decode(errors="replace")


def run(function: Callable[..., None], *arguments: Any, timeout_s: float = TIMEOUT_S, **options: Any) -> Any:
    """Run a function in a peer; return the value that it printed, or None.

    Raises:
        AssertionError: it failed, or did not end in time.
    """
    with Peer(function, *arguments, **options) as peer:
        ended = peer.end(timeout_s)
    assert ended.returncode == 0, f"{peer.name} failed: {ended.stderr}"
    return ast.literal_eval(ended.stdout) if ended.stdout else None


class RefusedError(Exception):
    """A call in a peer raised an error of this name."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name


class Servant(Peer):
    """A peer that opens stores and calls their sync methods for us."""

    def __init__(self, backend: str, **options: Any) -> None:
        super().__init__(serve, backend, **options)

    def ask(self, path: str, method: str, *arguments: Any, **options: Any) -> None:
        """Have a method called on the store `path`, which stays open; method "open" takes the store's options."""
        self.tell(ascii((path, method, arguments, options)))

    def answer(self) -> Any:
        """Return what the oldest unanswered call returned, or raise `RefusedError`."""
        kind, value = ast.literal_eval(self.hear())
        if kind == "value":
            return value
        raise RefusedError(kind, value)

    def call(self, path: str, method: str, *arguments: Any, **options: Any) -> Any:
        """Call and wait."""
        self.ask(path, method, *arguments, **options)
        return self.answer()


def serve(backend: str) -> None:
    """Answer a `Servant`'s calls until its standard input ends; then close all stores."""
    stores: Dict[str, AsyncDictSQLite] = {}
    for line in sys.stdin:
        print(ascii(outcome(_serve_one, backend, stores, *ast.literal_eval(line))), flush=True)
    for store in stores.values():
        store.close()


def _serve_one(
    backend: str, stores: Dict[str, AsyncDictSQLite], path: str, method: str, arguments: Any, options: Any
) -> Any:
    if method == "open":
        stores[path] = AsyncDictSQLite(path, backend=backend, **options)
        stores[path].open()
        return None
    value = getattr(stores[path], method)(*arguments, **options)
    return list(value) if hasattr(value, "__next__") else value


def outcome(function: Callable[..., Any], *arguments: Any) -> Tuple[str, Any]:
    """Return ("value", result), or the name of the error and its message."""
    try:
        return "value", function(*arguments)
    except Exception as error:
        return type(error).__name__, str(error)


def run_sql(path: str, statements: Sequence[Tuple[str, Tuple[Any, ...]]]) -> None:
    """Run statements on a plain connection; print the rows of each."""
    connection = sqlite3.connect(path, timeout=20, isolation_level=None)
    print(ascii([connection.execute(sql, tuple(arguments)).fetchall() for sql, arguments in statements]))
    connection.close()


def sql(path: str, *statements: Any) -> Any:
    """Run SQL in another process, each statement a str or a pair of str and arguments; return the rows of each."""
    return run(run_sql, path, [(one, ()) if isinstance(one, str) else one for one in statements])
