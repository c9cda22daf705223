"""What a contender is: a store that somebody may choose, how it is set up, and what it promises."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from importlib import metadata, util
from typing import Any, ClassVar, Dict, Mapping, Optional, Tuple


class Durability(enum.Enum):
    """What an acknowledged write survives. Numbers of different classes do not compare."""

    VOLATILE = "volatile"
    KILL = "survives a kill"
    SYNCED = "synced before acknowledgement"


class Face(enum.Enum):
    """How the store is called: it chooses the twin of the body."""

    ASYNC = "async"
    SYNC = "sync, in-thread"
    CONTROL = "control"


@dataclass(frozen=True)
class Configuration:
    """One way to set a contender up; the options are printed and recorded as they are given."""

    durability: Durability
    options: Mapping[str, Any]


class Contender:
    """One store; imports of its package belong into the methods, which run in a worker process only.

    Attributes:
        package: what pip installs; empty where the interpreter brings it.
        module: what must be there to import.
        page: where the configurations come from.
        small_cache: options that leave its own cache about as much as SQLite has by default: for cold reads.
        iterates: whether it can go through its entries without listing them all first.
        scans: whether its items take ``start``, the first key, and ``limit``: in key order.
        threads: whether many threads may call what `shared` returns at once.
        processes: options with which several processes may have its file open, each seeing what the others wrote; None
            where they may not.
        kinds: the values that it takes as they are; of others the program makes bytes: text by UTF-8, a dict by JSON.
        kind_options: options for values of a kind.
        own_process: another process does its work: of this one nothing is counted, only what `counters` returns.
    """

    name: ClassVar[str]
    package: ClassVar[str]
    module: ClassVar[str]
    page: ClassVar[str]
    face: ClassVar[Face]
    configurations: ClassVar[Mapping[str, Configuration]]
    small_cache: ClassVar[Mapping[str, Any]] = {}
    iterates: ClassVar[bool] = True
    scans: ClassVar[bool] = False
    threads: ClassVar[bool] = False
    processes: ClassVar[Optional[Mapping[str, Any]]] = None
    kinds: ClassVar[Tuple[str, ...]] = ("bytes",)
    kind_options: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    own_process: ClassVar[bool] = False

    async def open(self, folder: str, options: Mapping[str, Any]) -> Any:
        """Open the store on its own files in ``folder``."""
        raise NotImplementedError

    async def close(self, store: Any) -> None:
        """Close it; what it holds is on disk after that, as far as it keeps anything."""
        raise NotImplementedError

    def shared(self, store: Any) -> Any:
        """Return what many threads call by ``get`` and ``set``, and what `close` takes."""
        return store

    def counters(self, store: Any) -> Dict[str, int]:
        """Return what the store itself counts (commits, writes): only differences are used."""
        return {}

    def versions(self) -> Dict[str, str]:
        """Return the versions that may explain a number."""
        if not self.package:
            return {}
        try:
            return {self.package: metadata.version(self.package)}
        except metadata.PackageNotFoundError:
            return {self.package: "not installed, found on the path"}

    def missing(self) -> Optional[str]:
        """Say in one line what to install, or None if it is there."""
        try:
            found = util.find_spec(self.module)
        except ImportError:
            found = None
        if found is not None:
            return None
        return f"{self.name}: the package {self.package} is not installed: python -m pip install {self.package}"
