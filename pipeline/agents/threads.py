"""Threads for tools that are plain functions.

A thread cannot be stopped: one whose tool ignores its deadline is left behind, counted while it lasts, and whatever it
returns in the end is discarded.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

THREADS = 100

_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="tool")
_left_behind: set[Future[Any]] = set()


async def run(function: Callable[[], Any]) -> Any:
    """The function's result. When this is cancelled the function goes on, left behind."""
    future = _pool.submit(copy_context().run, function)
    try:
        return await asyncio.wrap_future(future)
    except asyncio.CancelledError:
        if not future.cancel():
            _left_behind.add(future)
            future.add_done_callback(_left_behind.discard)
        raise


def left_behind() -> int:
    """Tools that run on past their deadline in this process."""
    return len(_left_behind)
