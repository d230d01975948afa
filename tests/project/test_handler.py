"""The way of an HTTP request through the site's own ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.signals import request_finished

from zupa_site.asgi import application

WAIT_S = 10
PAGE = "/health/live"
FILE = "/static/review/review.css"

Send = Callable[[dict[str, Any]], Awaitable[None]]


@pytest.fixture
def happened() -> Iterator[list[str]]:
    """What was sent, and when the response was closed, which is when the database connection goes back."""
    in_order: list[str] = []

    def closed(**_: object) -> None:
        in_order.append("closed")

    request_finished.connect(closed)
    yield in_order
    request_finished.disconnect(closed)


async def ask(path: str, send: Send, *, leaves: bool = False) -> None:
    """A browser that stays until it has its answer, or leaves as soon as it has asked."""
    said = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        if message := next(said, None):
            return message
        if not leaves:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
    }
    await asyncio.wait_for(application(scope, receive, send), WAIT_S)


def noting(happened: list[str]) -> Send:
    async def send(message: dict[str, Any]) -> None:
        happened.append(message["type"].removeprefix("http.response."))

    return send


def test_page_gives_its_database_connection_back_before_it_is_sent(happened: list[str]) -> None:
    async_to_sync(ask)(PAGE, noting(happened))
    assert happened == ["closed", "start", "body"]


def test_file_is_closed_when_all_of_it_is_sent(happened: list[str]) -> None:
    async_to_sync(ask)(FILE, noting(happened))
    assert happened[0] == "start"
    assert happened[-2:] == ["body", "closed"]


def test_file_is_closed_when_its_reader_left(happened: list[str]) -> None:
    async def nobody_takes_it(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    async_to_sync(ask)(FILE, nobody_takes_it, leaves=True)
    assert happened == ["closed"]


def test_stream_that_breaks_is_closed_and_told(happened: list[str]) -> None:
    async def broken(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            raise RuntimeError("no way out")

    with pytest.raises(RuntimeError, match="no way out"):
        async_to_sync(ask)(FILE, broken)
    assert happened == ["closed"]
