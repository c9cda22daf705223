"""Values that a store does not take as they are: the program makes bytes of them, as it would have to."""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, Iterable, Tuple

from harness.contenders.contender import Contender


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


_CODECS: Dict[str, Tuple[Callable[[Any], bytes], Callable[[bytes], Any]]] = {
    "text": (str.encode, bytes.decode),
    "dict": (_json, json.loads),
}


class Encoded:
    """A store of bytes that takes values of another kind, by either face."""

    def __init__(self, store: Any, kind: str) -> None:
        self.store = store
        self.encode, self.decode = _CODECS[kind]

    def get(self, key: str) -> Any:
        found = self.store.get(key)
        return None if found is None else self.decode(found)

    def set(self, key: str, value: Any) -> None:
        self.store.set(key, self.encode(value))

    def batch_set(self, items: Iterable[Tuple[str, Any]]) -> None:
        self.store.batch_set([(key, self.encode(value)) for key, value in items])

    async def aget(self, key: str) -> Any:
        found = await self.store.aget(key)
        return None if found is None else self.decode(found)

    async def aset(self, key: str, value: Any) -> None:
        await self.store.aset(key, self.encode(value))

    async def abatch_set(self, items: Iterable[Tuple[str, Any]]) -> None:
        await self.store.abatch_set([(key, self.encode(value)) for key, value in items])


def taking(contender: Contender, store: Any, kind: str) -> Any:
    """Return the store as a program uses it for values of a kind."""
    return store if kind in contender.kinds else Encoded(store, kind)


def bare(store: Any) -> Any:
    """Return the contender's own store."""
    return store.store if isinstance(store, Encoded) else store


def size(value: Any) -> int:
    """Return the bytes of a value; of a dict those of its JSON."""
    return len(_json(value)) if isinstance(value, dict) else len(value)
