"""The seam between a store and its backend: the `Engine` protocol and its value types.

A backend is an `Engine` and one line in the registry (or an entry point in its own package). There is no
base class to inherit. Everything a user sees beyond these nine methods is written once, in ``store.py``.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import (
    Any,
    ClassVar,
    Dict,
    FrozenSet,
    Generator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Protocol,
    Sequence,
    Tuple,
    TypeVar,
)

from .options import EngineOptions

T_co = TypeVar("T_co", covariant=True)

Row = Tuple[str, Optional[bytes]]
Stats = Dict[str, Any]


class Capability(str, enum.Enum):
    """What a backend claims to do; the conformance suite runs the checks of each, and a gap must be declared."""

    MEMORY = "memory"  # persist_mode="memory"
    LAZY = "lazy"
    WRITETHROUGH = "writethrough"
    TABLES = "tables"  # several tables in one file
    BACKUP = "backup"
    READONLY = "readonly"
    SEVERAL_LOOPS = "several_loops"  # one store serves several event loops and threads
    EXCLUSIVE = "exclusive"  # exclusive=True keeps other processes out
    COHERENT = "coherent"  # exclusive=False: reads see the commits of other processes
    CHEAP_COHERENCE = "cheap_coherence"  # ... at the price of a few loads from memory, without SQL
    CRASH_SAFE = "crash_safe"  # what was acknowledged survives SIGKILL
    SYNCED = "synced"  # ... and power loss: every acknowledged commit was synced
    GROUP_COMMIT = "group_commit"  # concurrent writers share commits
    FORMAT_V1 = "format_v1"  # the file is docs/format.md's, readable by every other backend of that format
    SWITCHES = "switches"  # has `inject` (delays, faults, commit_after), for tests


class Kind(enum.IntEnum):
    """What a `Change` does."""

    PUT = 0
    PUT_IF_ABSENT = 1
    PUT_IF_EQUAL = 2  # only if the key is there with exactly the bytes `expected`
    DELETE = 3
    CLEAR = 4  # every key of the table
    CREATE = 5  # the table, in the storage mode that `value` names, if it is not there
    DROP = 6  # the table


class Change(NamedTuple):
    """One operation of a commit. CLEAR, CREATE and DROP ignore `key`."""

    kind: Kind
    table: str
    key: str = ""
    value: Optional[bytes] = None
    expected: Optional[bytes] = None


class Was(NamedTuple):
    """What a change met, decided inside the write transaction.

    `there`: whether the key (CREATE, DROP: the table; CLEAR: any key) was there just before this change, the
    earlier changes of the same commit applied. `old`: its bytes, where the commit asked for them.
    """

    there: bool
    old: Optional[bytes] = None


@dataclass(frozen=True)
class TableInfo:
    """A table as the file describes it."""

    name: str
    storage_mode: str


class Op(Protocol[T_co]):
    """The result of a call that was already handed over: a coroutine that also has `done` and `wait`.

    It is awaitable in every way asyncio offers (``collections.abc.Coroutine`` accepts it), binds to the loop that
    first awaits it while pending, and may be awaited again once finished.
    """

    def send(self, value: None, /) -> Any:
        """Go on, as a coroutine does: raises StopIteration with the result once it is there."""
        ...

    def throw(self, *exception: Any) -> Any:
        """Raise the exception: what was handed over is not withdrawn."""
        ...

    def close(self) -> None:
        """Do nothing: what was handed over is not withdrawn."""
        ...

    def __await__(self) -> Generator[Any, None, T_co]:
        """Wait on the running loop."""
        ...

    def done(self) -> bool:
        """Tell whether the result or the exception is there."""
        ...

    def wait(self) -> T_co:
        """Block the calling thread for the result, with the GIL released; needs no loop."""
        ...


class Engine(Protocol):
    """One open file (or one memory), shared by all views of it in this process.

    Guarantee: every method returns at once: it hands the work over in the order of the calls, from any thread,
    and waits for no disk, lock or thread. The engine owns cache, unsaved entries, writer, readers and counters.
    """

    capabilities: ClassVar[FrozenSet[Capability]]

    def open(self) -> Op[Mapping[str, TableInfo]]:
        """Open the file, create it if it is missing or empty, and tell its tables (by exact name).

        The only call that may create the file. Raises (from the Op): NotADatabaseError, SchemaMismatchError,
        CorruptError, LockedError, ReadOnlyError; the file is then untouched.
        """
        ...

    def read(self, table: str, keys: Sequence[str]) -> Op[List[Optional[bytes]]]:
        """Read the encoded values, in the order given; None where missing; duplicates are allowed.

        Guarantee: a value committed (lazy, memory: written) before the call is seen; never an older one, whatever
        races it. In writethrough a write not yet acknowledged is not seen.
        """
        ...

    def commit(self, changes: Sequence[Change], *, old: bool = False) -> Op[List[Was]]:
        """Apply all changes in their order, or none.

        Writethrough: in one transaction, finished when committed and (synchronous="full") synced; calls that wait
        share one (at most ``buffer_size`` calls), a call is never split. Lazy and memory: at once in memory.
        The result has one `Was` per change; `old` asks for the old bytes, too.
        """
        ...

    def scan(
        self,
        table: str,
        *,
        start: str,
        end: Optional[str],
        reverse: bool,
        rows: int,
        size_bytes: int,
        values: bool,
    ) -> Op[List[Row]]:
        """Read one page in key order: start <= key < end (None: no end), at most `rows` and about `size_bytes`.

        An empty page means the end; a page holds at least one row if there is one. Sees what `read` would see.
        One short transaction. The reserved table ``adsq_meta`` may be scanned: its values are the storage modes.
        """
        ...

    def count(self, table: str) -> Op[int]:
        """Count the keys that `scan` would give."""
        ...

    def flush(self) -> Op[None]:
        """Make all that was acknowledged before durable: lazy flushes, writethrough "normal" commits with a sync."""
        ...

    def backup(self, path: str) -> Op[None]:
        """Write a consistent copy, all acknowledged before included, to a new file `path`, synced."""
        ...

    def close(self) -> Op[None]:
        """Flush, finish what is queued, end the threads, close the file. Later calls fail with ClosedError."""
        ...

    def stats(self) -> Stats:
        """Tell the counters; see `AsyncDictSQLite.stats`. Waits for nothing."""
        ...


class Opening(NamedTuple):
    """What a backend's factory is given: checked options, the absolute path, the side lock.

    `side_lock` is the descriptor of ``<path>-adsq``: the store's own code holds byte 0 (presence); an engine that
    shares its file takes byte 1 (the writers' queue) round each transaction. None: memory mode, or a file system
    that is read-only. `exclusive` is the promise in force after defaults were resolved. The descriptor stays open until
    `Engine.close` is done; an engine must never close it, nor open that file or the database a second time.
    """

    path: str
    options: EngineOptions
    exclusive: bool
    side_lock: Optional[int]


class EngineFactory(Protocol):
    """What a registry entry names: makes an engine that is not open yet, without I/O."""

    def __call__(self, opening: Opening) -> Engine:
        """Make the engine."""
        ...
