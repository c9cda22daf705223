"""Redis by redis-py's asyncio client: a server that the harness starts on loopback, its append-only file in the folder.

Every command is a round trip to another process, which is killed with the client. It inherits the library that counts
syncs, and counts in memory that it shares with the client; what it writes is not counted: answers are writes, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
from typing import Any, AsyncIterator, ClassVar, Dict, Iterable, Mapping, Optional, Tuple

from harness.contenders.contender import Configuration, Contender, Durability, Face
from harness.measure import syncs

SERVER = "redis-server"
WAIT_S = 10.0
CONNECTIONS = 64  # more tasks than that wait for one
# Ends the server with the client: its standard input closes when the process that measures has gone, however it went.
_GUARD = """
import os, signal, subprocess, sys
server = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
signal.signal(signal.SIGCHLD, lambda *_: os._exit(1))
kind = sys.stdin.read(1)
signal.signal(signal.SIGCHLD, signal.SIG_DFL)
server.send_signal(signal.SIGTERM if kind else signal.SIGKILL)
server.wait()
"""


class Store:
    """A client and the server that it speaks to."""

    def __init__(self, client: Any, guard: subprocess.Popen[bytes], shared: Optional[syncs.Shared]) -> None:
        self.client = client
        self.guard = guard
        self.shared = shared
        self.aget = client.get
        self.aset = client.set
        self.abatch_get = client.mget

    async def abatch_set(self, items: Iterable[Tuple[str, bytes]]) -> None:
        await self.client.mset(dict(items))

    async def aitems(self) -> AsyncIterator[Tuple[str, Optional[bytes]]]:
        async for key in self.client.scan_iter(count=1000):
            yield key.decode(), await self.client.get(key)


class Redis(Contender):
    """A server in memory with a log of its writes; ``appendfsync`` decides when the log is synced."""

    name = "redis"
    package = "redis"
    module = "redis"
    page = "https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/"
    face = Face.ASYNC
    configurations: ClassVar[Mapping[str, Configuration]] = {
        "appendfsync-always": Configuration(Durability.SYNCED, {"appendonly": "yes", "appendfsync": "always"}),
        "appendfsync-everysec": Configuration(Durability.KILL, {"appendonly": "yes", "appendfsync": "everysec"}),
    }
    iterates = False
    own_process = True

    def missing(self) -> Optional[str]:
        if shutil.which(SERVER) is None:
            return f"{self.name}: {SERVER} is not installed: on Debian, apt-get install redis-server"
        return super().missing()

    async def open(self, folder: str, options: Mapping[str, Any]) -> Store:
        import redis.asyncio

        port = _free_port()
        settings = {"bind": "127.0.0.1", "port": port, "dir": folder, "save": "", "daemonize": "no", **options}
        words = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
        command = [sys.executable, "-c", _GUARD, SERVER, *words]
        shared = None if syncs.counted() is None else syncs.Shared()
        environment = {**os.environ, **(shared.environment if shared else {})}
        guard = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
        )
        pool = redis.asyncio.BlockingConnectionPool(
            host="127.0.0.1", port=port, max_connections=CONNECTIONS, timeout=None
        )
        client = redis.asyncio.Redis.from_pool(pool)
        store = Store(client, guard, shared)
        try:
            await asyncio.wait_for(_answers(client, guard), WAIT_S)
        except BaseException:
            await self.close(store)
            raise
        return store

    async def close(self, store: Store) -> None:
        await store.client.aclose()
        assert store.guard.stdin is not None
        with contextlib.suppress(OSError):
            store.guard.stdin.write(b"q")
        with contextlib.suppress(OSError):
            store.guard.stdin.close()
        store.guard.wait()
        if store.shared is not None:
            store.shared.close()

    def counters(self, store: Store) -> Dict[str, int]:
        if store.shared is None:
            return {}
        calls = store.shared.counted()
        return {**calls, "syncs": sum(calls.values())}

    def versions(self) -> Dict[str, str]:
        said = subprocess.run([SERVER, "--version"], capture_output=True, text=True, check=False).stdout
        found = [word.removeprefix("v=") for word in said.split() if word.startswith("v=")]
        return {**super().versions(), SERVER: found[0] if found else "unknown"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _answers(client: Any, guard: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers and has read its log."""
    import redis.exceptions

    while True:
        try:
            await client.ping()
            return
        except (redis.exceptions.ConnectionError, redis.exceptions.BusyLoadingError) as error:
            if guard.poll() is not None:
                raise OSError(f"{SERVER} ended with status {guard.returncode}") from error
            await asyncio.sleep(0.01)


CONTENDERS = (Redis(),)
