"""Threads for tools that are plain functions.

A thread cannot be stopped: one whose tool ignores its deadline is left behind, counted while it lasts, and whatever it
returns in the end is discarded.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from django.db import close_old_connections

THREADS = 100
NEVER_BEGAN = "It never began."

_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="tool")
_left_behind: set[Future[Any]] = set()


async def run(function: Callable[[], Any]) -> Any:
    """The function's result. When this is cancelled the function goes on, left behind, unless it had not begun."""
    future = _pool.submit(copy_context().run, _with_a_database, function)
    try:
        return await asyncio.wrap_future(future)
    except asyncio.CancelledError as cancelled:
        if future.cancel():
            cancelled.args = (NEVER_BEGAN,)
        else:
            _left_behind.add(future)
            future.add_done_callback(_left_behind.discard)
        raise


def never_began(error: TimeoutError) -> bool:
    """Whether the time was over before there was a thread for the function: then it certainly did nothing."""
    cancelled = error.__cause__
    return isinstance(cancelled, asyncio.CancelledError) and cancelled.args == (NEVER_BEGAN,)


def _with_a_database(function: Callable[[], Any]) -> Any:
    """As Django does for a request: a connection that broke is not handed to the next."""
    close_old_connections()
    try:
        return function()
    finally:
        close_old_connections()


def left_behind() -> int:
    """Tools that run on past their deadline in this process."""
    return len(_left_behind)
