"""What a workload gets for a store that it opens itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Coroutine, Mapping

from harness.contenders.contender import Contender


@dataclass(frozen=True)
class Doors:
    """A store that is closed: each visit opens it, reads one key, closes it; a missing key is an answer, too."""

    contender: Contender
    folder: str
    options: Mapping[str, Any]

    async def avisit(self, key: str) -> None:
        store = await self.contender.open(self.folder, self.options)
        try:
            await store.aget(key)
        except KeyError:
            pass
        await self.contender.close(store)

    def visit(self, key: str) -> None:
        store = _now(self.contender.open(self.folder, self.options))
        try:
            store.get(key)
        except KeyError:
            pass
        _now(self.contender.close(store))


def _now(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that never waits, without a loop: a sync contender's are like that."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    coroutine.close()
    raise AssertionError("a sync contender waits while it is opened or closed")
