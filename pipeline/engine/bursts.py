"""Which messages are answered together: what came in one burst, or while its turn ran or waited for a person."""

from collections.abc import Sequence
from itertools import takewhile
from uuid import UUID

from pipeline.models import EventStatus, ProcessedEvent, Step
from pipeline.phases.command_dispatch import is_command

MAX_BURST = 50
"""Messages answered together at most."""


def next_burst(waiting: Sequence[ProcessedEvent], together: bool) -> list[ProcessedEvent]:
    """What is answered together: everything up to the first command; a command is answered by itself."""
    if not together or is_command(waiting[0].payload["text"]):
        return [waiting[0]]
    return list(takewhile(lambda event: not is_command(event.payload["text"]), waiting))


def fresh(conversation_id: int) -> list[ProcessedEvent]:
    """What no turn has taken up yet, in arrival order."""
    received = ProcessedEvent.objects.filter(conversation_id=conversation_id, status=EventStatus.RECEIVED)
    return list(received.order_by("id")[:MAX_BURST])


def joining(
    turn_id: UUID, number: int, waiting: Sequence[ProcessedEvent], together: bool
) -> list[ProcessedEvent]:
    """Those of `waiting` that an unfinished turn over `number` messages still takes in; none where that is not to be.

    A command waits for its own turn; so does all that comes after a tool has acted that must not act twice.
    """
    if not waiting or not together or is_command(waiting[0].payload["text"]) or has_acted(turn_id):
        return []
    return next_burst(waiting, together)[: max(0, MAX_BURST - number)]


def has_acted(turn_id: UUID) -> bool:
    """Whether a tool ran, or may have run, that must not run twice."""
    return Step.objects.filter(turn_id=turn_id, is_idempotent=False).exists()
