"""A disk behind a trace: what is surely on it, what may be, and what a power cut may leave of that.

A write, a truncation or a change of a name is *durable* once a sync that began after it has finished. Until then it is
*pending*: a power cut keeps it or not, whatever happened to the others. In a file, a sector of 512 bytes is kept or not
as a whole: what was durable beside it in the sector stays (what SQLite calls powersafe overwrite). Data that is lost
beyond the durable end of a file leaves zeros, or a shorter file.

Names are kept as a journaling file system does: their changes reach the disk in order, and a sync of a file brings the
changes that concern it, with all earlier ones. `strict_directory` is POSIX, which promises less: each pending change of
a name is kept or not by itself, and only a sync of the folder makes it durable.
"""

from __future__ import annotations

import random
from typing import Dict, List, NamedTuple, Sequence, Tuple, Union

from harness.powercut.trace import CREATE, RENAME, SYNC, SYNCED, TRUNCATE, UNLINK, WRITE, Event

SECTOR = 512
KILL = "all"  # nothing that was written is lost: what a process that is killed leaves
POLICIES = ("nothing", KILL, "prefix", "subset", "torn", "files")


class Change(NamedTuple):
    """A pending change of a file: data at an offset, or a new size (data is None)."""

    number: int
    at: int
    data: Union[memoryview, None]


class Name(NamedTuple):
    """A pending change of names: `file` gets the name `after`, and loses or overwrites `before`."""

    number: int
    before: str
    after: str
    file: File


class File:
    """A file, apart from its names."""

    def __init__(self) -> None:
        self.durable = bytearray()
        self.pending: List[Change] = []

    def sync(self, before: int) -> None:
        """Make durable what came before the event of that number."""
        for change in self.pending:
            if change.number < before:
                apply(self.durable, change)
        self.pending = [change for change in self.pending if change.number >= before]


def apply(content: bytearray, change: Change) -> None:
    """Change the content of a file."""
    at, data = change.at, change.data
    if data is None:
        del content[at:]
    if len(content) < at:
        content.extend(bytes(at - len(content)))
    if data is not None:
        content[at : at + len(data)] = data


class State(NamedTuple):
    """What a power cut left: per name the durable content and the pending changes that were kept, in order."""

    policy: str
    files: Dict[str, Tuple[File, List[Change]]]


class Disk:
    """The disk at a point of the trace; moves forward only."""

    def __init__(self, events: Sequence[Event], *, strict_directory: bool = False) -> None:
        self._events = events
        self._strict = strict_directory
        self._files: Dict[int, File] = {}  # by inode
        self._names: Dict[str, File] = {}  # as the running process sees them
        self._durable: Dict[str, File] = {}
        self._pending: List[Name] = []
        self._syncs: Dict[int, int] = {}  # number of the sync: of the event at which it began
        self.position = 0

    def advance(self, position: int) -> None:
        """Let the events before `position` happen."""
        for number in range(self.position, position):
            event = self._events[number]
            handler = _HANDLERS.get(event.kind)
            if handler is not None:
                handler(self, number, event)
        self.position = position

    def live(self) -> Dict[str, bytes]:
        """Return the files as the running process sees them."""
        contents = {}
        for name, file in self._names.items():
            content = bytearray(file.durable)
            for change in file.pending:
                apply(content, change)
            contents[name] = bytes(content)
        return contents

    # ---- events ----------------------------------------------------------------------------------------

    def _create(self, number: int, event: Event) -> None:
        file = self._files[event.file] = File()  # the inode's number may have belonged to a file that is gone
        self._rename_to(number, "", bytes(event.data).decode(), file)

    def _write(self, number: int, event: Event) -> None:
        self._files[event.file].pending.append(Change(number, event.at, event.data))

    def _truncate(self, number: int, event: Event) -> None:
        self._files[event.file].pending.append(Change(number, event.at, None))

    def _rename(self, number: int, event: Event) -> None:
        names = bytes(event.data)
        before = names[: event.at].decode()
        if before in self._names:
            self._rename_to(number, before, names[event.at :].decode(), self._names[before])

    def _unlink(self, number: int, event: Event) -> None:
        name = bytes(event.data).decode()
        if name in self._names:
            self._rename_to(number, name, "", self._names[name])

    def _rename_to(self, number: int, before: str, after: str, file: File) -> None:
        change = Name(number, before, after, file)
        self._pending.append(change)
        _apply_name(self._names, change)

    def _sync(self, number: int, event: Event) -> None:
        self._syncs[event.at] = number

    def _synced(self, number: int, event: Event) -> None:
        began = self._syncs.pop(event.at)
        file = self._files.get(event.file)
        if file is None:  # the folder
            self._sync_names(began)
            return
        file.sync(began)
        if not self._strict:
            own = [name.number for name in self._pending if name.file is file and name.number < began]
            self._sync_names(max(own, default=-1) + 1)

    def _sync_names(self, before: int) -> None:
        for name in self._pending:
            if name.number < before:
                _apply_name(self._durable, name)
        self._pending = [name for name in self._pending if name.number >= before]

    # ---- what a power cut leaves -----------------------------------------------------------------------

    def cut(self, policy: str, chance: random.Random) -> State:
        """Return what a power cut leaves now, by one of `POLICIES`."""
        share = chance.random()
        last = self._instant(chance) if policy == "prefix" else 0
        names = dict(self._durable)
        for name in self._kept_names(policy, chance, share, last):
            _apply_name(names, name)
        return State(
            policy, {name: (file, _kept(file.pending, policy, chance, share, last)) for name, file in names.items()}
        )

    def _instant(self, chance: random.Random) -> int:
        """Return the number of one of the pending changes, or what comes after them all."""
        numbers = {change.number for file in self._names.values() for change in file.pending}
        return chance.choice([*sorted(numbers | {name.number for name in self._pending}), self.position])

    def _kept_names(self, policy: str, chance: random.Random, share: float, last: int) -> List[Name]:
        if policy == "nothing":
            return []
        if policy == "all":
            return self._pending
        if policy == "prefix":
            return [name for name in self._pending if name.number < last]
        if self._strict:
            return [name for name in self._pending if chance.random() < share]
        return self._pending[: chance.randint(0, len(self._pending))]


_HANDLERS = {
    CREATE: Disk._create,
    WRITE: Disk._write,
    TRUNCATE: Disk._truncate,
    RENAME: Disk._rename,
    UNLINK: Disk._unlink,
    SYNC: Disk._sync,
    SYNCED: Disk._synced,
}


def _apply_name(names: Dict[str, File], change: Name) -> None:
    if names.get(change.before) is change.file:
        del names[change.before]
    if change.after:
        names[change.after] = change.file


def _kept(pending: List[Change], policy: str, chance: random.Random, share: float, last: int) -> List[Change]:
    """Return the pending changes of a file that a power cut keeps, whole or in part."""
    if policy == "files":  # each file by itself
        policy = chance.choice(("nothing", "all", "prefix"))
        last = pending[chance.randrange(len(pending))].number if pending else 0
    if policy == "nothing":
        return []
    if policy == "all":
        return pending
    if policy == "prefix":
        return [change for change in pending if change.number < last]
    kept = [change for change in pending if chance.random() < share]
    if policy == "torn":
        return [part for change in kept for part in _torn(change, chance)]
    return kept


def _torn(change: Change, chance: random.Random) -> List[Change]:
    """Return the sectors of a write that reached the disk: all of them in one of four cases."""
    if change.data is None or chance.random() < 0.25:
        return [change]
    ends = range(change.at - change.at % SECTOR + SECTOR, change.at + len(change.data) + SECTOR, SECTOR)
    sectors = [(max(change.at, end - SECTOR), min(end, change.at + len(change.data))) for end in ends]
    return [
        Change(change.number, start, change.data[start - change.at : end - change.at])
        for start, end in sectors
        if start < end and chance.random() < 0.5
    ]
