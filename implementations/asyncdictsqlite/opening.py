"""One engine per file and process: who may open a file, joining, closing, fork and exit.

Every backend goes through here, so that two SQLite libraries never meet on one file in one process: POSIX locks
belong to a process, and the second library's close drops the first one's
(https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).
"""

from __future__ import annotations

import atexit
import dataclasses
import os
import queue
import sqlite3
import sys
import threading
import urllib.parse
import warnings
import weakref
from typing import Any, Callable, Dict, List, Mapping, Optional, Set, Tuple

from .errors import (
    AlreadyOpenError,
    FlushFailedError,
    ForkedError,
    NotADatabaseError,
    StateError,
)
from .op import Op
from .options import EngineOptions
from .protocol import Engine, EngineFactory, Opening, TableInfo
from .protocol import Op as AnyOp
from .sidelock import SideLock, not_created

Identity = Tuple[int, int]  # device, inode

SMALLEST_FILE = 512  # SQLite's smallest page; it takes a file of a few bytes for an empty one

_lock = threading.RLock()  # guards the four below; never held during I/O
_open: Dict[Identity, OpenFile] = {}
_memories: Set[OpenFile] = set()
_inherited: Set[Identity] = set()  # open in the parent when this process was forked
_hooks: Set[str] = set()

starting: Set[threading.Event] = set()  # one of each view that opens; set when its parked calls are handed over
_identifying = threading.Lock()  # a file just created is closed before anybody opens it: that close drops locks


class OpenFile:
    """A file (or a memory) that this process has open, with its one engine.

    Attributes:
        tables: what the file held when it was opened, and what was created since.
        stores: how many stores hold it; the last one closes the engine.
        readonly: whether nothing can be written, asked for or not.
    """

    def __init__(self, path: str, options: EngineOptions, factory: EngineFactory) -> None:
        self.path = path
        self.options = options
        self.factory = factory
        self.identity: Optional[Identity] = None
        self.engine: Engine
        self.tables: Dict[str, TableInfo] = {}
        self.stores = 0
        self.readonly = options.readonly
        self.bound: weakref.WeakSet[Any] = weakref.WeakSet()  # the views to tell of a fork or a new engine
        self.ready = threading.Event()
        self.error: Optional[BaseException] = None
        self.closed = threading.Event()  # replaced where a failed close leaves it open
        self.closing = False
        self._reopening = threading.Lock()  # for threads that may block
        self._side_lock: Optional[SideLock] = None
        self._last_words: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def start(self) -> None:
        """Open the engine; on the opener's thread."""
        if self.options.persist_mode != "memory":
            self._side_lock = SideLock.take(self.path, self.options)
        try:
            self._start_engine()
        except BaseException:
            self._release()
            raise

    def _start_engine(self) -> None:
        lock = self._side_lock
        descriptor = lock.descriptor if lock is not None else None
        self.readonly = self.options.readonly or not self._writable()
        options = dataclasses.replace(self.options, readonly=self.readonly)
        # A reader that could not lock others out must not trust its cache without asking.
        alone = bool(self.options.exclusive) and not (self.readonly and (lock is None or not lock.exclusive))
        opening = Opening(self.path, options, alone, descriptor)
        engine = self.factory(opening)
        self.tables = dict(engine.open().wait())
        self.engine = engine

    def _writable(self) -> bool:
        """Tell whether SQLite can write here: the file and, for its WAL, the folder."""
        if self.options.persist_mode == "memory":
            return True
        return os.access(self.path, os.W_OK) and os.access(os.path.dirname(self.path), os.W_OK | os.X_OK)

    def reopen(self) -> None:
        """Replace an engine that a failed sync has stopped; its views go on with the new one."""
        with self._reopening:
            if self.closing or self.closed.is_set() or self.engine.stats()["state"] == "open":
                return
            self.engine.close().wait()
            self._start_engine()
            for view in members(self.bound):
                view._rebind(self.engine)

    def serve(self) -> None:
        """Wait for what is to be done when the engine ends; the opener's thread stays for it."""
        self._last_words.get()()

    def close(self, revive: Callable[[], None]) -> Op[None]:
        """Close the engine, then let others open the file; returns at once.

        `revive` is called where the engine stays open instead, since its last flush failed.
        """
        done: Op[None] = Op()
        closing = self.engine.close()

        def finish() -> None:
            try:
                closing.wait()
            except FlushFailedError as error:
                self._stay_open(revive)
                done.fail(error)
                self.serve()
            except BaseException as error:
                self._end()
                done.fail(error)
            else:
                self._end()
                done.finish(None)

        self._last_words.put(finish)
        return done

    def _stay_open(self, revive: Callable[[], None]) -> None:
        with _lock:
            self.stores += 1
        revive()
        with _lock:
            self.closing = not self.stores
            settled, self.closed = self.closed, threading.Event()
        settled.set()  # who waited for the end may join

    def _end(self) -> None:
        """Close what a failed sync has stopped, or a reopening under way has made; then let others in."""
        try:
            with self._reopening:
                self.engine.close().wait()
        finally:
            self._forget()

    def pending(self) -> threading.Event:
        """Return what to wait for before the file can be joined; under the lock."""
        return self.closed if self.closing else self.ready

    def close_now(self) -> None:
        """Close at the end of the process, on the calling thread."""
        try:
            self.engine.close().wait()
        except FlushFailedError:
            self.engine.close().wait()  # that was told of an earlier flush: the last chance is now
        finally:
            self._forget()

    def _forget(self) -> None:
        self._release()
        with _lock:
            if self.identity is not None and _open.get(self.identity) is self:
                del _open[self.identity]
            _memories.discard(self)
        self.closed.set()

    def _release(self) -> None:
        if self._side_lock is not None:
            self._side_lock.release()
            self._side_lock = None


def acquire(path: str, options: EngineOptions, factory: EngineFactory) -> Tuple[OpenFile, bool]:
    """Join the engine that has this file open, or open one; blocks: for the opener's thread only.

    Returns:
        The file, and whether this call opened it: its thread must then go on to `OpenFile.serve`.

    Raises:
        AlreadyOpenError: it is open in this process with another option, which the message names.
        ForkedError: it was open in the parent process at the fork.
        FileNotFoundError, IsADirectoryError, StorageError: it cannot be opened.
    """
    _install_hooks(factory)
    if options.persist_mode == "memory":
        return _open_memory(path, options, factory), True
    while True:
        with _identifying:
            identity = _identify(path, options)
        with _lock:
            if identity in _inherited:
                raise ForkedError(f"{path} was open in the parent process at the fork: open it before any use there")
            file = _open.get(identity)
            if file is None:
                # SQLite names the WAL after the real path, and so must the side lock be.
                file = _open[identity] = OpenFile(os.path.realpath(path), options, factory)
                file.identity, file.stores = identity, 1
                break
            if not file.closing and file.ready.is_set() and file.error is None:
                _agree(file, options)
                file.stores += 1
                return file, False
            pending = file.pending()
        pending.wait()
    try:
        file.start()
    except BaseException as error:
        file.error = error
        file._forget()
        raise
    finally:
        file.ready.set()
    return file, True


def release(file: OpenFile, revive: Callable[[], None]) -> AnyOp[None]:
    """Give one store's hold back: flush, and with the last one close the engine."""
    with _lock:
        file.stores -= 1
        file.closing = not file.stores
    return file.close(revive) if file.closing else file.engine.flush()


def _open_memory(path: str, options: EngineOptions, factory: EngineFactory) -> OpenFile:
    file = OpenFile(path, options, factory)
    file.stores = 1
    file.start()
    file.ready.set()
    with _lock:
        _memories.add(file)
    return file


def give_back(file: OpenFile) -> None:
    """Give back one of two holds of a store."""
    with _lock:
        file.stores -= 1


def members(views: weakref.WeakSet[Any]) -> List[Any]:
    """List a weak set to which other threads add."""
    while True:
        try:
            return list(views)
        except RuntimeError:  # it grew meanwhile
            continue


def _agree(file: OpenFile, options: EngineOptions) -> None:
    difference = file.options.difference(options)
    if difference is not None:
        raise AlreadyOpenError(
            f"{file.path} is open in this process with other options: {difference}. "
            "Stores of one process share one engine: give them the same options, or close the first one"
        )


def _identify(path: str, options: EngineOptions) -> Identity:
    """Return (device, inode); a new file is created here, empty and with mode 0600."""
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        raise FileNotFoundError(f"{parent}: no such directory; create it before opening {os.path.basename(path)}")
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path} is a directory, not a database file")
    try:
        found = os.stat(path)
    except FileNotFoundError:
        if options.readonly:
            raise FileNotFoundError(f"{path}: no such file, and readonly=True creates none") from None
        found = _create(path)
    if 0 < found.st_size < SMALLEST_FILE:
        raise NotADatabaseError(f"{path} is not a SQLite database ({found.st_size} bytes); it was not touched")
    return found.st_dev, found.st_ino


def _create(path: str) -> os.stat_result:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return os.stat(path)
    except OSError as error:
        raise not_created(path, error) from error
    try:
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)  # new: no connection of this process can hold a lock on it


# ---- the standard library's sqlite3 beside another library ----------------------------------------------


def _install_hooks(factory: EngineFactory) -> None:
    with _lock:
        fresh = {"exit"} | ({"audit"} if getattr(factory, "own_library", False) else set())
        fresh -= _hooks
        _hooks.update(fresh)
    if "exit" in fresh:
        atexit.register(_close_all)
        if "multiprocessing.util" in sys.modules:
            # A multiprocessing child ends without atexit; its finalizers run.
            sys.modules["multiprocessing.util"].Finalize(None, _close_all, exitpriority=100)
    if "audit" in fresh:
        sys.addaudithook(_refuse_second_library)


def _refuse_second_library(event: str, arguments: Tuple[Any, ...]) -> None:
    if event != "sqlite3.connect":
        return
    for path in _paths_of(arguments[0]):
        try:
            found = os.stat(path)
        except (OSError, ValueError, TypeError):
            continue
        file = _open.get((found.st_dev, found.st_ino))
        if file is not None and getattr(file.factory, "own_library", False):
            raise AlreadyOpenError(
                f"{file.path} is open in this process by the backend {file.options.backend!r}, which has a SQLite of "
                "its own: a second library would destroy it. Use backup(), or open it in another process"
            )


def _paths_of(database: Any) -> List[str]:
    try:
        path = os.fsdecode(os.fspath(database))
    except TypeError:
        return []
    if not path.startswith("file:"):
        return [path]
    return [path, urllib.parse.unquote(urllib.parse.urlsplit(path).path)]


# ---- fork and exit --------------------------------------------------------------------------------------


def _abandon_all() -> None:
    """In a forked child: every file is the parent's; nothing is closed here."""
    global _lock, _identifying
    _lock = threading.RLock()
    _identifying = threading.Lock()
    starting.clear()
    _inherited.update(_open)
    for file in [*_open.values(), *_memories]:
        engine = getattr(file, "engine", None)
        if engine is not None and hasattr(engine, "abandon"):
            engine.abandon()
        _abandoned.append(file)
    _open.clear()
    _memories.clear()
    _hooks.discard("exit")  # multiprocessing clears its finalizers in a child


_abandoned: List[OpenFile] = []  # never collected: dropping them would close the parent's descriptors' locks
os.register_at_fork(after_in_child=_abandon_all)


def _close_all() -> None:
    for handed_over in list(starting):
        handed_over.wait()
    warned = []
    for file in [*_open.values(), *_memories]:
        with _lock:
            pending = file.pending()
        pending.wait()
        if file.error is not None or file.closed.is_set():
            continue
        warned.append(f"{file.path}: store was never closed")
        try:
            file.close_now()
        except StateError:
            continue
        except Exception as error:
            warned.append(f"{file.path}: {error}")
    for message in warned:  # last: a warning may be an error
        warnings.warn(message, ResourceWarning, stacklevel=1)


def library_versions() -> Mapping[str, str]:
    """Name the SQLite of the standard library."""
    return {"sqlite3": sqlite3.sqlite_version}
