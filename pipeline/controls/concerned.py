"""Whom a switch concerns: their conversations, and what waits in them. Asked in SQL, also for ten thousand at once.

Only partial indexes over what waits are read, never history; counts stop at `COUNTED_UP_TO`.
"""

from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from conversations.models import Conversation, Delivery, Message
from pipeline.engine import mailbox
from pipeline.engine.broker import enqueue_drain
from pipeline.models import EventStatus, ProcessedEvent, Switch
from pipeline.policies.switches import SwitchScope

COUNTED_UP_TO = 10_000
LOOKUPS = {
    SwitchScope.TENANT: "tenant",
    SwitchScope.CHANNEL: "channel",
    SwitchScope.AGENT: "channel__agent",
    SwitchScope.CONVERSATION: "pk",
    SwitchScope.CONTACT: "contact",
}
"""From a conversation to what the scope names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlastRadius:
    """What a switch touches at this moment; each number is at most `COUNTED_UP_TO`, which then means "or more"."""

    conversations: int
    waiting_messages: int
    queued_answers: int


def blast_radius(scope: SwitchScope, target_id: int | None) -> BlastRadius:
    return BlastRadius(
        conversations=_counted(Conversation.objects.filter(_of(scope, target_id))),
        waiting_messages=_counted(_waiting(scope, target_id)),
        queued_answers=_counted(_queued(scope, target_id)),
    )


def wake_concerned(switch: Switch) -> None:
    """Make due whatever conversation of the switch has work that waits, in the caller's transaction."""
    scope = SwitchScope(switch.scope)
    target_id = None if scope is SwitchScope.EVERYTHING else getattr(switch, f"{scope}_id")
    waiting = set(_waiting(scope, target_id).values_list("conversation_id", flat=True))
    waiting |= set(_queued(scope, target_id).values_list("conversation_id", flat=True))
    if waiting:
        mailbox.wake(waiting)
        enqueue_drain()


def _of(scope: SwitchScope, target_id: int | None, path: str = "") -> Q:
    return Q() if scope is SwitchScope.EVERYTHING else Q(**{f"{path}{LOOKUPS[scope]}": target_id})


def _waiting(scope: SwitchScope, target_id: int | None) -> QuerySet[ProcessedEvent]:
    waiting = ProcessedEvent.objects.exclude(status=EventStatus.DONE).filter(conversation__isnull=False)
    return waiting.filter(_of(scope, target_id, "conversation__")).order_by()


def _queued(scope: SwitchScope, target_id: int | None) -> QuerySet[Message]:
    queued = Message.objects.filter(delivery__in=[Delivery.QUEUED, Delivery.SENDING])
    return queued.filter(_of(scope, target_id, "conversation__")).order_by()


def _counted(rows: QuerySet[Any]) -> int:
    return rows.order_by()[:COUNTED_UP_TO].count()
