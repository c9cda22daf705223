"""Section 1: frameworks that are handed a bound method."""

from __future__ import annotations

import importlib
import warnings
from typing import Any, Optional

from ... import AsyncDictSQLite, InvalidValueError
from ...protocol import Capability
from ..check import Bench, check
from ..expect import equal, on_threads, raises, same

_LOOPS = frozenset({Capability.SEVERAL_LOOPS})


def _load(module: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(module)
    except ImportError as error:
        raise AssertionError(
            f"this check needs fastapi and httpx, which its test client uses: install them ({error})"
        ) from error


def _client(app: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _load("fastapi.testclient").TestClient(app)


@check("1.54", "1.53", needs=_LOOPS, seconds=30)
async def fastapi_background_tasks(bench: Bench) -> None:
    """BackgroundTasks awaits a bound method, sees its effect and its error."""
    fastapi = _load("fastapi")

    def drive(db: AsyncDictSQLite) -> None:
        app = fastapi.FastAPI()

        async def write(tasks: Any, key: str, value: Optional[str]) -> str:
            tasks.add_task(db.aset, key, value if value is not None else object())
            tasks.add_task(db.aget, key)
            return "accepted"

        write.__annotations__.update(tasks=fastapi.BackgroundTasks, key=str, value=Optional[str])
        app.post("/write")(write)
        client = _client(app)
        equal(client.post("/write?key=k&value=v").json(), "accepted")
        same(db.get("k"), "v")
        write.__defaults__ = (None,)
        with raises((InvalidValueError, ValueError)):
            fastapi_error(client, db)

    def fastapi_error(client: Any, db: AsyncDictSQLite) -> None:
        app = fastapi.FastAPI()

        async def write(tasks: Any) -> str:
            tasks.add_task(db.aset, "k", object())
            return "accepted"

        write.__annotations__.update(tasks=fastapi.BackgroundTasks)
        app.post("/write")(write)
        _client(app).post("/write")

    for db in bench.stores(storage_mode="json"):
        await on_threads(1, lambda _: drive(db))  # noqa: B023


@check("1.54", "1.56", needs=_LOOPS, seconds=30)
async def fastapi_depends(bench: Bench) -> None:
    """Depends awaits a bound method, with its parameters from the query, hit or miss; its error arrives."""
    fastapi = _load("fastapi")

    def drive(db: AsyncDictSQLite) -> None:
        app = fastapi.FastAPI()

        async def read(value: Any) -> Any:
            return {"value": value, "type": type(value).__name__}

        read.__defaults__ = (fastapi.Depends(db.aget),)
        app.get("/read")(read)
        client = _client(app)
        for _ in range(2):
            equal(client.get("/read?key=k").json(), {"value": ["v"], "type": "list"})
        equal(client.get("/read?key=no").json()["value"], None)
        equal(client.get("/read?key=no&default=d").json()["value"], "d")
        equal(client.get("/read").status_code, 422)
        db.close()
        with raises(RuntimeError):
            client.get("/read?key=k")

    for db in bench.stores(storage_mode="json"):
        await db.aset("k", ["v"])
        await on_threads(1, lambda _: drive(db))  # noqa: B023
