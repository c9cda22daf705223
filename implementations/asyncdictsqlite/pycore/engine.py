"""The engine of the Python backends over a file: cache, cold reads, one writer. `WritethroughEngine` is here."""

from __future__ import annotations

import sqlite3
from functools import partial
from typing import Any, Callable, ClassVar, Dict, FrozenSet, List, Mapping, Optional, Sequence, Union

from ..errors import ClosedError, CorruptError, ReadOnlyError, StateError
from ..op import Op
from ..protocol import Capability, Change, Kind, Opening, Row, Stats, TableInfo, Was
from .cache import Cache, ColdReads, Key
from .changes import outcome, read_back
from .coherence import Coherence
from .enginelock import EngineLock
from .failures import translate
from .reader import Query, Reader, Rows
from .switches import Fault, Switches
from .writer import Call, Task, Writer

MakeReader = Callable[[Opening, Switches], Reader]

KEYS_PER_QUERY = 500
SELECT_KEYS = 'SELECT key, value FROM "{}" WHERE key IN ({})'
SELECT_PAGE = 'SELECT {what} FROM "{table}" WHERE {key} >= ?{upper} ORDER BY {order} LIMIT ?'
COUNT = 'SELECT count(*) FROM "{}"'


class FileEngine:
    """What writethrough and lazy share. One lock guards cache, cold reads and coherence; it is never held for I/O."""

    capabilities: ClassVar[FrozenSet[Capability]] = frozenset(Capability) - {Capability.CHEAP_COHERENCE}

    def __init__(self, opening: Opening, make_reader: MakeReader) -> None:
        self._opening = opening
        self._make_reader = make_reader
        self._lock = EngineLock()
        self._state = "new"
        self._cache = Cache(opening.options.capacity, opening.options.capacity_bytes)
        self._cold = ColdReads()
        self._coherence = Coherence()
        self._switches = Switches()
        self._reader: Reader
        self._writer = Writer(opening, self._lock, self._coherence, self._switches, self._committed, self._stop)
        self._hits = self._misses = self._cold_reads = 0

    # ---- opening and closing ---------------------------------------------------------------------------

    def open(self) -> Op[Mapping[str, TableInfo]]:
        """Open the file on the writer's thread."""
        return self._writer.start(self._open)

    def _open(self) -> Mapping[str, TableInfo]:
        tables = self._writer.open_file()
        try:
            self._reader = self._make_reader(self._opening, self._switches)
        except BaseException:
            self._writer.close_file()
            raise
        self._state = "open"
        return tables

    def close(self) -> Op[None]:
        """Finish what is queued, then close."""
        with self._lock:
            if self._state == "closed":
                return Op.of(None)
            self._state = "closed"
        return self._task(self._close_files)

    def _close_files(self) -> None:
        self._reader.close()
        self._writer.close_file()

    def _stop(self, error: Exception) -> None:
        """Serve nothing any more: what a failed sync leaves on the disk is unknown."""
        path = self._opening.path
        self._writer.last_error = str(error)
        self._writer.stopped = f"{path}: stopped, since a sync failed; aopen() opens it again"
        with self._lock:
            if self._state == "open":
                self._state = "stopped"
            self._forget_all()

    def _forget_all(self) -> None:
        self._cache.clear()

    def _refusal(self) -> Optional[Exception]:
        """Return why no call is taken, None when they are."""
        if self._state == "open":
            return None
        if self._state == "stopped":
            return StateError(self._writer.stopped)  # a new one: a shared one would collect the frames of all callers
        return ClosedError(f"{self._opening.path}: the engine is closed")

    def abandon(self) -> None:
        """In a forked child: answer nothing; the threads are the parent's."""
        self._state = "closed"

    # ---- reading ---------------------------------------------------------------------------------------

    def read(self, table: str, keys: Sequence[str]) -> Op[List[Optional[bytes]]]:
        """See `Engine.read`."""
        with self._lock:
            refusal = self._refusal()
            return Op.failed(refusal) if refusal is not None else self._read(table, keys)

    def _read(self, table: str, keys: Sequence[str]) -> Op[List[Optional[bytes]]]:
        """Answer from memory, or start a cold read; under the lock."""
        epoch = self._coherence.trusted_epoch()
        home: Dict[str, Optional[bytes]] = {}
        cold = [key for key in keys if not self._look_up((table, key), epoch, home)]
        self._hits += len(keys) - len(cold)
        if not cold:
            return Op.of([home[key] for key in keys])
        op: Op[List[Optional[bytes]]] = Op()

        def answer(values: Mapping[str, bytes], error: Optional[Exception]) -> None:
            if error is not None:
                op.fail(error)
            else:
                op.finish([home[key] if key in home else values.get(key) for key in keys])

        op.before_wait(self._fetch_cold(table, cold, answer, may_use_loop=True))
        return op

    def _look_up(self, key: Key, epoch: Optional[int], home: Dict[str, Optional[bytes]]) -> bool:
        """Put what memory knows of a key into `home`; tell whether it knows."""
        value = self._cache.get(key, epoch)
        if value is not None:
            home[key[1]] = value
        return value is not None

    def _fetch_cold(
        self,
        table: str,
        keys: Sequence[str],
        answer: Callable[[Mapping[str, bytes], Optional[Exception]], None],
        *,
        may_use_loop: bool,
    ) -> Optional[Callable[[], None]]:
        """Read keys from the file and keep them, unless a newer value was published meanwhile; under the lock."""
        self._misses += len(keys)
        self._cold_reads += 1
        epoch = self._coherence.epoch
        token = self._cold.begin((table, key) for key in keys)

        fetched = partial(self._fetched, table, keys, epoch, token, answer)
        return self._reader.fetch(_select_keys(table, keys), fetched, may_use_loop=may_use_loop)

    def _fetched(
        self,
        table: str,
        keys: Sequence[str],
        epoch: int,
        token: object,
        answer: Callable[[Mapping[str, bytes], Optional[Exception]], None],
        pages: Optional[List[Rows]],
        error: Optional[Exception],
    ) -> None:
        again = partial(self._fetched, table, keys, epoch, token, answer, pages, error)
        values = {key: read_back(value) for rows in pages or () for key, value in rows}
        with self._lock:
            if self._writer.unpublished.holds_back(table, keys, again):
                return
            for key in keys:
                if self._cold.end((table, key), token) and key in values:
                    self._cache.put((table, key), values[key], epoch)
        answer(values, None if error is None else self._reader_error(error))

    def _reader_error(self, error: Exception) -> Exception:
        translated = translate(error, self._opening.path)
        self._writer.last_error = str(translated)
        if isinstance(translated, (OSError, ValueError)):
            return translated
        return translate(sqlite3.OperationalError(f"the reader failed: {error!r}"), self._opening.path)

    def scan(self, table: str, *, start: str, end: Optional[str], reverse: bool, rows: int, size_bytes: int,
             values: bool) -> Op[List[Row]]:  # fmt: skip
        """See `Engine.scan`."""
        columns = ("table_name", "storage_mode") if table == "adsq_meta" else ("key", "value")
        what = ", ".join(columns) if values else columns[0]
        upper, parameters = ("", [start]) if end is None else (f" AND {columns[0]} < ?", [start, end])
        order = f"{columns[0]} DESC" if reverse else columns[0]
        sql = SELECT_PAGE.format(what=what, table=table, key=columns[0], upper=upper, order=order)
        query = Query(sql, [*parameters, rows], size_bytes)

        def page(found: Rows) -> List[Row]:
            if not all(isinstance(row[0], str) for row in found):
                message = f"{self._opening.path} is damaged: a key of {table} is no text; nothing was repaired"
                raise CorruptError(message)
            return [(row[0], read_back(row[1]) if values else None) for row in found]

        return self._query(table, query, page)

    def count(self, table: str) -> Op[int]:
        """See `Engine.count`."""
        return self._query(table, Query(COUNT.format(table), ()), lambda rows: int(rows[0][0]))

    def _query(self, table: str, query: Query, result: Callable[[Rows], Any]) -> Op[Any]:
        op: Op[Any] = Op()
        with self._lock:  # the reader ends under no query: closing takes the lock first
            refusal = self._refusal()
            if refusal is not None:
                return Op.failed(refusal)
            self._run_query(table, query, result, op)
        return op

    def _run_query(self, table: str, query: Query, result: Callable[[Rows], Any], op: Op[Any]) -> None:
        answer = partial(self._answered, table, result, op)
        op.before_wait(self._reader.fetch([query], answer, may_use_loop=True))

    def _answered(self, table: str, result: Callable[[Rows], Any], op: Op[Any], pages: Optional[List[Rows]],
                  error: Optional[Exception]) -> None:  # fmt: skip
        with self._lock:
            again = partial(self._answered, table, result, op, pages, error)
            if self._writer.unpublished.holds_back(table, None, again):
                return
        if pages is None:
            op.fail(self._reader_error(error or RuntimeError("no answer")))
            return
        try:
            op.finish(result(pages[0]))
        except CorruptError as damage:
            op.fail(damage)

    # ---- writing ---------------------------------------------------------------------------------------

    def _committed(self, calls: List[Call], results: List[Union[List[Was], Exception]], epoch: int) -> None:
        """Publish a committed group to the cache; under the lock, before anybody is acknowledged."""
        for call, result in zip(calls, results):
            if not isinstance(result, Exception):
                for change, was in zip(call.changes, result):
                    self._publish(change, was, epoch)

    def _publish(self, change: Change, was: Was, epoch: int) -> None:
        if change.kind in (Kind.CLEAR, Kind.DROP):
            self._cache.drop_table(change.table)
            self._cold.outdate_table(change.table)
            return
        key = change.table, change.key
        self._cold.outdate(key)
        value = outcome(change, was)
        if value is None:
            self._cache.drop(key)
        else:
            self._cache.put(key, value, epoch)

    def _task(self, run: Callable[[], Any]) -> Op[Any]:
        op: Op[Any] = Op()
        self._writer.submit(Task(run, op))
        return op

    def _write_refusal(self) -> Optional[Exception]:
        if self._opening.options.readonly:
            return ReadOnlyError(f"{self._opening.path} is open for reading only; nothing was applied")
        return self._refusal()

    def stats(self) -> Stats:
        """See `Engine.stats`."""
        options, writer = self._opening.options, self._writer
        return {
            "state": self._state,
            "persist_mode": options.persist_mode,
            "synchronous": options.synchronous,
            "exclusive": self._opening.exclusive,
            "sqlite_version": sqlite3.sqlite_version,
            "entries": len(self._cache),
            "bytes": self._cache.size_bytes,
            "hits": self._hits,
            "misses": self._misses,
            "evictions": self._cache.evictions,
            "unsaved": 0,
            "unsaved_bytes": 0,
            "commits": writer.commits,
            "syncs": writer.syncs,
            "writes": writer.writes,
            "writes_per_commit": writer.writes / writer.commits if writer.commits else 0.0,
            "checkpoints": writer.checkpoints,
            "foreign_changes": self._coherence.epoch,
            "last_error": writer.last_error,
            "cold_inline": 0,
            "cold_thread": self._cold_reads,
            **(self._reader.stats() if self._state == "open" else {}),
        }

    def inject(
        self,
        *,
        seed: int = 0,
        reader_delay_s: float = 0.0,
        writer_delay_s: float = 0.0,
        reader_fault: Optional[Fault] = None,
        writer_fault: Optional[Fault] = None,
        commit_after: Optional[int] = None,
    ) -> None:
        """Set the switches for tests; see `Switches.set`."""
        self._switches.set(
            seed=seed,
            reader_delay_s=reader_delay_s,
            writer_delay_s=writer_delay_s,
            reader_fault=reader_fault,
            writer_fault=writer_fault,
            commit_after=commit_after,
        )
        self._writer.poke()


class WritethroughEngine(FileEngine):
    """Acknowledges what is committed: every call waits for the commit that carries it."""

    def commit(self, changes: Sequence[Change], *, old: bool = False) -> Op[List[Was]]:
        """See `Engine.commit`."""
        refusal = self._write_refusal()
        if refusal is not None:
            return Op.failed(refusal)
        op: Op[List[Was]] = Op()
        self._writer.submit(Call(changes, old, op))
        return op

    def flush(self) -> Op[None]:
        """See `Engine.flush`: with synchronous="full" everything acknowledged is durable already."""
        refusal = self._refusal()
        if refusal is not None:
            return Op.failed(refusal)
        options = self._opening.options
        if options.synchronous == "full" or options.readonly:
            return Op.of(None)
        return self._task(self._writer.sync)

    def backup(self, path: str) -> Op[None]:
        """See `Engine.backup`."""
        refusal = self._refusal()
        return Op.failed(refusal) if refusal is not None else self._task(lambda: self._writer.backup(path))


def _select_keys(table: str, keys: Sequence[str]) -> List[Query]:
    wanted = list(dict.fromkeys(keys))
    parts = [wanted[at : at + KEYS_PER_QUERY] for at in range(0, len(wanted), KEYS_PER_QUERY)]
    return [Query(SELECT_KEYS.format(table, ", ".join("?" * len(part))), part) for part in parts]
