"""Backends by name: the built-in ones, and those that other packages bring by an entry point.

A third-party backend is an `EngineFactory` and two lines in its package's metadata::

    [project.entry-points."asyncdictsqlite.backends"]
    mybackend = "mypackage.module:factory"
"""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Dict, Iterable, List, Optional, Tuple

from .errors import ConfigError, UnknownBackendError
from .protocol import EngineFactory

GROUP = "asyncdictsqlite.backends"


@dataclass(frozen=True)
class Backend:
    """One registry line: where the factory is, and what to install when it cannot be imported."""

    name: str
    target: str
    hint: str


_BUILT_IN = {
    backend.name: backend
    for backend in (
        Backend("rust", "asyncdictsqlite.backends.rust:factory", "install a wheel of asyncdictsqlite for this Python"),
        Backend("threads", "asyncdictsqlite.backends.threads:factory", "a Python with the sqlite3 module"),
        Backend("aiosqlite", "asyncdictsqlite.backends.aiosqlite:factory", "pip install 'asyncdictsqlite[aiosqlite]'"),
    )
}
_AUTO = ("rust", "threads")


def names() -> List[str]:
    """Name the backends that are registered, the built-in ones first."""
    return [*_BUILT_IN, *(name for name in _third_party() if name not in _BUILT_IN)]


def load(name: str) -> EngineFactory:
    """Import the factory of a backend.

    Raises:
        UnknownBackendError: the name is not registered, or the backend cannot be imported here.
        ConfigError: the name is no str.
    """
    if not isinstance(name, str):
        raise ConfigError(f"backend={name!r}: must be 'auto' or one of {', '.join(map(repr, names()))}")
    backend = _BUILT_IN.get(name) or _third_party().get(name)
    if backend is None:
        raise UnknownBackendError(f"backend {name!r} is not registered: the known ones are {', '.join(names())}")
    module, _, attribute = backend.target.partition(":")
    try:
        factory: EngineFactory = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        message = f"backend {name!r} cannot be loaded ({error}): {backend.hint}"
        raise UnknownBackendError(message) from error
    return factory


def resolve(name: str) -> Tuple[str, EngineFactory]:
    """Turn a backend option into a name and a factory; "auto" takes ADSQ_BACKEND, else rust, else threads."""
    if name != "auto":
        return name, load(name)
    chosen = os.environ.get("ADSQ_BACKEND", "auto")
    if chosen != "auto":
        return chosen, load(chosen)
    missing: Optional[UnknownBackendError] = None
    for candidate in _AUTO:
        try:
            return candidate, load(candidate)
        except UnknownBackendError as error:
            missing = error
    raise UnknownBackendError("no backend can be loaded here") from missing


def _third_party() -> Dict[str, Backend]:
    found = {}
    for entry in _entry_points():
        hint = f"what the package of the entry point {entry.value!r} asks for"
        found[entry.name] = Backend(entry.name, entry.value, hint)
    return found


def _entry_points() -> Iterable[Any]:
    every: Any = entry_points()
    if hasattr(every, "select"):  # Python 3.10
        return every.select(group=GROUP)  # type: ignore[no-any-return]
    return every.get(GROUP, ())  # type: ignore[no-any-return]
