"""What becomes of a request on its way says whether it may have been heard: then it is never called unsent."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pipeline.policies.errors import Code, PipelineError, TransientError, UnknownError
from pipeline.transports.http_client import Client, Response, make_client, post

ACCEPTED = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Peer:
    """Answers every request with the same bytes; `closes` the connection after each, or leaves it open."""

    def __init__(self, answer: bytes, *, closes: bool) -> None:
        self.answer = answer
        self.closes = closes
        self.connections: list[asyncio.StreamWriter] = []
        self.heard = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(writer)
        while await reader.readline():
            headers = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(_content_length(headers))
            self.heard += 1
            writer.write(self.answer)
            await writer.drain()
            if self.closes:
                break
        writer.close()


def _content_length(headers: bytes) -> int:
    lines = [line.split(b":") for line in headers.lower().splitlines()]
    return next(int(line[1]) for line in lines if line[0] == b"content-length")


@asynccontextmanager
async def listening(answer: bytes, *, closes: bool = True) -> AsyncIterator[tuple[str, Peer, Client]]:
    peer = Peer(answer, closes=closes)
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, make_client() as client:
        yield f"http://127.0.0.1:{port}/messages", peer, client


async def failure_of(client: Client, url: str, headers: dict[str, str] | None = None) -> PipelineError:
    with pytest.raises(PipelineError) as raised:
        await post(client, url, headers=headers or {}, body=b"{}")
    return raised.value


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
def test_request_that_was_heard_and_not_answered_in_full_is_unknown(answer: bytes) -> None:
    async def check() -> None:
        async with listening(answer) as (url, peer, client):
            error = await failure_of(client, url)
            assert (type(error), error.code, peer.heard) == (UnknownError, Code.SEND_UNANSWERED, 1)

    asyncio.run(check())


def test_request_that_reached_nobody_was_not_sent() -> None:
    async def check() -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        async with make_client() as client:
            for url in (f"http://127.0.0.1:{port}/", "no address at all", "ftp://127.0.0.1/"):
                error = await failure_of(client, url)
                assert (type(error), error.code) == (TransientError, Code.SEND_CONNECTION), url

    asyncio.run(check())


def test_header_that_cannot_be_written_ends_as_an_error_of_ours() -> None:
    async def check() -> None:
        async with listening(ACCEPTED) as (url, peer, client):
            await failure_of(client, url, headers={"Authorization": "Bearer two\r\nlines"})
            assert peer.heard == 0

    asyncio.run(check())


def test_redirect_is_an_answer_and_leads_nowhere() -> None:
    async def check() -> None:
        away = b"HTTP/1.1 307 Away\r\nLocation: /messages\r\nContent-Length: 0\r\n\r\n"
        async with listening(away) as (url, peer, client):
            answer = await post(client, url, headers={}, body=b"{}")
            assert (answer.status, answer.is_success, peer.heard) == (307, False, 1)

    asyncio.run(check())


def test_connection_is_kept_and_one_that_the_peer_has_closed_is_not_used_again() -> None:
    async def check() -> None:
        async with listening(ACCEPTED, closes=False) as (url, peer, client):
            answers: list[Response] = [await post(client, url, headers={}, body=b"{}") for _ in range(2)]
            assert len(peer.connections) == 1
            peer.connections[0].close()
            await peer.connections[0].wait_closed()
            await asyncio.sleep(0)
            answers.append(await post(client, url, headers={}, body=b"{}"))
            assert [answer.json() for answer in answers] == [{}, {}, {}]
            assert len(peer.connections) == 2

    asyncio.run(check())
