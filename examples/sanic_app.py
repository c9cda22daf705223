"""Sanic: users by id, and a cache by key. Run: cd examples && sanic sanic_app:app."""

from sanic import Request, Sanic
from sanic.exceptions import NotFound
from sanic.response import HTTPResponse, json

from asyncdictsqlite import AsyncDictSQLite

app = Sanic("users")

# No I/O happens here: each worker opens the file for itself, when it starts.
users = AsyncDictSQLite("app.db", persist_mode="writethrough", storage_mode="json", table_name="users")
cache = users.table("cache")


@app.before_server_start
async def open_store(app: Sanic) -> None:
    await users.aopen()


@app.after_server_stop
async def close_store(app: Sanic) -> None:
    await users.aclose()


@app.get("/users/<user_id:str>")
async def get_user(request: Request, user_id: str) -> HTTPResponse:
    user = await users.aget(user_id)
    if user is None:
        raise NotFound("no such user")
    return json(user)


@app.post("/users/<user_id:str>")
async def set_user(request: Request, user_id: str) -> HTTPResponse:
    await users.aset(user_id, request.json)  # on disk before the client hears of it
    return json(request.json, status=201)


@app.get("/cache/<key:str>")
async def get_cached(request: Request, key: str) -> HTTPResponse:
    missing = object()
    value = await cache.aget(key, missing)
    if value is missing:
        raise NotFound("not cached")
    return json(value)


@app.post("/cache/<key:str>")
async def set_cached(request: Request, key: str) -> HTTPResponse:
    await cache.aset(key, request.json)
    return json(request.json, status=201)
