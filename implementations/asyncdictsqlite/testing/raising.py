"""What a check expects to be raised, without pytest."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Optional, Type


class Raises:
    """A block that must raise one of these errors: ``with Raises(KeyError) as raised``.

    Attributes:
        error: what was raised, once it was.
    """

    error: Any

    def __init__(self, *errors: Type[BaseException], hint: str = "") -> None:
        self._errors = errors
        self._hint = hint

    def __enter__(self) -> Raises:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> bool:
        if error is None:
            names = " or ".join(one.__name__ for one in self._errors)
            raise AssertionError(f"{names} expected, nothing was raised {self._hint}")
        self.error = error
        return isinstance(error, self._errors)
