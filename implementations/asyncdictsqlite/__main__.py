"""``python -m asyncdictsqlite info | import``."""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Optional, Sequence

from . import promise, registry
from .errors import AsyncDictError
from .importer import OLD_TABLE, import_dictsqlite


def info() -> None:
    """Print what is installed, which backend "auto" takes, and the promise of each."""
    try:
        installed = version("asyncdictsqlite")
    except PackageNotFoundError:
        installed = "not installed as a distribution"
    print(f"asyncdictsqlite {installed}, Python {platform.python_version()}, stock SQLite {sqlite3.sqlite_version}")
    for name in registry.names():
        print(f"  {name}: {_describe(name)}")
    chosen, _ = registry.resolve("auto")
    because = " (ADSQ_BACKEND)" if os.environ.get("ADSQ_BACKEND", "auto") != "auto" else ""
    print(f"backend='auto' takes {chosen!r}{because}")


def _describe(name: str) -> str:
    try:
        factory = registry.load(name)
    except AsyncDictError as error:
        return f"missing: {error}"
    exclusive, reason = promise.in_force(None, factory)
    library = ".".join(map(str, getattr(factory, "sqlite_version_info", ()))) or "unknown"
    stated = "exclusive: one process at a time" if exclusive else "shared: several processes, coherent reads"
    return f"SQLite {library}; by default {stated} ({reason})"


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m asyncdictsqlite", description="A persistent dict for asyncio.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("info", help="what is installed, and which promise holds")
    importing = commands.add_parser("import", help="copy a file of dictsqlite into a new file")
    importing.add_argument("old")
    importing.add_argument("new")
    importing.add_argument("--table", default=OLD_TABLE, help="the old table (default: %(default)s)")
    importing.add_argument("--into", default="main", help="the new table (default: %(default)s)")
    importing.add_argument("--storage-mode", default="pickle", choices=("pickle", "json", "bytes"))
    importing.add_argument("--allow", action="append", default=[], metavar="module.Name", help="class to unpickle")
    given = parser.parse_args(arguments)
    if given.command == "info":
        info()
        return 0
    try:
        copied = import_dictsqlite(
            given.old,
            given.new,
            table=given.table,
            into=given.into,
            storage_mode=given.storage_mode,
            pickle_allow=given.allow,
        )
    except (AsyncDictError, OSError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    print(f"{copied} rows from {given.old} in {given.new}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
