"""A check: a coroutine function that proves sentences of the contract, and the bench it works on."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import AbstractSet, Any, Callable, Coroutine, FrozenSet, Iterator, List, Tuple, cast

from .. import AsyncDictSQLite
from ..codec import make_codec
from ..errors import AsyncDictError, ConfigError
from ..options import PERSIST_MODES, STORAGE_MODES
from ..protocol import Capability

_PERSIST = {mode: Capability(mode) for mode in PERSIST_MODES}


class Bench:
    """What one check works with: a backend, a fresh folder, a seeded source of chance.

    Attributes:
        backend: the backend's name.
        capabilities: what it declares.
        directory: fresh, and removed after the check.
        random: seeded by `seed`, which a failure names.
    """

    def __init__(self, backend: str, capabilities: AbstractSet[Capability], directory: Path, seed: int) -> None:
        self.backend = backend
        self.capabilities = frozenset(capabilities)
        self.directory = directory
        self.seed = seed
        self.random = random.Random(seed)
        self._stores: List[AsyncDictSQLite] = []

    @property
    def persist_modes(self) -> Tuple[str, ...]:
        """The persist modes that the backend offers."""
        return tuple(mode for mode in PERSIST_MODES if _PERSIST[mode] in self.capabilities)

    @property
    def file_modes(self) -> Tuple[str, ...]:
        """The persist modes with a file."""
        return tuple(mode for mode in self.persist_modes if mode != "memory")

    @property
    def storage_modes(self) -> Tuple[str, ...]:
        """The storage modes of this version."""
        return tuple(mode for mode in STORAGE_MODES if _has_codec(mode))

    def path(self, name: str = "store.db") -> str:
        """Name a file in the check's folder."""
        return str(self.directory / name)

    def open(self, name: str = "store.db", **options: Any) -> AsyncDictSQLite:
        """Make a store of the backend under test, closed at the end of the check; its first use opens it.

        Without `persist_mode` it is the most durable one that the backend offers.
        """
        options.setdefault("backend", self.backend)
        options.setdefault("persist_mode", self.persist_modes[-1])
        store = AsyncDictSQLite(self.path(name), **options)
        self._stores.append(store)
        return store

    def stores(self, **options: Any) -> Iterator[AsyncDictSQLite]:
        """Make one store for each persist mode that the backend offers, each with a file of its own.

        `capacity` is not for memory mode, where it would refuse what does not fit.
        """
        for mode in self.persist_modes:
            fitting = {name: value for name, value in options.items() if mode != "memory" or name != "capacity"}
            yield self.open(f"{mode}.db", persist_mode=mode, **fitting)

    def inject(self, store: AsyncDictSQLite, **switches: Any) -> None:
        """Set the engine's switches of an open store (`Capability.SWITCHES`); what is not named is off."""
        cast("Any", store._engine).inject(**switches)

    def child(self, source: str, *args: str, timeout: float = 20) -> subprocess.CompletedProcess[str]:
        """Run Python source in a child process with this environment: ``sys.argv[1:]`` is `args`."""
        command = [sys.executable, "-c", source, *args]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, env=self.environment(), check=False
        )

    @staticmethod
    def environment() -> dict[str, str]:
        """Tell what a child process needs to import this package from where it is here."""
        return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}

    async def close(self) -> None:
        """Close every store that the check opened, faults switched off."""
        for store in reversed(self._stores):
            if store._engine is not None and Capability.SWITCHES in self.capabilities:
                with contextlib.suppress(AsyncDictError):  # a memory engine has nothing to switch
                    self.inject(store)
            with contextlib.suppress(AsyncDictError):
                await store.aclose()


Body = Callable[[Bench], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: the name of its function.
        says: the sentence it proves, in its own words: the first line of its docstring.
        sentences: the ids of the contract's sentences that it proves.
        needs: the capabilities it needs; a backend without one of them must fail it.
        seconds: how long it may take; more is a hang.
    """

    name: str
    says: str
    sentences: Tuple[str, ...]
    needs: FrozenSet[Capability]
    seconds: float
    body: Body


CHECKS: List[Check] = []


def check(*sentences: str, needs: AbstractSet[Capability] = frozenset(), seconds: float = 10) -> Callable[[Body], Body]:
    """Put a coroutine function on the list of checks.

    Args:
        sentences: the ids of the contract's sentences that it proves.
        needs: the capabilities without which it must fail.
        seconds: how long it may take.
    """

    def register(body: Body) -> Body:
        name, says = body.__name__, (body.__doc__ or "").strip().partition("\n")[0]
        if not says or not sentences:
            raise ValueError(f"check {name}: needs a docstring and the id of a sentence")
        if any(name == other.name for other in CHECKS):
            raise ValueError(f"check {name}: the name is taken")
        CHECKS.append(Check(name, says, sentences, frozenset(needs), seconds, body))
        return body

    return register


def _has_codec(mode: str) -> bool:
    try:
        make_codec(mode)
    except ConfigError:
        return False
    return True
