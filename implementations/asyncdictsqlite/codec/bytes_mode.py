"""storage_mode="bytes": bytes-like in, bytes out."""

from __future__ import annotations

from ..errors import ValueEncodingError
from .size import check_size


class BytesCodec:
    """Keeps the bytes as they are."""

    storage_mode = "bytes"
    text = False

    def __init__(self, max_value_bytes: int) -> None:
        self.max_value_bytes = max_value_bytes

    def encode(self, value: object) -> bytes:
        """Return the bytes of a bytes, bytearray or memoryview (in C order, contiguous or not).

        Raises:
            ValueEncodingError: anything else, or a memoryview that was released.
            ValueTooLargeError: before copying.
        """
        if type(value) is bytes:
            check_size(len(value), self.max_value_bytes)
            return value
        if not isinstance(value, (bytes, bytearray, memoryview)):
            raise ValueEncodingError(
                f"storage_mode='bytes' holds bytes, bytearray and memoryview, not {type(value).__name__}:"
                " encode the value first, or choose storage_mode='pickle' or 'json'"
            )
        try:
            view = memoryview(value)
        except ValueError as error:
            raise ValueEncodingError(f"storage_mode='bytes' cannot hold this memoryview: {error}") from error
        check_size(view.nbytes, self.max_value_bytes)
        return view.tobytes()

    def decode(self, data: bytes) -> bytes:
        """Return the bytes themselves."""
        return data
