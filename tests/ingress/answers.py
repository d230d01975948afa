"""What a webhook is answered, checked for its whole shape."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.models import ProcessedEvent


@dataclass(frozen=True)
class Answer:
    """`headers` by their names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> Answer:
        return cls(status, {name.lower(): value for name, value in headers}, body)


def receipt(answer: Answer) -> tuple[int, int, int]:
    """The numbers of a 200: accepted, duplicates, ignored."""
    assert answer.status == 200, answer.body
    body = json.loads(answer.body)
    assert set(body) == {"accepted", "duplicates", "ignored"}
    return body["accepted"], body["duplicates"], body["ignored"]


def refusal(answer: Answer, status: int) -> dict[str, Any]:
    """The error of a refused request, in the one shape that every error has."""
    assert answer.status == status, answer.body
    assert answer.headers["content-type"].startswith("application/json")
    body = json.loads(answer.body)
    assert set(body) == {"error"}
    error: dict[str, Any] = body["error"]
    assert set(error) == {"code", "message", "request_id"}
    assert all(error.values())
    assert error["request_id"] == answer.headers["x-request-id"]
    return error


def event() -> ProcessedEvent:
    """The only event there is."""
    return ProcessedEvent.objects.get()
