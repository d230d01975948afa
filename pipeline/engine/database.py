"""The bridge from the event loop to Django's synchronous database."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

import stamina
from django.db import InterfaceError, OperationalError, connection

P = ParamSpec("P")
R = TypeVar("R")

THREADS = 4
OUTAGE_S = 60.0
"""How long a unit of work waits for a database that went away before its flight is given up."""

CLOSING_S = 10.0

AWAY = (OperationalError, InterfaceError)


@dataclass(frozen=True, slots=True)
class _Work:
    """One unit of work, and who waits for it where."""

    run: Callable[[], Any]
    context: Context
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]

    def do(self) -> None:
        if self.future.cancelled():
            return
        try:
            tell = partial(self._tell, self.context.run(self.run))
        except BaseException as error:  # noqa: BLE001 raised to whoever waits for it
            tell = partial(self._tell_error, error)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self.loop.call_soon_threadsafe(tell)

    def _tell(self, result: Any) -> None:
        if not self.future.done():
            self.future.set_result(result)

    def _tell_error(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class Threads:
    """Threads with a connection each. They begin with the first work, so that a process may fork before it.

    The standard library's executor asks three times the CPU for the way there and back, six times a turn.
    """

    def __init__(self) -> None:
        self._works: SimpleQueue[_Work | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._beginning = threading.Lock()

    async def call(self, run: Callable[[], R]) -> R:
        """What `run` returns, in this context. When this is cancelled, what has begun goes on for nobody."""
        if not self._threads:
            self._begin()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._works.put(_Work(run, copy_context(), loop, future))
        return await future

    def close(self) -> None:
        """End the threads, each with its connection, once they have done what they were given."""
        for _ in self._threads:
            self._works.put(None)
        for thread in self._threads:
            thread.join(CLOSING_S)

    def _begin(self) -> None:
        with self._beginning:
            if self._threads:
                return
            self._threads = [
                threading.Thread(target=self._serve, name=f"database-{n}", daemon=True)
                for n in range(THREADS)
            ]
            for thread in self._threads:
                thread.start()

    def _serve(self) -> None:
        while (work := self._works.get()) is not None:
            work.do()
        connection.close()


_threads = Threads()


async def in_database(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run one unit of database work in a thread with a connection of its own.

    `work` must be one transaction that may safely run twice: when the connection breaks, also while it commits, it
    is run again until the database is back or `OUTAGE_S` is over.
    """
    return await _threads.call(partial(_until_it_answers, work, *args, **kwargs))


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
