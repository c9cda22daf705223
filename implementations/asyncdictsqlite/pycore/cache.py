"""The cache: encoded values by (table, key), bounded by entries and bytes, forgotten by second chance."""

from __future__ import annotations

from collections import OrderedDict
from typing import Dict, Iterable, Optional, Tuple

Key = Tuple[str, str]  # table, key

ENTRY_BYTES = 120


def size_of(key: Key, value: bytes) -> int:
    """Return what an entry counts for: encoded length + key length + 120."""
    name = key[1]
    return len(value) + (len(name) if name.isascii() else len(name.encode())) + ENTRY_BYTES


class _Entry:
    __slots__ = ("epoch", "size_bytes", "value", "visited")

    def __init__(self, value: bytes, epoch: int, size_bytes: int) -> None:
        self.value = value
        self.epoch = epoch
        self.size_bytes = size_bytes
        self.visited = False


class Cache:
    """FIFO with second chance: an entry that was hit since it was last looked at goes to the end of the queue once.

    Not locked: its engine's lock guards it.
    """

    def __init__(self, capacity: int, capacity_bytes: int) -> None:
        self._capacity = capacity
        self._capacity_bytes = capacity_bytes
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self.size_bytes = 0
        self.evictions = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key, epoch: Optional[int]) -> Optional[bytes]:
        """Return the value if it was validated in this epoch."""
        entry = self._entries.get(key)
        if entry is None or entry.epoch != epoch:
            return None
        entry.visited = True
        return entry.value

    def put(self, key: Key, value: bytes, epoch: int) -> None:
        """Keep a value, if there is room for it at all; the coldest make way."""
        self.drop(key)
        size_bytes = size_of(key, value)
        if self._capacity == 0 or size_bytes > self._capacity_bytes:
            return
        # Room first: the new entry has not had its chance to be hit.
        while len(self._entries) >= self._capacity or self.size_bytes + size_bytes > self._capacity_bytes:
            self._evict()
        self._entries[key] = _Entry(value, epoch, size_bytes)
        self.size_bytes += size_bytes

    def drop(self, key: Key) -> None:
        """Forget a key."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.size_bytes -= entry.size_bytes

    def drop_table(self, table: str) -> None:
        """Forget every key of a table."""
        for key in [key for key in self._entries if key[0] == table]:
            self.drop(key)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self.size_bytes = 0

    def _evict(self) -> None:
        while True:
            key, entry = next(iter(self._entries.items()))
            if not entry.visited:
                self.drop(key)
                self.evictions += 1
                return
            entry.visited = False
            self._entries.move_to_end(key)


class ColdReads:
    """Which cold reads are under way, so that a slow one never overwrites a newer value.

    A read registers its keys; whoever publishes a newer value of a key takes it off, and the late answer is then
    not kept.
    """

    def __init__(self) -> None:
        self._tokens: Dict[Key, object] = {}

    def begin(self, keys: Iterable[Key]) -> object:
        """Register a read; a later one of the same key takes its place."""
        token = object()
        for key in keys:
            self._tokens[key] = token
        return token

    def end(self, key: Key, token: object) -> bool:
        """Take a key off; tell whether the answer may be kept."""
        if self._tokens.get(key) is not token:
            return False
        del self._tokens[key]
        return True

    def outdate(self, key: Key) -> None:
        """Make the answers under way for this key too old to keep."""
        self._tokens.pop(key, None)

    def outdate_table(self, table: str) -> None:
        """Do the same for every key of a table."""
        for key in [key for key in self._tokens if key[0] == table]:
            del self._tokens[key]
