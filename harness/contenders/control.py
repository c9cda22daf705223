"""The control: a dict in a coroutine, no store at all. What the harness itself costs is in it, too."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar, Dict, Mapping, Optional

from harness.contenders.contender import Configuration, Contender, Durability, Face


class Control(Contender):
    """``async def get(key): return entries.get(key)``."""

    name = "control"
    package = ""
    module = "builtins"
    page = "https://docs.python.org/3/library/stdtypes.html#mapping-types-dict"
    face = Face.CONTROL
    kinds = ("bytes", "dict", "text")
    configurations: ClassVar[Mapping[str, Configuration]] = {"dict": Configuration(Durability.VOLATILE, {})}

    async def open(self, folder: str, options: Mapping[str, Any]) -> Any:
        entries: Dict[str, bytes] = {}

        async def get(key: str) -> Optional[bytes]:
            return entries.get(key)

        async def put(key: str, value: bytes) -> None:
            entries[key] = value

        return SimpleNamespace(get=get, put=put, aget=get, aset=put, entries=entries)

    async def close(self, store: Any) -> None:
        pass


CONTENDERS = (Control(),)
