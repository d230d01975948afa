"""The way from the event loop to the database's threads, and back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextvars import ContextVar
from functools import partial
from typing import Any

import pytest

from pipeline.engine.database import THREADS, Threads

who: ContextVar[str] = ContextVar("who", default="nobody")


def in_a_loop(test: Callable[[Threads], Coroutine[Any, Any, None]]) -> Callable[[Threads], None]:
    def run(threads: Threads) -> None:
        asyncio.run(test(threads))

    return run


@pytest.fixture
def threads() -> Iterator[Threads]:
    threads = Threads()
    yield threads
    threads.close()


@in_a_loop
async def test_what_is_called_sees_the_callers_context(threads: Threads) -> None:
    who.set("Ana")
    assert await threads.call(who.get) == "Ana"


@in_a_loop
async def test_an_error_is_raised_to_whoever_waits(threads: Threads) -> None:
    with pytest.raises(ZeroDivisionError):
        await threads.call(lambda: 1 // 0)
    assert await threads.call(lambda: 1) == 1


@in_a_loop
async def test_as_many_work_at_once_as_there_are_threads(threads: Threads) -> None:
    together = threading.Barrier(THREADS)
    met = await asyncio.gather(*(threads.call(partial(together.wait, 10)) for _ in range(THREADS)))
    assert sorted(met) == list(range(THREADS))


@in_a_loop
async def test_what_has_begun_goes_on_when_nobody_waits_any_more(threads: Threads) -> None:
    began, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        may_end.wait(10)
        ended.set()

    waiting = asyncio.create_task(threads.call(work))
    await asyncio.to_thread(began.wait, 10)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    may_end.set()

    assert await asyncio.to_thread(ended.wait, 10)
    assert await threads.call(lambda: "the next") == "the next"


@in_a_loop
async def test_what_nobody_waits_for_any_more_does_not_begin(threads: Threads) -> None:
    may_end, began = threading.Event(), threading.Event()
    busy = [asyncio.create_task(threads.call(partial(may_end.wait, 10))) for _ in range(THREADS)]
    queued = asyncio.create_task(threads.call(began.set))
    await asyncio.sleep(0)
    queued.cancel()
    may_end.set()

    await asyncio.gather(*busy, queued, return_exceptions=True)
    threads.close()
    assert not began.is_set()


def test_a_loop_that_is_gone_is_not_told(threads: Threads) -> None:
    may_end = threading.Event()

    async def leave() -> None:
        asyncio.create_task(threads.call(partial(may_end.wait, 10)))  # noqa: RUF006 left alone on purpose
        await asyncio.sleep(0)

    asyncio.run(leave())
    may_end.set()
    assert asyncio.run(threads.call(lambda: "still there")) == "still there"
