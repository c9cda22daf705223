"""The contenders, one file each: a new one is a file here and a line in `_FILES`."""

from __future__ import annotations

import importlib
from typing import Dict, Tuple

from harness.contenders.contender import Contender

_FILES = (
    "control",
    "adsq",
    "dictsqlite_2",
    "sqlite3_plain",
    "sqlite3_executor",
    "aiosqlite_plain",
    "diskcache_store",
    "sqlitedict_store",
    "lmdb_store",
    "rocksdict_store",
    "dbm_stdlib",
    "snkv_store",
    "diskcache_rs_store",
    "key_value_store",
    "redis_server",
    "beaver_db",
)


def _contenders(file: str) -> Tuple[Contender, ...]:
    found: Tuple[Contender, ...] = importlib.import_module(f"{__name__}.{file}").CONTENDERS
    return found


CONTENDERS: Dict[str, Contender] = {contender.name: contender for file in _FILES for contender in _contenders(file)}
