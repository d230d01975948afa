"""What leaves the house when something breaks."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import sentry_sdk
import structlog
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from audit import correlation, reporting
from audit.logs import configure, redact

CARD = "-".join(["4111"] * 4)  # put together here, as reports may quote lines of source


class Outbox(Transport):
    """Keeps what would have been sent."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Any] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.events.append(envelope.get_event())


@pytest.fixture
def outbox() -> Iterator[Outbox]:
    outbox = Outbox()
    reporting.start(dsn="http://key@127.0.0.1/1", environment="development", transport=outbox)
    yield outbox
    sentry_sdk.init()


def answer(text: str) -> None:
    raise RuntimeError("the model is away")


def test_a_reported_error_names_its_message_by_ids_and_never_by_what_it_says(outbox: Outbox) -> None:
    with correlation.bound(turn_id="turn-1", conversation_id=7):
        try:
            answer(CARD)
        except RuntimeError as error:
            sentry_sdk.capture_exception(error)

    (event,) = outbox.events
    assert event["tags"] == {"turn_id": "turn-1", "conversation_id": "7"}
    assert CARD not in str(event)


def test_log_lines_leave_out_what_people_wrote() -> None:
    line = redact(structlog.get_logger(), "info", {"event": "turn.finished", "text": "hello", "turn_id": "t"})
    assert line == {"event": "turn.finished", "text": "[redacted]", "turn_id": "t"}


@pytest.mark.parametrize("as_json", [True, False])
def test_log_line_of_an_accident_tells_nothing_of_what_was_in_hand(*, as_json: bool) -> None:
    try:
        answer(CARD)
    except RuntimeError:
        record = logging.LogRecord("zupa", logging.ERROR, __file__, 1, "accident", None, sys.exc_info())
    line = formatter(as_json=as_json).format(record)
    assert "the model is away" in line
    assert CARD not in line


def formatter(*, as_json: bool) -> logging.Formatter:
    """What the handlers of a process write with."""
    before = structlog.get_config()
    line = configure(as_json=as_json)["formatters"]["line"]
    structlog.configure(**before)
    made: logging.Formatter = line.pop("()")(**line)
    return made


def test_ids_stand_on_log_lines_as_text() -> None:
    turn_id = uuid4()
    with correlation.bound(turn_id=turn_id, conversation_id=7, session_id=None):
        line = structlog.contextvars.get_contextvars()
    assert line == {"turn_id": str(turn_id), "conversation_id": "7", "session_id": ""}
