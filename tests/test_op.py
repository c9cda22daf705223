"""The op of the Python backends: a coroutine without a frame."""

from __future__ import annotations

import asyncio
import collections.abc
import gc
import inspect
import logging
import sys
import threading
from typing import List

import pytest

from asyncdictsqlite.op import Mapped, Op, Parked, coroutine_function


def later(op: Op[int], value: int) -> None:
    threading.Timer(0.01, op.finish, [value]).start()


def test_an_op_is_a_coroutine_by_structure() -> None:
    assert isinstance(Op.of(1), collections.abc.Coroutine)
    assert asyncio.iscoroutine(Op.of(1))


def test_a_marked_function_is_a_coroutine_function_also_when_bound() -> None:
    class Thing:
        @coroutine_function
        def method(self) -> Op[int]:
            return Op.of(1)

    if sys.version_info < (3, 14):
        assert asyncio.iscoroutinefunction(Thing().method)
    if sys.version_info >= (3, 12):
        assert inspect.iscoroutinefunction(Thing().method)


def test_a_pending_op_wakes_every_task_that_awaits_it() -> None:
    async def main() -> List[int]:
        op: Op[int] = Op()
        tasks = [asyncio.ensure_future(op) for _ in range(3)]
        await asyncio.sleep(0)
        later(op, 7)
        return await asyncio.gather(*tasks)

    assert asyncio.run(main()) == [7, 7, 7]


def test_a_finished_op_may_be_awaited_again_on_another_loop() -> None:
    op = Op.of(3)

    async def main() -> int:
        return await op

    assert [asyncio.run(main()), asyncio.run(main())] == [3, 3]


def test_wait_needs_no_loop_and_blocks_until_finished() -> None:
    op: Op[int] = Op()
    later(op, 5)
    assert op.wait() == 5


def test_wait_works_on_the_thread_of_the_running_loop() -> None:
    async def main() -> int:
        op: Op[int] = Op()
        later(op, 5)
        return op.wait()

    assert asyncio.run(main()) == 5


def test_a_result_for_a_closed_loop_is_dropped_silently() -> None:
    op: Op[int] = Op()

    async def main() -> None:
        await asyncio.wait_for(op, 0.01)

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(main())
    op.finish(1)
    assert op.wait() == 1


def test_a_failure_that_nobody_awaited_is_reported_to_the_loop() -> None:
    seen: List[object] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: seen.append(context["exception"]))
        Op.failed(ValueError("lost"))
        gc.collect()

    asyncio.run(main())
    assert [str(error) for error in seen] == ["lost"]


def test_a_failure_without_a_loop_is_reported_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "asyncio"):
        Op.failed(ValueError("lost"))
        gc.collect()
    assert "never retrieved" in caplog.text


def test_a_failure_that_was_awaited_is_not_reported(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "asyncio"):
        with pytest.raises(ValueError, match="seen"):
            Op.failed(ValueError("seen")).wait()
        gc.collect()
    assert not caplog.text


def test_a_mapped_op_calls_its_function_once() -> None:
    calls: List[int] = []
    op = Mapped(Op.of(2), lambda value: calls.append(value) or value * 2)

    async def main() -> int:
        return await op + await op

    assert asyncio.run(main()) == 8
    assert calls == [2]


def test_a_parked_call_that_raises_fails_its_caller_alone() -> None:
    def call(engine: object) -> Op[int]:
        raise ValueError("bad")

    parked: Parked[int] = Parked(call)
    parked.hand_over(None)  # type: ignore[arg-type]
    parked.release()
    with pytest.raises(ValueError, match="bad"):
        parked.wait()
