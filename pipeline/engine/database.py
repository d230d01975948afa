"""The bridge from the event loop to Django's synchronous database."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

import stamina
from django.db import InterfaceError, OperationalError, connection

P = ParamSpec("P")
R = TypeVar("R")

THREADS = 4
OUTAGE_S = 60.0
"""How long a unit of work waits for a database that went away before its flight is given up."""

AWAY = (OperationalError, InterfaceError)

_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="database")


async def in_database(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run one unit of database work in a thread with a connection of its own.

    `work` must be one transaction that may safely run twice: when the connection breaks, also while it commits, it
    is run again until the database is back or `OUTAGE_S` is over.
    """
    context = copy_context()
    loop = asyncio.get_running_loop()
    run = partial(_until_it_answers, work, *args, **kwargs)
    return await loop.run_in_executor(_threads, lambda: context.run(run))


def _until_it_answers(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """The retries begin when the database is away: setting them up for every unit of work costs more than the work."""
    try:
        return _once(work, *args, **kwargs)
    except AWAY:
        return _patiently(work, *args, **kwargs)


def _once(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    try:
        return work(*args, **kwargs)
    except AWAY:
        connection.close()
        raise


_patiently = stamina.retry(on=AWAY, attempts=None, timeout=OUTAGE_S, wait_initial=0.1, wait_max=2.0)(_once)
