"""Iteration in pages: constant memory, each page its own short transaction."""

from __future__ import annotations

from typing import Any, AsyncIterator, Callable, Iterable, Iterator, List, Optional, TypeVar

from .keys import bounds
from .protocol import Engine, Op, Row

T = TypeVar("T")

PAGE_ROWS = 1000
PAGE_BYTES = 2**20


class Pages:
    """The pages of one iteration; the bounds are checked when it is made, nothing is read before the first page."""

    def __init__(
        self,
        do: Callable[[Callable[[Engine], Op[List[Row]]]], Op[List[Row]]],
        table: str,
        prefix: Optional[str],
        start: Optional[str],
        end: Optional[str],
        reverse: bool,
        limit: Optional[int],
        *,
        values: bool,
    ) -> None:
        if limit is not None and (type(limit) is not int or limit < 0):
            raise ValueError(f"limit={limit!r}: must be an integer of 0 or more, or None")
        self._do = do
        self._table = table
        self._start, self._end = bounds(prefix, start, end)
        self._reverse = bool(reverse)
        self._left = limit
        self._values = values

    async def asynchronous(self, decode: Callable[[List[Row]], Iterable[T]]) -> AsyncIterator[T]:
        """Iterate on a loop; `decode` gets each page."""
        while self._more():
            for item in decode(self._taken(await self._page())):
                yield item

    def synchronous(self, decode: Callable[[List[Row]], Iterable[T]]) -> Iterator[T]:
        """Iterate on the calling thread."""
        while self._more():
            yield from decode(self._taken(self._page().wait()))

    def _more(self) -> bool:
        return self._left != 0 and (self._end is None or self._start < self._end)

    def _page(self) -> Op[List[Row]]:
        rows = PAGE_ROWS if self._left is None else min(PAGE_ROWS, self._left)
        request: Any = dict(start=self._start, end=self._end, reverse=self._reverse, rows=rows)
        table, values = self._table, self._values
        return self._do(lambda engine: engine.scan(table, **request, size_bytes=PAGE_BYTES, values=values))

    def _taken(self, page: List[Row]) -> List[Row]:
        if not page:
            self._left = 0
        elif self._reverse:
            self._end = page[-1][0]
        else:
            self._start = page[-1][0] + "\0"  # the next key in code point order
        if self._left is not None:
            self._left -= min(self._left, len(page))
        return page
