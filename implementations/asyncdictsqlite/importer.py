"""Import of a file of dictsqlite (its table of key and value) into a new file of this package."""

from __future__ import annotations

import os
import sqlite3
import urllib.parse
from itertools import chain
from typing import Any, Iterator, List, Sequence, Tuple, Union

from .codec import make_codec
from .errors import ConfigError, NotADatabaseError
from .store import AsyncDictSQLite

ROWS = 1000
SELECT = 'SELECT key, value FROM "{}"'


def import_dictsqlite(
    old: str, new: str, *, table: str = "main", pickle_allow: Union[str, Sequence[Union[type, str]]] = ()
) -> int:
    """Copy every row of a dictsqlite table into a new store, in storage_mode="pickle"; the old file is only read.

    Args:
        old: the file of dictsqlite.
        new: the file to be made; it must not exist.
        table: the table's name in both.
        pickle_allow: classes that the old pickles may load, beside the safe built-in list.

    Returns:
        How many rows were copied.

    Raises:
        FileExistsError, FileNotFoundError, UnsafePickleError, ...: the new file may then hold a part.
    """
    if os.path.exists(new):
        raise FileExistsError(f"{new} exists: import into a new file")
    if not os.path.isfile(old):
        raise FileNotFoundError(f"{old}: no such file")
    copied = 0
    pages = _pages(old, table, pickle_allow)
    first = next(pages, [])  # what cannot be read is met before the new file is made
    with AsyncDictSQLite(new, persist_mode="writethrough", table_name=table, pickle_allow=pickle_allow) as db:
        for page in chain([first], pages):
            db.batch_set(page)
            copied += len(page)
    return copied


def _pages(old: str, table: str, pickle_allow: Any) -> Iterator[List[Tuple[str, Any]]]:
    codec = make_codec("pickle", pickle_allow=pickle_allow)
    source = sqlite3.connect(f"file:{urllib.parse.quote(os.path.abspath(old))}?mode=ro", uri=True)
    try:
        rows = source.execute(SELECT.format(table.replace('"', '""')))
        while True:
            page = rows.fetchmany(ROWS)
            if not page:
                return
            yield [(key, codec.decode(value) if isinstance(value, bytes) else value) for key, value in page]
    except sqlite3.OperationalError as error:
        raise ConfigError(f"{old} has no table {table!r} with key and value: name it with --table ({error})") from error
    except sqlite3.DatabaseError as error:
        raise NotADatabaseError(f"{old} is not a SQLite database") from error
    finally:
        source.close()
