"""The webhook's door as daphne holds it open: bodies of any size and shape, over real HTTP."""

from __future__ import annotations

import os
from collections.abc import Iterator

import httpx2
import psutil
import pytest

from tests.ingress.answers import Answer, receipt, refusal
from tests.ingress.platforms import encoded, envelope, meta_signature, value
from tests.system import System

pytestmark = [pytest.mark.acceptance, pytest.mark.xdist_group("acceptance")]

MEBIBYTE = 1024 * 1024
LIMIT = 4 * MEBIBYTE


def post(system: System, content: bytes | Iterator[bytes], **headers: str) -> Answer:
    """An iterator goes out chunked, without a Content-Length."""
    url = str(system.demo["channels"][0]["webhook_url"])
    response = httpx2.post(url, content=content, headers=headers, timeout=60, trust_env=False)
    return Answer.of(response.status_code, response.headers.items(), response.content)


def chunked(raw: bytes, size: int = 60_000) -> Iterator[bytes]:
    yield from (raw[start : start + size] for start in range(0, len(raw), size))


def signed(system: System, length: int) -> tuple[bytes, dict[str, str]]:
    """A body of exactly this length that says nothing."""
    channel = system.demo["channels"][0]
    empty = encoded(envelope(value(channel["phone_number_id"], padding="")))
    raw = encoded(envelope(value(channel["phone_number_id"], padding="x" * (length - len(empty)))))
    assert len(raw) == length
    return raw, {"X-Hub-Signature-256": meta_signature(channel["app_secret"], raw)}


@pytest.mark.parametrize("length", [1000, 3 * MEBIBYTE, LIMIT])
def test_body_up_to_the_limit_is_taken_with_and_without_a_content_length(system: System, length: int) -> None:
    raw, headers = signed(system, length)
    assert receipt(post(system, raw, **headers)) == (0, 0, 0)
    assert receipt(post(system, chunked(raw), **headers)) == (0, 0, 0)


@pytest.mark.parametrize("length", [LIMIT + 1, 8 * MEBIBYTE])
def test_body_over_the_limit_is_refused_with_and_without_a_content_length(
    system: System, length: int
) -> None:
    raw, headers = signed(system, length)
    assert refusal(post(system, raw, **headers), 413)["code"] == "body_too_large"
    assert refusal(post(system, chunked(raw), **headers), 413)["code"] == "body_too_large"


def test_endless_body_does_not_fill_the_memory(system: System) -> None:
    web = psutil.Process(system.processes("web")[0].pid)
    before = web.memory_info().rss
    noise = os.urandom(MEBIBYTE)
    assert refusal(post(system, (noise for _ in range(96))), 413)
    assert web.memory_info().rss - before < 48 * MEBIBYTE


@pytest.mark.parametrize("raw", [b"", b"\x00\xff", b"{"])
def test_unsigned_garbage_is_refused_unread(system: System, raw: bytes) -> None:
    assert refusal(post(system, raw), 401)
    assert refusal(post(system, chunked(raw)), 401)


def test_unknown_channel_is_refused_whatever_comes(system: System) -> None:
    url = f"{system.url}/api/webhooks/whatsapp/nobody"
    response = httpx2.post(url, content=b"x" * (LIMIT + 1), timeout=60, trust_env=False)
    assert refusal(Answer.of(response.status_code, response.headers.items(), response.content), 404)
