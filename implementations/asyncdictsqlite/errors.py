"""The error tree.

::

    AsyncDictError
    +-- ConfigError (ValueError)
    |   +-- UnknownBackendError
    |   +-- InvalidTableNameError
    |   +-- StorageModeMismatchError
    +-- InvalidKeyError (ValueError)
    |   +-- KeyEncodingError
    |   +-- KeyTooLongError
    +-- InvalidValueError
    |   +-- ValueEncodingError (TypeError)
    |   +-- ValueDecodingError (ValueError)
    |   +-- ValueTooLargeError (ValueError)
    |   +-- UnsafePickleError (ValueError)
    +-- StateError (RuntimeError)
    |   +-- ClosedError
    |   +-- ForkedError
    |   +-- AlreadyOpenError
    +-- StorageError (OSError)
        +-- LockedError
        +-- ReadOnlyError (PermissionError)
        +-- DiskFullError
        +-- CorruptError
        +-- NotADatabaseError
        +-- SchemaMismatchError
        +-- FlushFailedError
        +-- DurabilityUnknownError
        +-- CapacityExceededError (MemoryError)

Outside the tree, because every Python user expects them there: a TypeError for an argument of the wrong
type, FileNotFoundError, IsADirectoryError and ValueError for a path, KeyError for a missing key.
"""

from __future__ import annotations

from typing import ClassVar, Optional


class AsyncDictError(Exception):
    """Base of every error of this package.

    Attributes:
        temporary: True where the same call may succeed later without a change of the program.
    """

    temporary: ClassVar[bool] = False


class ConfigError(AsyncDictError, ValueError):
    """An option has a value that is not allowed; the message names the allowed ones."""


class UnknownBackendError(ConfigError):
    """No backend of that name is registered, or it cannot be loaded here; the message says what to install."""


class InvalidTableNameError(ConfigError):
    """A table name is not ``[A-Za-z_][A-Za-z0-9_]{0,62}``, is reserved, or differs from another only in case."""


class StorageModeMismatchError(ConfigError):
    """The file keeps this table in another storage mode."""


class InvalidKeyError(AsyncDictError, ValueError):
    """A key cannot be stored."""


class KeyEncodingError(InvalidKeyError):
    """A key has a lone surrogate and so no UTF-8 form."""


class KeyTooLongError(InvalidKeyError):
    """A key is longer than 64 KiB in UTF-8."""


class InvalidValueError(AsyncDictError):
    """A value cannot be stored or read."""


class ValueEncodingError(InvalidValueError, TypeError):
    """The storage mode cannot hold this value."""


class ValueDecodingError(InvalidValueError, ValueError):
    """The stored bytes are not what the storage mode writes."""


class ValueTooLargeError(InvalidValueError, ValueError):
    """A value is above ``max_value_bytes`` when encoded."""


class UnsafePickleError(InvalidValueError, ValueError):
    """A pickle names something that neither the built-in list nor ``pickle_allow`` lets it load."""


class StateError(AsyncDictError, RuntimeError):
    """The store is in a state in which this call is not possible."""


class ClosedError(StateError):
    """The store, or this view of it, is closed."""


class ForkedError(StateError):
    """The store, or its file, was open in the parent process when this process was forked."""


class AlreadyOpenError(StateError):
    """The file is open in this process with other options or by another SQLite library."""


class StorageError(AsyncDictError, OSError):
    """The file could not be read or written.

    Attributes:
        applied: whether the write took effect; None where that is unknown (or nothing was to be written).
    """

    default_applied: ClassVar[Optional[bool]] = False

    def __init__(self, message: str, *, applied: Optional[bool] = None) -> None:
        super().__init__(message)
        self.applied: Optional[bool] = self.default_applied if applied is None else applied


class LockedError(StorageError):
    """Another process holds the file, or held it for all of ``busy_timeout``; nothing was applied."""

    temporary = True


class ReadOnlyError(StorageError, PermissionError):
    """A write to a store or file that can only be read; nothing was applied."""


class DiskFullError(StorageError):
    """No room to write; nothing was applied and the store stays usable."""

    temporary = True


class CorruptError(StorageError):
    """The file is damaged; nothing was repaired or deleted."""


class NotADatabaseError(StorageError):
    """The file is something else than a SQLite database; it was not touched."""


class SchemaMismatchError(StorageError):
    """The file is a SQLite database, but not of this package's format; it was not touched."""


class FlushFailedError(StorageError):
    """A lazy flush did not apply; the unsaved entries are kept and will be tried again."""

    temporary = True


class DurabilityUnknownError(StorageError):
    """A sync failed: whether the write survives is unknown. The store stops; ``aopen()`` reopens it."""

    default_applied = None


class CapacityExceededError(StorageError, MemoryError):
    """A memory store is full and ``evict`` is False; nothing was applied."""


class WalResetWarning(UserWarning):
    """Several processes share a file through a SQLite that has the WAL-reset bug (3.7.0 to 3.51.2)."""
