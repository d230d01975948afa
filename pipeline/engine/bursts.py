"""Which messages are answered together: what came in one burst, or while its turn ran or waited for a person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from uuid import UUID

from django.db.models import F

from audit.compiled import RowQuery, param
from pipeline.models import EventStatus, ProcessedEvent, Step
from pipeline.phases.command_dispatch import is_command
from pipeline.ports import Json

MAX_BURST = 50
"""Messages answered together at most."""


@dataclass(frozen=True, slots=True)
class WaitingEvent:
    """What a turn has to know of an event that has no outcome yet. `turn_id`: the turn that took it up, if any."""

    id: int
    turn_id: UUID | None
    dedupe_key: str
    request_id: str
    received_at: datetime
    payload: Json
    requeues: int


WAITING = RowQuery(
    WaitingEvent,
    lambda: (
        ProcessedEvent.objects.filter(conversation_id=param("conversation_id"))
        .exclude(status=EventStatus.DONE)
        .order_by(F("turn_id").asc(nulls_last=True), "id")[:MAX_BURST]
    ),
)
FRESH = RowQuery(
    WaitingEvent,
    lambda: ProcessedEvent.objects.filter(
        conversation_id=param("conversation_id"), status=EventStatus.RECEIVED
    ).order_by("id")[:MAX_BURST],
)


def waiting(conversation_id: int) -> list[WaitingEvent]:
    """In arrival order, those of an unfinished turn first."""
    return WAITING.fetch(conversation_id=conversation_id)


def fresh(conversation_id: int) -> list[WaitingEvent]:
    """What no turn has taken up yet, in arrival order."""
    return FRESH.fetch(conversation_id=conversation_id)


def next_burst(waiting: Sequence[WaitingEvent], together: bool) -> list[WaitingEvent]:
    """What is answered together: everything up to the first command; a command is answered by itself."""
    if not together or is_command(waiting[0].payload["text"]):
        return [waiting[0]]
    return list(takewhile(lambda event: not is_command(event.payload["text"]), waiting))


def joining(
    turn_id: UUID, number: int, waiting: Sequence[WaitingEvent], together: bool
) -> list[WaitingEvent]:
    """Those of `waiting` that an unfinished turn over `number` messages still takes in; none where that is not to be.

    A command waits for its own turn; so does all that comes after a tool has acted that must not act twice.
    """
    if not waiting or not together or is_command(waiting[0].payload["text"]) or has_acted(turn_id):
        return []
    return next_burst(waiting, together)[: max(0, MAX_BURST - number)]


def has_acted(turn_id: UUID) -> bool:
    """Whether a tool ran, or may have run, that must not run twice."""
    return Step.objects.filter(turn_id=turn_id, is_idempotent=False).exists()
