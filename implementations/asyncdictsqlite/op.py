"""Op: the result of a call that was already handed over; what every async method of a Python backend returns.

A coroutine by structure (``send``, ``throw``, ``close``, ``__await__``), so that tasks, gather and TaskGroup take it,
but one without a frame: awaiting it starts nothing, abandoning it withdraws nothing.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
import logging
import os
import threading
from typing import Any, Callable, Dict, Generic, Iterable, List, Optional, Tuple, TypeVar, Union

from . import protocol

T = TypeVar("T")
S = TypeVar("S")
F = TypeVar("F", bound=Callable[..., Any])

_Sleeper = Union["asyncio.Future[None]", threading.Event, Callable[[], None]]

# One lock for all ops: held for a few assignments only. Re-entrant: the collector may run a finalizer meanwhile.
_lock = threading.RLock()


def _renew_lock() -> None:
    global _lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_renew_lock)


def coroutine_function(function: F) -> F:
    """Mark a plain function that returns an awaitable, so that asyncio's and inspect's questions answer yes."""
    function._is_coroutine = getattr(asyncio.coroutines, "_is_coroutine", True)  # type: ignore[attr-defined]
    function.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    mark = getattr(inspect, "markcoroutinefunction", None)  # Python 3.12
    return function if mark is None else mark(function)


class _Coroutine(Generic[T]):
    """The coroutine face over `send`."""

    __slots__ = ()

    def send(self, value: None = None, /) -> Any:
        raise NotImplementedError

    def __next__(self) -> Any:
        return self.send(None)

    def __iter__(self) -> _Coroutine[T]:
        return self

    def __await__(self) -> Any:
        return self

    def throw(self, kind: Any, value: Any = None, traceback: Any = None, /) -> Any:
        """Raise the exception: what was handed over is not withdrawn."""
        if value is None:
            value = kind() if isinstance(kind, type) else kind
        raise value if traceback is None else value.with_traceback(traceback)

    def close(self) -> None:
        """Do nothing: what was handed over is not withdrawn."""


class Op(_Coroutine[T]):
    """A result that a worker thread will give, or that is there already."""

    __slots__ = ("__weakref__", "_error", "_hook", "_loop", "_pending", "_seen", "_sleepers", "_value")

    def __init__(self) -> None:
        self._pending = True
        self._seen = False
        self._value: Optional[T] = None
        self._error: Optional[BaseException] = None
        self._sleepers: Optional[List[_Sleeper]] = None
        self._hook: Optional[Callable[[], None]] = None
        self._loop = asyncio._get_running_loop()

    @classmethod
    def of(cls, value: T) -> Op[T]:
        """Make one that is finished."""
        op = cls.__new__(cls)
        op._pending = False
        op._value = value
        op._error = op._loop = op._sleepers = None
        return op

    @classmethod
    def failed(cls, error: BaseException) -> Op[T]:
        """Make one that has failed."""
        op = cls()
        op.fail(error)
        return op

    def done(self) -> bool:
        """Tell whether the result or the exception is there."""
        return not self._pending

    def finish(self, value: T) -> None:
        """Set the result and wake who waits; from any thread, once."""
        finish_all([(self, value, None)])

    def fail(self, error: BaseException) -> None:
        """Set the exception and wake who waits; from any thread, once."""
        finish_all([(self, None, error)])

    def send(self, value: None = None, /) -> Any:
        """Raise StopIteration with the result; while it is pending, give a future of the running loop to wait on."""
        if self._pending:
            loop = asyncio.get_running_loop()
            future: asyncio.Future[None] = loop.create_future()
            if self._sleep(future):
                self._loop = loop
                future._asyncio_future_blocking = True
                return future
        raise StopIteration(self._result())

    def before_wait(self, hook: Optional[Callable[[], None]]) -> None:
        """Have `hook` called by a thread that is about to block for the result."""
        self._hook = hook

    def wait(self) -> T:
        """Block the calling thread for the result; needs no loop."""
        if self._pending:
            if self._hook is not None:
                self._hook()
            event = threading.Event()
            if self._sleep(event):
                event.wait()
        return self._result()

    def then(self, callback: Callable[[], None]) -> None:
        """Call `callback` once finished, from the thread that finishes it; now, if it is."""
        if not self._sleep(callback):
            callback()

    def pass_to(self, other: Op[T]) -> None:
        """Finish `other` as this one ends."""

        def finish() -> None:
            self._seen = True
            finish_all([(other, self._value, self._error)])

        self.then(finish)

    def _sleep(self, sleeper: _Sleeper) -> bool:
        with _lock:
            if self._pending:
                if self._sleepers is None:
                    self._sleepers = []
                self._sleepers.append(sleeper)
            return self._pending

    def _result(self) -> T:
        if self._error is not None:
            self._seen = True
            raise self._error
        return self._value  # type: ignore[return-value]

    def __del__(self) -> None:
        if self._error is not None and not self._seen:
            _report(self._error, self._loop)


def finish_all(results: Iterable[Tuple[Op[Any], Any, Optional[BaseException]]]) -> None:
    """Finish many ops (op, value, error) with one wake-up for each loop."""
    sleepers: List[_Sleeper] = []
    with _lock:
        for op, value, error in results:
            op._value, op._error, op._pending = value, error, False
            if op._sleepers is not None:
                sleepers += op._sleepers
                op._sleepers = None
    loops: Dict[asyncio.AbstractEventLoop, List[asyncio.Future[None]]] = {}
    for sleeper in sleepers:
        if isinstance(sleeper, threading.Event):
            sleeper.set()
        elif callable(sleeper):
            sleeper()
        else:
            loops.setdefault(sleeper.get_loop(), []).append(sleeper)
    for loop, futures in loops.items():
        try:
            loop.call_soon_threadsafe(_wake, futures)
        except RuntimeError:  # the loop is closed: nobody is left to hear of it
            pass


def in_thread(function: Callable[[], T]) -> Op[T]:
    """Call a function that blocks in a thread of its own."""
    op: Op[T] = Op()

    def run() -> None:
        try:
            result = function()
        except BaseException as error:
            op.fail(error)
        else:
            op.finish(result)

    threading.Thread(target=run, name="asyncdictsqlite-opener", daemon=True).start()
    return op


def fail_all(ops: Iterable[Op[Any]], error: BaseException) -> None:
    """Fail many ops with one error, each with a copy of its own."""
    finish_all([(op, None, copy_of(error)) for op in ops])


def copy_of(error: BaseException) -> BaseException:
    """Copy an exception: one object raised to many callers would collect the frames of all of them."""
    try:
        own = copy.copy(error)
    except Exception:  # of a class that cannot be made from its arguments
        return error
    own.__cause__ = error.__cause__
    return own


def _wake(futures: List[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)


def _report(error: BaseException, loop: Optional[asyncio.AbstractEventLoop]) -> None:
    message = "asyncdictsqlite: exception was never retrieved"
    if loop is not None and not loop.is_closed():
        context = {"message": message, "exception": error}
        if loop.is_running():  # perhaps in another thread; and this one may hold a lock: the collector runs anywhere
            loop.call_soon_threadsafe(loop.call_exception_handler, context)
        else:
            loop.call_exception_handler(context)
    else:
        logging.getLogger("asyncio").error(message, exc_info=error)


class Mapped(_Coroutine[S]):
    """The result of another op, passed through a function once."""

    __slots__ = ("_function", "_op", "_value")

    def __init__(self, op: protocol.Op[T], function: Callable[[T], S]) -> None:
        self._op: Optional[protocol.Op[Any]] = op
        self._function: Optional[Callable[[Any], S]] = function

    def done(self) -> bool:
        """Tell whether the result or the exception is there."""
        op = self._op
        return op is None or op.done()

    def send(self, value: None = None, /) -> Any:
        """Go on as the other op does, then raise StopIteration with the function's result."""
        op = self._op
        if op is None:
            raise StopIteration(self._value)
        try:
            return op.send(None)
        except StopIteration as stop:
            result = stop.value
        raise StopIteration(self._map(result))

    def wait(self) -> S:
        """Block the calling thread for the result."""
        op = self._op
        return self._value if op is None else self._map(op.wait())

    def _map(self, result: Any) -> S:
        function = self._function
        if function is None:  # another thread was here
            return self._value
        self._value: S = function(result)
        self._op = self._function = None
        return self._value


class Parked(_Coroutine[T]):
    """The result of a call that waits for its store to open: an op that gives the op of the call."""

    __slots__ = ("_call", "_handed", "_inner")

    def __init__(self, call: Callable[[protocol.Engine], protocol.Op[T]]) -> None:
        self._call: Optional[Callable[[protocol.Engine], protocol.Op[T]]] = call
        self._handed: Op[protocol.Op[T]] = Op()
        self._inner: Optional[protocol.Op[T]] = None

    def hand_over(self, engine: protocol.Engine) -> None:
        """Make the call; from the opener's thread. Its caller hears of it at `release`."""
        call, self._call = self._call, None
        assert call is not None
        try:
            self._inner = call(engine)
        except Exception as error:
            self._inner = Op.failed(error)

    def release(self) -> None:
        """Let the caller have the op of the call."""
        assert self._inner is not None
        self._handed.finish(self._inner)

    def fail(self, error: BaseException) -> None:
        """Tell the caller that the store did not open."""
        self._call = None
        self._handed.fail(error)

    def done(self) -> bool:
        """Tell whether the result or the exception is there."""
        handed = self._handed
        return handed.done() and (handed._error is not None or handed._result().done())

    def send(self, value: None = None, /) -> Any:
        """Go on as the op of the call does, once it is there."""
        handed = self._handed
        if not handed.done():
            return handed.send(None)
        return handed._result().send(None)

    def wait(self) -> T:
        """Block the calling thread for the result."""
        return self._handed.wait().wait()
