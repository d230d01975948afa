"""The simulator, and a stand-in for Zupa's webhook endpoint, on real ports of a loop in its own thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx2
import pytest
from aiohttp import web

from pipeline.simulator.app import create_app
from tests.simulator.world import Outside, Zupa, channels_at

T = TypeVar("T")


class LoopThread:
    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture(scope="session")
def loop_thread() -> Iterator[LoopThread]:
    thread = LoopThread()
    yield thread
    thread.stop()


@contextmanager
def served(thread: LoopThread, app: web.Application) -> Iterator[str]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)

    async def start() -> str:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        return f"http://{host}:{port}"

    url = thread.run(start())
    try:
        yield url
    finally:
        thread.run(runner.cleanup())


@pytest.fixture
def zupa(loop_thread: LoopThread) -> Iterator[Zupa]:
    receiver = Zupa()
    with served(loop_thread, receiver.app()) as receiver.url:
        yield receiver


@pytest.fixture
def outside(loop_thread: LoopThread, zupa: Zupa) -> Iterator[Outside]:
    app = create_app(channels_at(zupa.url))
    with served(loop_thread, app) as url, httpx2.Client(base_url=url, timeout=10, trust_env=False) as client:
        yield Outside(url, client)
