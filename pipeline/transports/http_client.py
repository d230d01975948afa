"""One HTTP client for all calls, and what its failures mean for a send, which must not happen twice."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import IO, Any, Protocol
from urllib.request import getproxies

import aiohttp
import httpx2

from pipeline.policies.calls import CALLS, Call
from pipeline.policies.errors import Code, TransientError, UnknownError

Client = aiohttp.ClientSession
Body = bytes | aiohttp.FormData

NOT_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)
"""Failures from before a byte of the request went out."""
UNANSWERED = (aiohttp.ClientError, TimeoutError, ValueError)
"""All others of the client's: a ValueError is what it cannot read, or write, as HTTP."""
GATEWAY = frozenset({502, 504})
"""Said by a gateway: what became of the message behind it, it does not know."""
MAX_CONNECTIONS = 200
KEEPALIVE_S = 30.0


@dataclass(frozen=True, slots=True)
class Response:
    """What the peer answered, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")

    def json(self) -> Any:
        """Raises `ValueError` where it is none."""
        return json.loads(self.body)


def make_client() -> Client:
    """Inside the event loop that it is for. Its times are those of a send.

    The environment's proxies are asked for before each request, in a thread: only where there are any.
    """
    policy = CALLS[Call.SEND]
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=MAX_CONNECTIONS, keepalive_timeout=KEEPALIVE_S, ssl=httpx2.create_ssl_context()
        ),
        timeout=aiohttp.ClientTimeout(
            connect=policy.attempt_s, sock_connect=policy.connect_s, sock_read=policy.attempt_s
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=bool(getproxies()),
    )


def form(fields: Mapping[str, str], *, file: IO[bytes], name: str, mime_type: str) -> aiohttp.FormData:
    """A form with a file under `file`."""
    body = aiohttp.FormData(fields)
    # Said in so many words, since a storage's file is no `io.IOBase`.
    content = aiohttp.payload.IOBasePayload(file, content_type=mime_type)
    body.add_field("file", content, filename=name, content_type=mime_type)
    return body


async def post(client: Client, url: str, *, headers: Mapping[str, str], body: Body) -> Response:
    """The answer, whatever its status. `TransientError` if nothing was sent, `UnknownError` if that is unclear."""
    try:
        async with client.post(url, headers=headers, data=body, allow_redirects=False) as answered:
            return Response(answered.status, answered.headers, await answered.read())
    except NOT_SENT as error:
        raise TransientError(Code.SEND_CONNECTION, f"{url}: {type(error).__name__} {error}") from error
    except UNANSWERED as error:
        raise UnknownError(Code.SEND_UNANSWERED, f"{url}: {type(error).__name__} {error}") from error


class HasHeaders(Protocol):
    @property
    def headers(self) -> Mapping[str, str]: ...


def retry_after_s(response: HasHeaders) -> float | None:
    """Seconds that the peer asks to wait, from `Retry-After` as seconds or as a date (RFC 9110, 10.2.3)."""
    value = response.headers.get("Retry-After", "")
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
