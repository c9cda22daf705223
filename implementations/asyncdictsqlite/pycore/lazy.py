"""The lazy engine: writes are decided in memory at once and flushed in few, large, sorted transactions."""

from __future__ import annotations

import time
from functools import partial
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from ..errors import AsyncDictError, DurabilityUnknownError, FlushFailedError, SchemaMismatchError, StateError
from ..op import Op, fail_all
from ..protocol import Change, Kind, Opening, Stats, Was
from . import flush
from .cache import Key, size_of
from .connection import WAL_BYTES
from .engine import FileEngine, MakeReader
from .flush import Load, Unsaved
from .gates import Gate, Gated, Gates
from .reader import Query, Rows

RETRY_S, RETRY_MOST_S = 0.1, 5.0


class LazyEngine(FileEngine):
    """Acknowledges what is in memory and queued; the writer's thread flushes."""

    def __init__(self, opening: Opening, make_reader: MakeReader) -> None:
        super().__init__(opening, make_reader)
        self._unsaved: Dict[Key, Unsaved] = {}
        self._masked: Dict[str, object] = {}  # cleared, but not yet in the file; the value is the generation
        self._gates = Gates()
        self._queued = Load()
        self._flushing = Load()
        self._late: List[Tuple[Op[List[Was]], List[Was]]] = []  # applied, acknowledged when a flush has made room
        self._alarm_set = False
        self._retry_s = RETRY_S
        self._flush_error: Optional[FlushFailedError] = None

    # ---- reading ---------------------------------------------------------------------------------------

    def read(self, table: str, keys: Sequence[str]) -> Op[List[Optional[bytes]]]:
        """See `Engine.read`."""
        with self._lock:
            refusal = self._refusal()
            if refusal is not None:
                return Op.failed(refusal)
            if not self._gates.block([(table, key) for key in keys]):
                return self._read(table, keys)
            op: Op[List[Optional[bytes]]] = Op()
            self._gates.append(Gated((), lambda gated: self._read(table, keys).pass_to(op), op))
            return op

    def _look_up(self, key: Key, epoch: Optional[int], home: Dict[str, Optional[bytes]]) -> bool:
        unsaved = self._unsaved.get(key)
        if unsaved is not None:
            home[key[1]] = unsaved.value
            return True
        if key[0] in self._masked:
            home[key[1]] = None
            return True
        return super()._look_up(key, epoch, home)

    def _query(self, table: str, query: Query, result: Callable[[Rows], Any]) -> Op[Any]:
        op: Op[Any] = Op()

        def run() -> None:
            try:
                self._flush()
            except Exception as error:
                op.fail(error)
            else:
                self._run_query(table, query, result, op)

        def turn(gated: Optional[Gated]) -> None:
            if self._unsaved or self._masked:
                self._task(run)
            else:
                self._run_query(table, query, result, op)

        return self._in_turn(turn, op)

    def _in_turn(self, turn: Callable[[Optional[Gated]], None], op: Op[Any]) -> Op[Any]:
        """Run now, or after the calls that wait for cold keys."""
        with self._lock:
            refusal = self._refusal()
            if refusal is not None:
                return Op.failed(refusal)
            if self._gates:
                self._gates.append(Gated((), turn, op))
            else:
                turn(None)
        return op

    # ---- writing ---------------------------------------------------------------------------------------

    def commit(self, changes: Sequence[Change], *, old: bool = False) -> Op[List[Was]]:
        """See `Engine.commit`."""
        op: Op[List[Was]] = Op()
        with self._lock:
            refusal = self._write_refusal() or self._take_flush_error()
            if refusal is not None:
                return Op.failed(refusal)
            if any(change.kind in (Kind.CREATE, Kind.DROP) for change in changes):
                return self._task(lambda: self._commit_schema(changes, old))
            for table in {change.table for change in changes}:
                if table not in self._writer.modes:  # no flush could save it
                    message = f"{self._opening.path}: table {table!r} is not in the file (dropped?)"
                    return Op.failed(SchemaMismatchError(f"{message}; nothing was applied"))
            keys = [(change.table, None if change.kind == Kind.CLEAR else change.key) for change in changes]
            home, cold = self._needed(changes, old)
            if not cold and not self._gates.block(keys):
                self._acknowledge(op, self._apply(changes, old, home))
                return op
            self._gate(keys, home, cold, lambda gated: self._acknowledge(op, self._apply(changes, old, gated.home)), op)
        return op

    def _needed(self, changes: Sequence[Change], old: bool) -> Tuple[Dict[Key, Optional[bytes]], Dict[str, List[str]]]:
        """Return what memory knows of the keys whose state decides, and the cold ones by table."""
        home: Dict[Key, Optional[bytes]] = {}
        cold: Dict[str, List[str]] = {}
        blind = (Kind.CLEAR,) if old else (Kind.CLEAR, Kind.PUT)
        needed = [(change.table, change.key) for change in changes if change.kind not in blind]
        epoch = self._coherence.trusted_epoch() if needed else None
        for key in needed:
            found: Dict[str, Optional[bytes]] = {}
            if self._look_up(key, epoch, found):
                home[key] = found[key[1]]
            else:
                cold.setdefault(key[0], []).append(key[1])
        return home, cold

    def _apply(self, changes: Sequence[Change], old: bool, home: Mapping[Key, Optional[bytes]]) -> List[Was]:
        """Decide each change in memory and queue what it writes."""
        results = []
        for change in changes:
            kind, key = change.kind, (change.table, change.key)
            if kind == Kind.CLEAR:
                self._clear(change.table)
                results.append(Was(False))
                continue
            before = self._before(key, home) if old or kind != Kind.PUT else None
            if kind == Kind.DELETE:
                if before is not None:
                    self._enqueue(key, None)
            elif kind == Kind.PUT or before == (None if kind == Kind.PUT_IF_ABSENT else change.expected):
                self._enqueue(key, change.value)
            results.append(Was(before is not None, before if old else None))
        self._schedule()
        return results

    def _before(self, key: Key, home: Mapping[Key, Optional[bytes]]) -> Optional[bytes]:
        unsaved = self._unsaved.get(key)
        if unsaved is not None:
            return unsaved.value
        return None if key[0] in self._masked else home[key]

    def _enqueue(self, key: Key, value: Optional[bytes]) -> None:
        self._unsaved[key] = Unsaved(value)
        self._cold.outdate(key)
        self._cache.drop(key)
        self._queued.operations += 1
        self._queued.size_bytes += size_of(key, value or b"")

    def _clear(self, table: str) -> None:
        self._forget_table(table)
        self._masked[table] = object()
        self._queued.operations += 1

    def _forget_table(self, table: str) -> None:
        for key in [key for key in self._unsaved if key[0] == table]:
            del self._unsaved[key]
        self._cache.drop_table(table)
        self._cold.outdate_table(table)

    def _acknowledge(self, op: Op[List[Was]], results: List[Was]) -> None:
        if self._is_full():
            self._late.append((op, results))
        else:
            op.finish(results)

    def _is_full(self) -> bool:
        options, queued, flushing = self._opening.options, self._queued, self._flushing
        return (
            queued.operations + flushing.operations > 2 * options.max_unsaved
            or queued.size_bytes + flushing.size_bytes > 2 * options.max_unsaved_bytes
        )

    # ---- gates -----------------------------------------------------------------------------------------

    def _gate(
        self,
        keys: Sequence[Gate],
        home: Mapping[Key, Optional[bytes]],
        cold: Mapping[str, Sequence[str]],
        run: Callable[[Gated], None],
        op: Op[Any],
    ) -> None:
        gated = Gated(keys, run, op)
        gated.home.update(home)
        waiting = set(cold)
        gated.ready = not waiting
        self._gates.append(gated)

        def came_home(table: str, values: Mapping[str, bytes], error: Optional[Exception]) -> None:
            with self._lock:
                for key in cold[table]:
                    gated.home.setdefault((table, key), values.get(key))  # what a flush wrote meanwhile is newer
                gated.error = gated.error or error
                waiting.discard(table)
                gated.ready = not waiting
                self._gates.run(self._refusal)

        for table in cold:
            # Not on a loop: a sync call that queues behind may block it.
            self._fetch_cold(table, cold[table], partial(came_home, table), may_use_loop=False)

    # ---- flushing --------------------------------------------------------------------------------------

    def _schedule(self) -> None:
        if self._retry_s > RETRY_S:  # a flush failed: it is tried again when its time has come
            return
        options = self._opening.options
        if self._queued.reaches(options.max_unsaved, options.max_unsaved_bytes):
            self._set_alarm(0.0)
        elif not self._alarm_set:
            self._set_alarm(options.flush_interval)

    def _set_alarm(self, after_s: float) -> None:
        self._alarm_set = True
        self._writer.set_alarm(time.monotonic() + after_s, self._flush_on_alarm)

    def _flush_on_alarm(self) -> None:
        try:
            self._flush()
        except FlushFailedError as error:
            with self._lock:
                self._flush_error = error
                self._set_alarm(self._retry_s)
                self._retry_s = min(2 * self._retry_s, RETRY_MOST_S)
        except StateError:
            pass  # it has stopped
        except DurabilityUnknownError:
            pass  # everybody who waits was told, and who comes will be

    def _flush(self) -> None:
        """Write what is queued in one transaction; on the writer's thread.

        Raises:
            FlushFailedError: it surely did not apply; everything is kept.
            DurabilityUnknownError: nobody knows; the engine has stopped.
            StateError: it had stopped before; what was unsaved is lost.
        """
        self._writer.check()
        with self._lock:
            unsaved, masked = dict(self._unsaved), dict(self._masked)
            self._flushing, self._queued, self._alarm_set = self._queued, Load(), False
        if not unsaved and not masked:
            self._settle(None)
            return
        try:
            self._writer.transaction(
                lambda: flush.write(self._writer.connection, self._writer.modes, unsaved, masked),
                lambda epoch: self._saved(unsaved, masked, epoch),
            )
        except DurabilityUnknownError:
            raise
        except (AsyncDictError, OSError) as error:
            self._take_back()
            failed = FlushFailedError(f"{self._opening.path}: a flush failed and will be tried again: {error}")
            self._writer.last_error = str(failed)
            raise failed from error
        self._writer.writes += len(unsaved) + len(masked)
        self._retry_s = RETRY_S
        self._settle(None)
        self._writer.checkpoint(WAL_BYTES)

    def _saved(self, unsaved: Mapping[Key, Unsaved], masked: Mapping[str, object], epoch: int) -> None:
        """Move what was flushed to the cache; what was overwritten meanwhile stays unsaved. Under the lock."""
        for gated in self._gates:  # their cold reads may have missed this flush
            for table, name in gated.keys:
                if name is not None and ((table, name) in unsaved or table in masked):
                    gated.home[table, name] = unsaved.get((table, name), Unsaved(None)).value
        for key, entry in unsaved.items():
            if self._unsaved.get(key) is entry:
                del self._unsaved[key]
                if entry.value is not None:
                    self._cache.put(key, entry.value, epoch)
        for table, generation in masked.items():
            if self._masked.get(table) is generation:
                del self._masked[table]

    def _take_back(self) -> None:
        """Count what was not flushed as queued again; who waits for room waits on."""
        with self._lock:
            self._queued.operations += self._flushing.operations
            self._queued.size_bytes += self._flushing.size_bytes
            self._flushing = Load()

    def _settle(self, error: Optional[Exception]) -> None:
        """A flush is over: acknowledge who waited for room, if there is some; after a failed sync fail them."""
        with self._lock:
            self._flushing = Load()
            late, self._late = self._late, []
            if error is None and self._is_full():
                self._late, late = late, []
        if error is not None:
            fail_all([op for op, _ in late], error)
            return
        for op, results in late:
            op.finish(results)

    def _take_flush_error(self) -> Optional[FlushFailedError]:
        error, self._flush_error = self._flush_error, None
        return error

    def _commit_schema(self, changes: Sequence[Change], old: bool) -> List[Was]:
        """Flush, then create or drop tables in a commit of its own; on the writer's thread."""
        self._flush()
        results: List[Was] = []
        writer = self._writer

        def body() -> None:
            results[:] = writer.apply_all(changes, old)

        def publish(epoch: int) -> None:
            for change in changes:
                if change.kind == Kind.DROP:
                    self._forget_table(change.table)

        writer.transaction(body, publish)
        return results

    def flush(self) -> Op[None]:
        """See `Engine.flush`."""
        with self._lock:
            refusal = self._refusal() or self._take_flush_error()
        if refusal is not None:
            return Op.failed(refusal)
        op: Op[None] = Op()
        return self._in_turn(lambda gated: self._task(self._flush_durably).pass_to(op), op)

    def _flush_durably(self) -> None:
        self._flush()
        if self._opening.options.synchronous == "normal" and not self._opening.options.readonly:
            self._writer.sync()

    def backup(self, path: str) -> Op[None]:
        """See `Engine.backup`."""

        def run() -> None:
            self._flush()
            self._writer.backup(path)

        op: Op[None] = Op()
        return self._in_turn(lambda gated: self._task(run).pass_to(op), op)

    # ---- closing ---------------------------------------------------------------------------------------

    def close(self) -> Op[None]:
        """Flush and close; where the flush fails the engine stays open."""
        with self._lock:
            error = self._take_flush_error() if self._state == "open" else None
        if error is not None:
            return Op.failed(error)
        op: Op[None] = Op()
        if self._state != "open":
            super().close().pass_to(op)
            return op
        return self._in_turn(lambda gated: self._task(self._flush_and_close).pass_to(op), op)

    def _flush_and_close(self) -> None:
        self._flush()
        while not self._closes():
            self._flush()
        self._close_files()

    def _closes(self) -> bool:
        """Close, unless something was acknowledged since the last flush began."""
        with self._lock:
            if self._unsaved or self._masked:
                return False
            self._state = "closed"
            return True

    def _stop(self, error: Exception) -> None:
        super()._stop(error)
        self._settle(error)

    def _forget_all(self) -> None:
        super()._forget_all()
        self._unsaved.clear()
        self._masked.clear()

    def stats(self) -> Stats:
        """See `Engine.stats`."""
        stats = super().stats()
        stats["unsaved"] = len(self._unsaved)
        stats["unsaved_bytes"] = self._queued.size_bytes + self._flushing.size_bytes
        return stats
