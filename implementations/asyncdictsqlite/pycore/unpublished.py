"""The commit between its COMMIT and its publication: readers of the file may see it, memory does not know it yet."""

from __future__ import annotations

from typing import Callable, List, Optional, Sequence, Set, Tuple

from ..protocol import Change, Kind

Answer = Callable[[], None]


class Unpublished:
    """What such a commit changes, and who has read that from the file.

    Their answers wait until it is published: who has seen a new value must not find the old one in memory afterwards.
    Not locked: its engine's lock guards it.
    """

    def __init__(self) -> None:
        self._changes: Sequence[Sequence[Change]] = ()
        self._touched: Optional[Set[Tuple[str, Optional[str]]]] = None
        self._waiting: List[Answer] = []

    def begin(self, changes: Sequence[Sequence[Change]]) -> None:
        """Note what is about to be committed."""
        self._changes, self._touched = changes, None

    def holds_back(self, table: str, keys: Optional[Sequence[str]], answer: Answer) -> bool:
        """Keep an answer about these keys (None: about a whole table) until `end` if the commit changes one of them."""
        if not self._changes:
            return False
        if self._touched is None:
            self._touched = set(_touched(self._changes))
        touched = self._touched
        if keys is None:
            held = any(table == one for one, _ in touched)
        else:
            held = (table, None) in touched or any((table, key) in touched for key in keys)
        if held:
            self._waiting.append(answer)
        return held

    def end(self) -> List[Answer]:
        """Return the answers that may be given now: it is published, or it failed."""
        waiting, self._waiting = self._waiting, []
        self._changes, self._touched = (), None
        return waiting


def _touched(changes: Sequence[Sequence[Change]]) -> List[Tuple[str, Optional[str]]]:
    whole = (Kind.CLEAR, Kind.DROP)
    return [(one.table, None if one.kind in whole else one.key) for call in changes for one in call]
