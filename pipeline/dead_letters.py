"""What failed for good, and the way back into the queue. Each is a person's act, with a reason, on record."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, OuterRef, QuerySet, Subquery

from audit.models import ActorKind
from audit.operations import Fact, record_all
from conversations.live import DASHBOARD, announce, conversation_topic
from conversations.models import Conversation, Delivery, Message
from pipeline.desk import desk
from pipeline.engine import mailbox
from pipeline.engine.broker import enqueue_drain
from pipeline.models import EventStatus, Outcome, ProcessedEvent

OWNER_EPOCH = Conversation.objects.filter(pk=OuterRef("conversation_id")).values("owner_epoch")
DEAD = (Outcome.FAILED, Outcome.NEEDS_HUMAN, Outcome.EXPIRED, Outcome.SHED, Outcome.RATE_LIMITED)
"""What did not go well: a person should look."""
REQUEUEABLE = (*DEAD, Outcome.SILENCED, Outcome.BLOCKED)
"""What a person kept from being answered, too: by a switch or the blocklist, perhaps by mistake."""


def requeueable(events: QuerySet[ProcessedEvent]) -> QuerySet[ProcessedEvent]:
    """Those of the events that `requeue` takes."""
    ended = events.filter(status=EventStatus.DONE, outcome__in=REQUEUEABLE, conversation__isnull=False)
    return ended.exclude(payload={})


@transaction.atomic
def requeue(*, event_ids: Collection[int], by: str, reason: str, now: datetime) -> int:
    """Have these events answered after all. Idempotent: what already waits is left, what was emptied, too.

    `by` empty: by a policy of the engine's.
    """
    chosen = requeueable(ProcessedEvent.objects.filter(pk__in=event_ids))
    _wake(
        set(chosen.values_list("conversation_id", flat=True))
    )  # mailboxes, then events: as the engine locks them
    events = list(chosen.select_for_update().order_by("conversation_id", "pk"))
    ProcessedEvent.objects.filter(pk__in=[event.pk for event in events]).update(
        status=EventStatus.RECEIVED,
        outcome=None,
        outcome_code="",
        done_at=None,
        turn=None,
        requeues=F("requeues") + 1,
        requeued_at=now,
    )
    desk().settle(turn_ids={event.turn_id for event in events if event.turn_id}, now=now)
    record_all([_requeued(event, by, reason) for event in events], now=now)
    return len(events)


def _requeued(event: ProcessedEvent, by: str, reason: str) -> Fact:
    return Fact(
        action="event.requeued",
        object_type="event",
        object_id=event.pk,
        actor_kind=ActorKind.PERSON if by else ActorKind.SYSTEM,
        actor=by,
        reason=reason,
        details={"outcome": event.outcome, "code": event.outcome_code},
        ids={
            "event_id": event.pk,
            "tenant_id": event.tenant_id,
            "conversation_id": event.conversation_id,
            "turn_id": event.turn_id or "",
        },
    )


@transaction.atomic
def mark_delivered(*, message_ids: Collection[int], by: str, reason: str, now: datetime) -> int:
    """A person knows that these unknown sends arrived. Idempotent. Their number."""
    messages = _unknown(message_ids)
    Message.objects.filter(pk__in=[message.pk for message in messages]).update(
        delivery=Delivery.DELIVERED, delivered_at=now
    )
    desk().settle(message_ids=[message.pk for message in messages], now=now)
    record_all([_settled(message, "message.marked_delivered", by, reason) for message in messages], now=now)
    announce(DASHBOARD, *(conversation_topic(message.conversation_id) for message in messages))
    return len(messages)


@transaction.atomic
def send_again(*, message_ids: Collection[int], by: str, reason: str, now: datetime) -> int:
    """A person takes the risk that these unknown or failed sends arrive twice. Idempotent. Their number."""
    sent = Message.objects.filter(pk__in=message_ids)
    _wake(set(sent.values_list("conversation_id", flat=True)))  # mailboxes, then messages: as sends lock them
    messages = _unknown(message_ids, Delivery.FAILED)
    Message.objects.filter(pk__in=[message.pk for message in messages]).update(
        delivery=Delivery.QUEUED,
        attempts=0,
        send_after=None,
        error_code="",
        error_detail="",
        owner_epoch=Subquery(OWNER_EPOCH),
    )
    desk().settle(message_ids=[message.pk for message in messages], now=now)
    record_all([_settled(message, "message.sent_again", by, reason) for message in messages], now=now)
    return len(messages)


def _unknown(message_ids: Collection[int], *also: Delivery) -> list[Message]:
    return list(
        Message.objects.select_for_update(of=("self",))
        .select_related("conversation")
        .filter(pk__in=message_ids, delivery__in=[Delivery.UNKNOWN, *also])
        .order_by("pk")
    )


def _settled(message: Message, action: str, by: str, reason: str) -> Fact:
    return Fact(
        action=action,
        object_type="message",
        object_id=message.pk,
        actor_kind=ActorKind.PERSON,
        actor=by,
        reason=reason,
        ids={
            "tenant_id": message.conversation.tenant_id,
            "conversation_id": message.conversation_id,
            "turn_id": message.turn_id or "",
        },
    )


def _wake(conversation_ids: set[Any]) -> None:
    if conversation_ids:
        mailbox.wake(conversation_ids)
        enqueue_drain()
        announce(DASHBOARD, *map(conversation_topic, conversation_ids))


@transaction.atomic
def wake_channel(*, channel_id: int) -> None:
    """After a channel was resumed: its queued messages go out now."""
    queued = Message.objects.filter(channel_id=channel_id, delivery=Delivery.QUEUED)
    _wake(set(queued.values_list("conversation_id", flat=True)))
