"""Row 20c: aiohttp and Sanic, handed bound methods as handlers, signals and tasks: awaited, and their errors arrive."""

from __future__ import annotations

import logging
import warnings
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, List

import pytest

from asyncdictsqlite import AsyncDictSQLite
from tests.stores import every_backend, in_a_loop
from tests.trust.figures import Figures

pytestmark = pytest.mark.timeout(60)


class Told(logging.Handler):
    """Keeps the errors that were logged."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: List[Any] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.errors += [type(record.exc_info[1])] if record.exc_info else []


@every_backend
@in_a_loop
async def test_aiohttp_awaits_bound_methods(tmp_path: Path, figures: Figures, backend: str) -> None:
    web = pytest.importorskip("aiohttp.web")
    testing = pytest.importorskip("aiohttp.test_utils")
    told = Told()
    logging.getLogger("aiohttp.server").addHandler(told)
    try:
        async with AsyncDictSQLite(tmp_path / "store.db", backend=backend, storage_mode="json") as db:
            await db.abatch_set({"at startup": 1, "at cleanup": 2})
            app = web.Application()
            app.on_startup.append(partial(db.apop, "at startup"))  # the application becomes its default
            app.on_cleanup.append(partial(db.apop, "at cleanup"))
            app.router.add_get("/", db.aget)
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # what it takes for no coroutine function is deprecated
                async with testing.TestClient(testing.TestServer(app)) as client:
                    assert (await client.get("/")).status == 500
            assert await db.alen() == 0
    finally:
        logging.getLogger("aiohttp.server").removeHandler(told)
    assert told.errors == [TypeError]  # a request is no key
    figures.add("20c", "aiohttp: handler, startup, cleanup", backend, 0, awaited=3, errors_arrived=len(told.errors))


@in_a_loop
async def test_sanic_awaits_bound_methods(tmp_path: Path, figures: Figures) -> None:
    sanic = pytest.importorskip("sanic")
    httpx = pytest.importorskip("httpx")
    app = sanic.Sanic("trust")  # one for all backends: a process can start no second one
    app.asgi = True  # what a server's lifespan would begin
    told: List[Any] = []

    async def tell(request: Any, error: Exception) -> Any:
        told.append(type(error))
        return sanic.response.empty(500)

    async def task(request: Any, backend: str) -> Any:
        app.add_task(stores[backend].aset("of a task", backend))
        return sanic.response.json(await app.add_task(stores[backend].aget("of a task")))

    app.exception(TypeError)(tell)
    app.add_route(task, "/task/<backend>")
    async with AsyncExitStack() as stack:
        stores = {}
        for backend in ("rust", "threads", "aiosqlite"):
            db = AsyncDictSQLite(tmp_path / f"{backend}.db", backend=backend, storage_mode="json")
            stores[backend] = await stack.enter_async_context(db)
            app.add_route(db.aget, f"/aget/{backend}", name=backend)
        await app._startup()
        transport = httpx.ASGITransport(app=app)
        client = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://sanic"))
        for backend in stores:
            told.clear()
            assert (await client.get(f"/task/{backend}")).json() == backend
            assert (await client.get(f"/aget/{backend}")).status_code == 500
            assert told == [TypeError]  # a request is no key
            figures.add("20c", "Sanic: handler, tasks", backend, 0, awaited=3, errors_arrived=len(told))
