"""What the recorder wrote, in order."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import List, NamedTuple

CREATE, WRITE, TRUNCATE, RENAME, UNLINK, SYNC, SYNCED, NOTE = "CWTRUseN"
ISSUED, ACKNOWLEDGED, FLUSHED = "IAF"  # the workload's own marks; FLUSHED: acknowledged, and so is all before

_HEADER = struct.Struct("=5Q")  # struct record of recorder.c


class Event(NamedTuple):
    """One record.

    Attributes:
        file: the inode's number, 0 where names are meant.
        at: an offset (WRITE), a size (TRUNCATE), a sync's number, a call's number, the length of the old name (RENAME).
        data: what was written, or names below the root.
    """

    kind: str
    file: int
    at: int
    time_ns: int
    data: memoryview


class TraceError(Exception):
    """The process did what the recorder cannot follow: a replay of this trace would prove nothing."""


def read(path: Path) -> List[Event]:
    """Return the events of a trace.

    Raises:
        TraceError: files were written in a way that the trace does not hold.
    """
    content, events, at = memoryview(path.read_bytes()), [], 0
    while at < len(content):
        kind, file, where, time_ns, length = _HEADER.unpack_from(content, at)
        at += _HEADER.size
        events.append(Event(chr(kind), file, where, time_ns, content[at : at + length]))
        at += length
    notes = sorted({bytes(event.data).decode() for event in events if event.kind == NOTE})
    if notes:
        raise TraceError(f"the trace is not whole; the process used: {', '.join(notes)}")
    return events
