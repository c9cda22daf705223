"""The writer: one daemon thread and one connection for all writes, checkpoints and copies of a file."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections import deque
from typing import Any, Callable, Deque, Dict, List, NamedTuple, Optional, Sequence, TypeVar, Union

from ..errors import AsyncDictError, ClosedError, DurabilityUnknownError, StateError, StorageError
from ..op import Op, fail_all, finish_all
from ..protocol import Change, Opening, TableInfo, Was
from . import changes, schema
from .coherence import Coherence
from .connection import WAL_BYTES, connect
from .enginelock import EngineLock
from .failures import is_of_one_call, primary_code, translate
from .switches import Switches
from .unpublished import Unpublished
from .writersqueue import WritersQueue

T = TypeVar("T")

WAL_BYTES_BUSY = 16 * WAL_BYTES  # while calls wait


class Call(NamedTuple):
    """One waiting commit."""

    changes: Sequence[Change]
    old: bool
    op: Op[List[Was]]


class Task(NamedTuple):
    """Something else that has its turn on the writer's thread."""

    run: Callable[[], Any]
    op: Op[Any]


Done = Callable[[List[Call], List[Union[List[Was], Exception]], int], None]


class Writer:
    """Runs what is handed over in order; neighbouring calls share one transaction.

    Args:
        committed: told of each committed group (calls, results, epoch) before anybody is acknowledged.
        failed: told of a failure with an unknown outcome: the engine stops.
        lock: the engine's; guards the coherence.
    """

    def __init__(self, opening: Opening, lock: EngineLock, coherence: Coherence, switches: Switches,
                 committed: Done, failed: Callable[[Exception], None]) -> None:  # fmt: skip
        self._opening = opening
        self._engine_lock = lock
        self._coherence = coherence
        self._switches = switches
        self._committed = committed
        self._failed = failed
        self._waiting: Deque[Union[Call, Task]] = deque()
        self._arrived = threading.Condition()  # re-entrant: a finalizer may submit while we do
        self._stop = False
        self._alarm: Optional[float] = None
        self._on_alarm: Callable[[], None] = lambda: None
        self.unpublished = Unpublished()
        self.queue = WritersQueue(opening.side_lock, opening.path, opening.options.busy_timeout)
        if opening.exclusive or opening.options.readonly:
            self.queue = WritersQueue(None, opening.path, 0)
        self.connection: sqlite3.Connection
        self.stopped: Optional[str] = None  # why, once a sync has failed
        self._ended = False
        self.last_error: Optional[str] = None
        self.modes: Dict[str, str] = {}
        self.commits = self.syncs = self.writes = self.checkpoints = 0
        self._checkpointed_bytes = 0  # of a WAL that has not begun anew since

    # ---- handing over; from any thread -----------------------------------------------------------------

    def start(self, opened: Callable[[], T]) -> Op[T]:
        """Start the thread; its first job opens the file."""
        op: Op[T] = Op()
        self._waiting.append(Task(opened, op))
        threading.Thread(target=self._run, name="asyncdictsqlite-writer", daemon=True).start()
        return op

    def submit(self, job: Union[Call, Task]) -> None:
        """Queue a job; one that comes after the end fails."""
        with self._arrived:
            if not self._ended:
                self._waiting.append(job)
                self._arrived.notify()
                return
        job.op.fail(self._closed())

    def set_alarm(self, due: Optional[float], on_alarm: Callable[[], None]) -> None:
        """Have `on_alarm` called on the writer's thread at a monotonic time; None takes it back."""
        with self._arrived:
            self._alarm, self._on_alarm = due, on_alarm
            self._arrived.notify()

    def poke(self) -> None:
        """Make the thread look again at what waits."""
        with self._arrived:
            self._arrived.notify()

    # ---- the thread ------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            jobs = self._take()
            if not jobs:
                return
            if isinstance(jobs[0], Task):
                self._run_task(jobs[0])
            else:
                self._run_group([job for job in jobs if isinstance(job, Call)])

    def _take(self) -> List[Union[Call, Task]]:
        """Wait for the next task, or group of calls; empty: the end."""
        while True:
            with self._arrived:
                taken = self._ready()
                if taken:
                    return taken
                if self._stop and not self._waiting:
                    self._ended = True
                    return []
                timeout_s = None if self._alarm is None else self._alarm - time.monotonic()
                if timeout_s is None or timeout_s > 0:
                    self._arrived.wait(timeout_s)
                    continue
                self._alarm = None
            self._on_alarm()

    def _ready(self) -> List[Union[Call, Task]]:
        waiting = self._waiting
        if not waiting:
            return []
        if isinstance(waiting[0], Task):
            return [waiting.popleft()]
        most = self._switches.commit_after or self._opening.options.buffer_size
        group: List[Union[Call, Task]] = []
        for job in waiting:
            if isinstance(job, Task) or len(group) == most:
                break
            group.append(job)
        if self._switches.commit_after and len(group) < most and not self._stop and len(group) == len(waiting):
            return []
        for _ in group:
            waiting.popleft()
        return group

    def _run_task(self, task: Task) -> None:
        try:
            result = task.run()
        except BaseException as error:
            task.op.fail(self._translated(error))
        else:
            task.op.finish(result)

    def _translated(self, error: BaseException) -> BaseException:
        return translate(error, self._opening.path) if isinstance(error, Exception) else error

    def _run_group(self, calls: List[Call]) -> None:
        try:
            if self._stop:
                raise self._closed()
            results = self._commit_group(calls)
        except Exception as error:
            self.last_error = str(error)
            fail_all([call.op for call in calls], error)
            return
        finish_all(
            [
                (call.op, None, result) if isinstance(result, Exception) else (call.op, result, None)
                for call, result in zip(calls, results)
            ]
        )
        if len(calls) == 1 or not self._waiting:  # who writes call by call may have called again already
            self.checkpoint(WAL_BYTES)
        elif self.commits % 64 == 0:
            self.checkpoint(WAL_BYTES_BUSY)

    def _commit_group(self, calls: List[Call]) -> List[Union[List[Was], Exception]]:
        results: List[Union[List[Was], Exception]] = []

        def body() -> None:
            results[:] = self._apply(calls)

        def publish(epoch: int) -> None:
            self._committed(calls, results, epoch)

        self.transaction(body, publish, [call.changes for call in calls])
        self.writes += sum(len(call.changes) for call in calls)
        return results

    def _apply(self, calls: List[Call]) -> List[Union[List[Was], Exception]]:
        connection, modes = self.connection, self.modes
        if changes.are_blind_puts([(call.changes, call.old) for call in calls]):
            connection.execute("SAVEPOINT sorted")
            try:
                changes.put_sorted(connection, modes, [change for call in calls for change in call.changes])
            except (AsyncDictError, sqlite3.Error) as error:
                if not is_of_one_call(error):
                    raise
                connection.execute("ROLLBACK TO sorted")  # then one by one: the other calls are fine
            else:
                return [[Was(False)] * len(call.changes) for call in calls]
        return [self._apply_one(call) for call in calls]

    def _apply_one(self, call: Call) -> Union[List[Was], Exception]:
        """Apply one call: what is wrong with it alone does not fail its neighbours."""
        connection, path = self.connection, self._opening.path
        connection.execute("SAVEPOINT one_call")
        try:
            return self.apply_all(call.changes, call.old)
        except (AsyncDictError, sqlite3.Error) as error:
            if not is_of_one_call(error):
                raise
            connection.execute("ROLLBACK TO one_call")
            return translate(error, path)
        finally:
            if connection.in_transaction:
                connection.execute("RELEASE one_call")

    def apply_all(self, wanted: Sequence[Change], old: bool) -> List[Was]:
        """Apply changes one by one; within a transaction."""
        return [changes.apply(self.connection, self._opening.path, self.modes, change, old=old) for change in wanted]

    def transaction(self, body: Callable[[], None], publish: Callable[[int], None],
                    pending: Sequence[Sequence[Change]] = (), *, synced: bool = False) -> None:  # fmt: skip
        """Run `body` in a transaction; after COMMIT, and before anybody learns of it, `publish` with its epoch.

        Args:
            pending: the changes that memory does not know before they are published.

        Raises:
            StorageError: nothing was applied; DurabilityUnknownError: nobody knows, and the engine has stopped.
            StateError: it had stopped before.
        """
        self.check()
        fault = self._switches.writer_fault()
        self._switches.delay_writer()
        modes = self.modes.copy()
        try:
            with self.queue:
                epoch = self._begin()
                try:
                    body()
                    Switches.raise_fault(None if fault == "sync" else fault)
                except BaseException:
                    self._roll_back()
                    raise
                self._commit(fault, pending)
        except Exception as error:
            self.modes = modes  # a table that was to be dropped is there still
            self._end(None)
            error = self._as_storage_error(error)
            if isinstance(error, DurabilityUnknownError):
                self._failed(error)
            raise error
        self.commits += 1
        self.syncs += synced or self._opening.options.synchronous == "full"
        self._switches.delay_writer()
        self._end(lambda: publish(epoch))

    def _begin(self) -> int:
        self.connection.execute("BEGIN IMMEDIATE")
        with self._engine_lock:
            return self._coherence.began(self.connection)

    def _commit(self, fault: Optional[str], pending: Sequence[Sequence[Change]]) -> None:
        with self._engine_lock:
            self._coherence.committing()
            self.unpublished.begin(pending)
        try:
            self.connection.execute("COMMIT")
            Switches.raise_fault("sync" if fault == "sync" else None)
        except sqlite3.Error as error:
            self._roll_back()
            raise translate(error, self._opening.path, committing=True) from error

    def _roll_back(self) -> None:
        if self.connection.in_transaction:  # a full disk or an I/O error has rolled back already
            try:
                self.connection.execute("ROLLBACK")
            except sqlite3.Error:
                pass  # the transaction ends with the connection

    def _end(self, publish: Optional[Callable[[], None]]) -> None:
        with self._engine_lock:
            if publish is not None:
                publish()
            self._coherence.ended(self.connection)
            waiting = self.unpublished.end()
        for answer in waiting:
            answer()

    def _as_storage_error(self, error: Exception) -> Exception:
        translated = translate(error, self._opening.path)
        if not isinstance(translated, (AsyncDictError, OSError)):
            translated = StorageError(f"{self._opening.path}: the writer failed ({error!r}); nothing was applied")
            translated.__cause__ = error
        return translated

    def check(self) -> None:
        """Refuse to go on after a failed sync: the next one may succeed and yet not save what that one lost."""
        if self.stopped is not None:
            raise StateError(self.stopped)

    def _closed(self) -> ClosedError:
        return ClosedError(f"{self._opening.path}: the engine is closed")

    # ---- what runs on the thread as a task --------------------------------------------------------------

    def open_file(self) -> Dict[str, TableInfo]:
        """Open the connection, check or initialise the file, read its tables."""
        opening = self._opening
        try:
            self.connection = connect(opening, write=True)
        except BaseException:
            self._stop = True
            raise
        try:
            if not (schema.recognise(self.connection, opening.path) and opening.options.readonly):
                with self.queue:
                    schema.initialise(self.connection, opening.path, opening.options.busy_timeout)
            found = schema.tables(self.connection, opening.path)
            with self._engine_lock:
                self._coherence.start(opening, self.connection)
        except BaseException:
            self._coherence.close()
            self.connection.close()
            self._stop = True
            raise
        self.modes.update((info.name, info.storage_mode) for info in found.values())
        return found

    def sync(self) -> None:
        """Make the newest commits durable: a checkpoint may sync nothing, a real commit with FULL does."""
        self.connection.execute("PRAGMA synchronous=FULL")
        try:
            self.transaction(self._touch, lambda epoch: None, synced=True)
        finally:
            self.connection.execute("PRAGMA synchronous=NORMAL")

    def _touch(self) -> None:
        self.connection.execute(f"PRAGMA user_version={schema.FORMAT}")

    def checkpoint(self, most_bytes: int) -> None:
        """Write the WAL back if it is longer than that; readers that hold it back are not waited for.

        When it begins anew SQLite cuts it to `WAL_BYTES`: being longer again means that so much was written since.
        """
        size = self._wal_bytes()
        if size <= WAL_BYTES:
            self._checkpointed_bytes = 0
        if size <= most_bytes or size < self._checkpointed_bytes + WAL_BYTES // 4:
            return
        try:
            self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error as error:
            if primary_code(error) == 10:
                self._failed(translate(error, self._opening.path, committing=True))
            return
        self._checkpointed_bytes = size
        self.checkpoints += 1
        self.syncs += 2  # of the WAL and of the database

    def _wal_bytes(self) -> int:
        try:
            return os.stat(f"{self._opening.path}-wal").st_size
        except OSError:
            return 0

    def backup(self, target: str) -> None:
        """Write a consistent copy to a new file, and sync it and its folder."""
        self.check()
        os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            self.connection.execute("VACUUM INTO ?", (target,))
        except BaseException:
            os.unlink(target)
            raise
        for path in (target, os.path.dirname(target)):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def close_file(self) -> None:
        """Close the connection: the last one writes the WAL back; then the thread ends."""
        self._coherence.close()
        self.connection.close()
        self._stop = True
