"""FastAPI: users by id, and a cache by key. Run: cd examples && uvicorn fastapi_app:app."""

from contextlib import asynccontextmanager
from typing import Any, AsyncIterator, Dict

from fastapi import BackgroundTasks, Body, FastAPI, HTTPException

from asyncdictsqlite import AsyncDictSQLite

# No I/O happens here: each worker opens the file for itself, in its lifespan.
users = AsyncDictSQLite("app.db", persist_mode="writethrough", storage_mode="json", table_name="users")
cache = users.table("cache")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with users:
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/users/{user_id}")
async def get_user(user_id: str) -> Any:
    user = await users.aget(user_id)
    if user is None:
        raise HTTPException(404, f"no user {user_id}")
    return user


@app.post("/users/{user_id}", status_code=201)
async def set_user(user_id: str, user: Dict[str, Any], tasks: BackgroundTasks) -> Any:
    await users.aset(user_id, user)  # on disk before the client hears of it
    tasks.add_task(cache.aset, "last user", user_id)  # after the answer was sent
    return user


@app.get("/cache/{key}")
async def get_cached(key: str) -> Any:
    if not await cache.acontains(key):
        raise HTTPException(404, f"nothing cached as {key}")
    return await cache.aget(key)


@app.post("/cache/{key}", status_code=201)
async def set_cached(key: str, value: Any = Body()) -> Any:
    await cache.aset(key, value)
    return value
