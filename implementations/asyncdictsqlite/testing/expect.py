"""What a check says about an answer: which error with which words, or the same thing with the same type."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Awaitable, Callable, Iterator, List, Tuple, Type, TypeVar, Union

from .. import AsyncDictSQLite

T = TypeVar("T")
Call = Callable[..., Awaitable[Any]]


class Caught:
    """The error that `raises` met; there after its block."""

    error: Any = None


@contextlib.contextmanager
def raises(kind: Union[Type[BaseException], Tuple[Type[BaseException], ...]], *words: str) -> Iterator[Caught]:
    """Demand an error of this class whose message has these words (in any case of letters)."""
    caught = Caught()
    try:
        yield caught
    except kind as error:
        message = str(error)
        missing = [word for word in words if word.lower() not in message.lower()]
        assert not missing, f"the message of {type(error).__name__} does not say {missing}: {message!r}"
        caught.error = error
    except Exception as error:
        raise AssertionError(f"{type(error).__name__} ({error}) instead of {_names(kind)}") from error
    else:
        raise AssertionError(f"no error instead of {_names(kind)}")


def equal(got: object, wanted: object) -> None:
    """Demand an equal value."""
    assert got == wanted, f"{got!r:.300} instead of {wanted!r:.300}"


def same(got: object, wanted: object) -> None:
    """Demand an equal value of the same type, in depth."""
    assert type(got) is type(wanted), f"{got!r:.200} is a {type(got).__name__}, not a {type(wanted).__name__}"
    assert got == wanted or got != got, f"{got!r:.300} instead of {wanted!r:.300}"  # noqa: PLR0124 - NaN
    assert repr(got) == repr(wanted), f"{got!r:.300} instead of {wanted!r:.300}"


def faces(store: AsyncDictSQLite) -> List[Call]:
    """Give the two ways to call a method by its short name: the async method and its sync twin."""

    async def asynchronous(name: str, *args: Any, **keywords: Any) -> Any:
        return await getattr(store, "a" + name)(*args, **keywords)

    async def synchronous(name: str, *args: Any, **keywords: Any) -> Any:
        return getattr(store, name)(*args, **keywords)

    return [asynchronous, synchronous]


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait for something that happens by itself soon."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.002)


async def on_threads(count: int, function: Callable[[int], T]) -> List[T]:
    """Call the function with 0, 1, ... on as many threads at once."""
    barrier = threading.Barrier(count)

    def run(number: int) -> T:
        barrier.wait()
        return function(number)

    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(count) as pool:
        return await asyncio.gather(*(loop.run_in_executor(pool, run, number) for number in range(count)))


def _names(kind: Union[Type[BaseException], Tuple[Type[BaseException], ...]]) -> str:
    kinds = kind if isinstance(kind, tuple) else (kind,)
    return " or ".join(one.__name__ for one in kinds)
