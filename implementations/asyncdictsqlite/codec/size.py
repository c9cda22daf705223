"""The bound on the encoded size of one value."""

from __future__ import annotations

from ..errors import ValueTooLargeError


def check_size(size_bytes: int, max_value_bytes: int) -> None:
    """Refuse a size above ``max_value_bytes``.

    Raises:
        ValueTooLargeError: names both sizes.
    """
    if size_bytes > max_value_bytes:
        raise ValueTooLargeError(
            f"a value of at least {size_bytes} encoded bytes is above max_value_bytes={max_value_bytes}:"
            " split it, or open the store with a larger max_value_bytes"
        )
