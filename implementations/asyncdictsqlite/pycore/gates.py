"""Gates: a call that needs a cold key waits for it, and later calls on its keys queue behind it, in order."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any, Callable, Deque, Dict, Iterator, Optional, Sequence, Tuple

from ..op import Op
from .cache import Key

Gate = Tuple[str, Optional[str]]  # (table, key); (table, None): the whole table


class Gated:
    """A call that waits for its turn.

    Attributes:
        keys: what it touches.
        home: what is known of the keys that decide it.
        ready: whether it may run once it is the first in the queue.
    """

    def __init__(self, keys: Sequence[Gate], run: Callable[[Gated], None], op: Op[Any]) -> None:
        self.keys = keys
        self.run = run
        self.op = op
        self.ready = True
        self.home: Dict[Key, Optional[bytes]] = {}
        self.error: Optional[Exception] = None


class Gates:
    """The queue of the calls that wait. Not locked: its engine's lock guards it."""

    def __init__(self) -> None:
        self._keys: Counter[Gate] = Counter()
        self._queue: Deque[Gated] = deque()

    def __bool__(self) -> bool:
        return bool(self._queue)

    def __iter__(self) -> Iterator[Gated]:
        return iter(self._queue)

    def block(self, keys: Sequence[Gate]) -> bool:
        """Tell whether a call on these keys has to queue."""
        held = self._keys
        if not held:
            return False
        return any(
            key in held or (key[0], None) in held or (key[1] is None and any(one[0] == key[0] for one in held))
            for key in keys
        )

    def append(self, gated: Gated) -> None:
        """Queue a call; its keys are gated until it has run."""
        self._keys.update(gated.keys)
        self._queue.append(gated)

    def run(self, refusal: Callable[[], Optional[Exception]]) -> None:
        """Run the calls at the head of the queue that are ready; where `refusal` gives an error they fail with it."""
        while self._queue and self._queue[0].ready:
            gated = self._queue.popleft()
            for key in gated.keys:
                self._keys[key] -= 1
                if not self._keys[key]:
                    del self._keys[key]
            error = refusal() or gated.error
            if error is not None:
                gated.op.fail(error)
            else:
                gated.run(gated)
