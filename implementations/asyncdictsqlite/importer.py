"""Import of a file of dictsqlite 2.x into a new file of this package."""

from __future__ import annotations

import os
import sqlite3
import urllib.parse
from itertools import chain
from typing import Any, Iterator, List, Sequence, Tuple, Union

from .codec import make_codec
from .errors import ConfigError, NotADatabaseError
from .store import AsyncDictSQLite

OLD_TABLE = "kv_store"  # where dictsqlite keeps every table; keys of one named "users" begin with "users:"
ROWS = 1000
SELECT = 'SELECT key, value FROM "{}" ORDER BY key'

Pairs = List[Tuple[str, Any]]


def import_dictsqlite(
    old: str,
    new: str,
    *,
    table: str = OLD_TABLE,
    into: str = "main",
    storage_mode: str = "pickle",
    pickle_allow: Union[str, Sequence[Union[type, str]]] = (),
) -> int:
    """Copy every row of a dictsqlite table into a new store; the old file is only read, the new one whole or gone.

    Args:
        old: the file of dictsqlite.
        new: the file to be made; it must not exist.
        table: the old table.
        into: the new table.
        storage_mode: how the old values are kept, and the new ones will be.
        pickle_allow: classes that the old pickles may load, beside the safe built-in list.

    Returns:
        How many rows were copied.

    Raises:
        FileExistsError, FileNotFoundError, ConfigError, ValueDecodingError, UnsafePickleError: no new file is left.
    """
    if os.path.exists(new):
        raise FileExistsError(f"{new} exists: import into a new file")
    if not os.path.isfile(old):
        raise FileNotFoundError(f"{old}: no such file")
    pages = _pages(old, table, make_codec(storage_mode, pickle_allow=pickle_allow).decode)
    first = next(pages, [])  # what cannot be read is met before the new file is made
    db = AsyncDictSQLite(
        new, persist_mode="writethrough", table_name=into, storage_mode=storage_mode, pickle_allow=pickle_allow
    )
    try:
        with db:
            return _copy(chain([first], pages), db)
    except BaseException:
        for suffix in ("", "-wal", "-shm", "-adsq"):
            if os.path.exists(new + suffix):
                os.unlink(new + suffix)
        raise


def _copy(pages: Iterator[Pairs], db: AsyncDictSQLite) -> int:
    copied = 0
    for page in pages:
        db.batch_set(page)
        copied += len(page)
    return copied


def _pages(old: str, table: str, decode: Any) -> Iterator[Pairs]:
    source = sqlite3.connect(f"file:{urllib.parse.quote(os.path.abspath(old))}?mode=ro", uri=True)
    try:
        rows = source.execute(SELECT.format(table.replace('"', '""')))
        while page := rows.fetchmany(ROWS):
            yield [(key, decode(value) if isinstance(value, bytes) else value) for key, value in page]
    except sqlite3.OperationalError as error:
        raise ConfigError(f"{old} has no table {table!r} with key and value: name it with --table ({error})") from error
    except sqlite3.DatabaseError as error:
        raise NotADatabaseError(f"{old} is not a SQLite database") from error
    finally:
        source.close()
