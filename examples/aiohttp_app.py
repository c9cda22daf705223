"""aiohttp: users by id, and a cache by key. Run: cd examples && python -m aiohttp.web -P 8080 aiohttp_app:make_app."""

from typing import AsyncIterator, Sequence

from aiohttp import web

from asyncdictsqlite import AsyncDictSQLite

USERS: "web.AppKey[AsyncDictSQLite]" = web.AppKey("USERS", AsyncDictSQLite)
CACHE: "web.AppKey[AsyncDictSQLite]" = web.AppKey("CACHE", AsyncDictSQLite)

routes = web.RouteTableDef()


@routes.get("/users/{user_id}")
async def get_user(request: web.Request) -> web.Response:
    user = await request.app[USERS].aget(request.match_info["user_id"])
    if user is None:
        raise web.HTTPNotFound(text="no such user")
    return web.json_response(user)


@routes.post("/users/{user_id}")
async def set_user(request: web.Request) -> web.Response:
    user = await request.json()
    await request.app[USERS].aset(request.match_info["user_id"], user)  # on disk before the client hears of it
    return web.json_response(user, status=201)


@routes.get("/cache/{key}")
async def get_cached(request: web.Request) -> web.Response:
    missing = object()
    value = await request.app[CACHE].aget(request.match_info["key"], missing)
    if value is missing:
        raise web.HTTPNotFound(text="not cached")
    return web.json_response(value)


@routes.post("/cache/{key}")
async def set_cached(request: web.Request) -> web.Response:
    value = await request.json()
    await request.app[CACHE].aset(request.match_info["key"], value)
    return web.json_response(value, status=201)


async def stores(app: web.Application) -> AsyncIterator[None]:
    """Open the file when the application starts, close it when it ends."""
    users = AsyncDictSQLite("app.db", persist_mode="writethrough", storage_mode="json", table_name="users")
    async with users:
        app[USERS] = users
        app[CACHE] = users.table("cache")
        yield


def make_app(arguments: Sequence[str] = ()) -> web.Application:
    app = web.Application()
    app.add_routes(routes)
    app.cleanup_ctx.append(stores)
    return app
