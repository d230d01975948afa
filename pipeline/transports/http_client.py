"""One HTTP client for all sends, and what its failures mean for an effect that must not happen twice."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2

from pipeline.policies.calls import CALLS, Call
from pipeline.policies.errors import Code, TransientError, UnknownError

NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)
"""Failures from before a byte of the request went out."""
GATEWAY = frozenset({502, 504})
"""Said by a gateway: what became of the message behind it, it does not know."""


def make_client() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(CALLS[Call.SEND].attempt_s, connect=CALLS[Call.SEND].connect_s),
        limits=httpx2.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=30),
        follow_redirects=False,
    )


async def post(
    client: httpx2.AsyncClient, url: str, *, headers: dict[str, str], **body: Any
) -> httpx2.Response:
    """The answer, whatever its status. `TransientError` if nothing was sent, `UnknownError` if that is unclear.

    `body` is the client's: `content`, or `data` and `files`.
    """
    try:
        return await client.post(url, headers=headers, **body)
    except NOT_SENT as error:
        raise TransientError(Code.SEND_CONNECTION, f"{url}: {type(error).__name__} {error}") from error
    except httpx2.HTTPError as error:
        raise UnknownError(Code.SEND_UNANSWERED, f"{url}: {type(error).__name__} {error}") from error


def retry_after_s(response: httpx2.Response) -> float | None:
    """Seconds that the peer asks to wait, from `Retry-After` as seconds or as a date (RFC 9110, 10.2.3)."""
    value = response.headers.get("Retry-After", "")
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
