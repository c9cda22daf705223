"""A store of ours whose rows are in the system's cache, hardly any in its own."""

from __future__ import annotations

import os
import random
from typing import Any, List

from asyncdictsqlite import AsyncDictSQLite

OPTIONS = {"storage_mode": "bytes", "persist_mode": "writethrough", "synchronous": "normal", "backend": "rust"}


def filled(folder: str, rows: int) -> Any:
    """Return the store, opened anew; close it."""
    path = os.path.join(folder, "store.db")
    with AsyncDictSQLite(path, **OPTIONS) as store:  # type: ignore[arg-type]
        store.batch_set([(f"key{number:09d}", bytes(64)) for number in range(rows)])
    return AsyncDictSQLite(path, capacity=64, **OPTIONS)  # type: ignore[arg-type]


def shuffled(rows: int, purpose: object) -> List[str]:
    """Return every key once, in random order."""
    keys = [f"key{number:09d}" for number in range(rows)]
    random.Random(str(purpose)).shuffle(keys)
    return keys
