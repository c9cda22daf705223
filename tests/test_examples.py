"""The examples, started for real: each server on a free port of loopback, talked to, and stopped by its pid."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Iterator, List, Optional, Tuple

import pytest

from asyncdictsqlite import AsyncDictSQLite, UnknownBackendError, registry

EXAMPLES = Path(__file__).parents[1] / "examples"
STARTS_IN_S = 20

FASTAPI = ["uvicorn", "fastapi_app:app", "--app-dir", str(EXAMPLES), "--host", "127.0.0.1", "--port"]
AIOHTTP = ["aiohttp.web", "aiohttp_app:make_app", "--hostname", "127.0.0.1", "--port"]
SANIC = ["sanic", "sanic_app:app", "--no-motd", "--host", "127.0.0.1", "--port"]
ONE_PROCESS = [*SANIC[:-1], "--single-process", "--port"]  # its manager may hang if stopped while it starts

Answer = Tuple[int, Any]


def rust_loads() -> bool:
    try:
        registry.load("rust")
    except UnknownBackendError:
        return False
    return True


def installed(*modules: str) -> Any:
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


SERVERS = [
    pytest.param(FASTAPI, id="fastapi", marks=installed("fastapi", "uvicorn")),
    pytest.param(AIOHTTP, id="aiohttp", marks=installed("aiohttp")),
    pytest.param(ONE_PROCESS, id="sanic", marks=installed("sanic")),
]
WITH_WORKERS = [SERVERS[0], pytest.param(SANIC, id="sanic", marks=installed("sanic"))]  # aiohttp's own server has one


class Server:
    """A running example."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path, *, has_manager: bool) -> None:
        self.process = process
        self.has_manager = has_manager
        self.port = port
        self.log = log

    def ask(self, method: str, path: str, body: Optional[object] = None) -> Answer:
        """Send one request on a connection of its own; return the status and what the JSON says."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json", "Connection": "close"})
            response = connection.getresponse()
            text = response.read()
        return response.status, json.loads(text) if response.status < 400 else None

    def wait_until_up(self) -> None:
        deadline = time.monotonic() + STARTS_IN_S
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"it ended: {self.log.read_text()}"
            with contextlib.suppress(OSError):
                self.ask("GET", "/cache/nothing")
                return
            time.sleep(0.05)
        pytest.fail(f"no answer: {self.log.read_text()}")

    def stop(self) -> None:
        """Ask it to end, as a supervisor would; kill what is left of its session."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            if not self.has_manager:  # sanic's hangs where a worker is still starting, also with a plain app
                raise
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@contextlib.contextmanager
def running(command: List[str], folder: Path, *more: str, **environment: str) -> Iterator[Server]:
    """Start an example in a folder of its own; stop it at the end."""
    port = free_port()
    log = folder / "log.txt"
    paths = [str(EXAMPLES), *filter(None, sys.path)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command, str(port), *more],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(process, port, log, has_manager="--workers" in more)
    try:
        server.wait_until_up()
        yield server
    finally:
        server.stop()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.parametrize("command", SERVERS)
def test_example_serves_users_and_a_cache(command: List[str], tmp_path: Path) -> None:
    ada = {"name": "Ada", "id": 1}
    with running(command, tmp_path) as server:
        assert server.ask("GET", "/users/1")[0] == 404
        assert server.ask("POST", "/users/1", ada) == (201, ada)
        assert server.ask("GET", "/users/1") == (200, ada)
        assert server.ask("GET", "/cache/colour")[0] == 404
        assert server.ask("POST", "/cache/colour", "blue") == (201, "blue")
        assert server.ask("GET", "/cache/colour") == (200, "blue")


@pytest.mark.parametrize("command", SERVERS)
def test_example_closes_its_store_when_it_ends(command: List[str], tmp_path: Path) -> None:
    with running(command, tmp_path) as server:
        server.ask("POST", "/users/1", {"name": "Ada"})
    log = server.log.read_text()
    assert "never closed" not in log
    assert "Traceback" not in log
    assert not (tmp_path / "app.db-wal").exists(), "the last close folds the WAL into the file"
    with AsyncDictSQLite(tmp_path / "app.db", table_name="users", storage_mode="json") as users:
        assert users["1"] == {"name": "Ada"}


@pytest.mark.skipif(not rust_loads(), reason="several processes share a file by the backend 'rust', which is not built")
@pytest.mark.parametrize("command", WITH_WORKERS)
def test_two_workers_see_each_other(command: List[str], tmp_path: Path) -> None:
    with running(command, tmp_path, "--workers", "2", ADSQ_BACKEND="rust") as server:
        for number in range(40):  # each on a new connection, so that both workers have their share
            assert server.ask("POST", f"/users/{number % 3}", {"number": number})[0] == 201
            assert server.ask("GET", f"/users/{number % 3}") == (200, {"number": number})
        assert "Traceback" not in server.log.read_text(), "both workers opened the file"


def test_background_task_is_awaited(tmp_path: Path) -> None:
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    with running(FASTAPI, tmp_path) as server:
        server.ask("POST", "/users/7", {"name": "Grace"})
        deadline = time.monotonic() + 10
        while server.ask("GET", "/cache/last%20user") != (200, "7"):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_tour_runs_by_itself(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-W", "error", str(EXAMPLES / "async_await_example.py")]
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=30, check=True
    )
    assert ended.stderr == ""
    assert "tables: ['main', 'sessions']" in ended.stdout
    assert list(tmp_path.iterdir()) == []
