"""Keys: what may be one, and the ranges of them."""

from __future__ import annotations

from typing import Optional, Tuple

from .errors import KeyEncodingError, KeyTooLongError

MAX_KEY_BYTES = 64 * 1024


def check_key(key: object) -> str:
    """Return the key as an exact str.

    Raises:
        TypeError: not a str.
        KeyEncodingError: it holds a lone surrogate.
        KeyTooLongError: it is longer than 64 KiB in UTF-8.
    """
    if type(key) is not str:
        if not isinstance(key, str):
            raise TypeError(f"key must be str, not {type(key).__name__}: {key!r:.80}")
        key = str.__str__(key)
    if key.isascii():
        size_bytes = len(key)
    else:
        try:
            size_bytes = len(key.encode())
        except UnicodeEncodeError:
            raise KeyEncodingError(f"key {key!r:.80} holds a lone surrogate, which UTF-8 cannot encode") from None
    if size_bytes > MAX_KEY_BYTES:
        raise KeyTooLongError(f"key {key[:40]!r}... is {size_bytes} bytes long in UTF-8: at most {MAX_KEY_BYTES}")
    return key


def successor(prefix: str) -> Optional[str]:
    """Return the first string after all that begin with `prefix`, None where there is none."""
    while prefix:
        last = ord(prefix[-1])
        if last < 0x10FFFF:
            follower = 0xE000 if last == 0xD7FF else last + 1  # surrogates are no code points of a text
            return prefix[:-1] + chr(follower)
        prefix = prefix[:-1]
    return None


def bounds(prefix: Optional[str], start: Optional[str], end: Optional[str]) -> Tuple[str, Optional[str]]:
    """Turn the options of an iteration into start <= key < end (None: no end)."""
    lower = check_key(start) if start is not None else ""
    upper = check_key(end) if end is not None else None
    if prefix is not None:
        prefix = check_key(prefix)
        lower = max(lower, prefix)
        after = successor(prefix)
        if after is not None:
            upper = after if upper is None else min(upper, after)
    return lower, upper
