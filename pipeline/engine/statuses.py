"""What platforms report of the messages we sent: a message only ever moves up in rank.

This is also how a send whose answer was lost is settled.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from audit.compiled import ModelQuery, any_of, execute, param
from conversations import channels
from conversations.live import DASHBOARD, announce, conversation_topic
from conversations.models import DELIVERY_RANK, Channel, Delivery, Direction, Message
from pipeline.desk import desk
from pipeline.policies.errors import CHANNEL_REFUSED


@dataclass(frozen=True, slots=True)
class StatusUpdate:
    """What a platform reports of a message we sent. `client_reference` is None where it does not echo it.

    `external_id` names the channel it was sent by, where one POST may speak of several; empty means the POST's own.
    """

    provider_id: str
    client_reference: UUID | None
    delivery: Delivery
    at: datetime
    external_id: str = ""
    error_code: str = ""
    error_detail: str = ""


TIMESTAMPS = {Delivery.SENT: "sent_at", Delivery.DELIVERED: "delivered_at", Delivery.READ: "read_at"}


def apply_statuses(channel: Channel, updates: Sequence[StatusUpdate]) -> list[bool | None]:
    """Move messages up in rank. For each update: True if it moved one, False if it came late, None if we don't know it.

    In the caller's transaction.
    """
    messages = _reported_messages(channel, updates) if updates else []
    unknown = {message.pk for message in messages if message.delivery == Delivery.UNKNOWN}
    by_reference = {message.idempotency_key: message for message in messages}
    by_provider_id = {message.provider_id: message for message in messages if message.provider_id}
    effects: list[bool | None] = []
    moved: dict[int, Message] = {}
    for update in updates:
        message = by_reference.get(update.client_reference) or by_provider_id.get(update.provider_id)
        effects.append(_move_up(message, update) if message else None)
        if message and effects[-1]:
            moved[message.pk] = message
    if moved:
        _write_moved(list(moved.values()))
        _pause_refused(moved.values())
        desk().settle(message_ids=unknown & set(moved), now=timezone.now())
        announce(*(conversation_topic(message.conversation_id) for message in moved.values()), DASHBOARD)
    return effects


def _pause_refused(messages: Iterable[Message]) -> None:
    """As a send does that is refused for its channel's sake."""
    refused = {one.channel_id: one for one in messages if one.error_code in CHANNEL_REFUSED}
    for channel_id, message in sorted(refused.items()):
        reason = f"{message.error_code}: {message.error_detail}"
        channels.pause(channel_id=channel_id, reason=reason, now=timezone.now())


def _reported() -> QuerySet[Message]:
    """Locked in id order. That `provider_id` is not empty is said again for the partial index."""
    by_provider_id = any_of("provider_id", "provider_ids", "text") & ~Q(provider_id="")
    return (
        Message.objects.select_for_update(no_key=True)
        .filter(
            any_of("idempotency_key", "references", "uuid") | by_provider_id,
            channel_id=param("channel_id"),
            direction=Direction.OUT,
        )
        .order_by("id")
    )


REPORTED = ModelQuery(_reported)


def _reported_messages(channel: Channel, updates: Sequence[StatusUpdate]) -> list[Message]:
    references = {update.client_reference for update in updates if update.client_reference}
    provider_ids = {update.provider_id for update in updates}
    return REPORTED.fetch(channel_id=channel.pk, references=list(references), provider_ids=list(provider_ids))


def _move_up(message: Message, update: StatusUpdate) -> bool:
    if DELIVERY_RANK[Delivery(message.delivery)] >= DELIVERY_RANK[update.delivery]:
        return False
    message.delivery = update.delivery
    message.provider_id = message.provider_id or update.provider_id
    message.error_code, message.error_detail = update.error_code, update.error_detail
    if field := TIMESTAMPS.get(update.delivery):
        setattr(message, field, update.at)
    return True


def _write_moved(messages: Sequence[Message]) -> None:
    """One statement for all: `bulk_update` takes seconds for the thousand statuses that one webhook may bring."""
    columns = [[getattr(message, name) for message in messages] for name in MOVED_FIELDS]
    execute(WRITE_MOVED, columns)


MOVED_FIELDS = (
    "id", "delivery", "provider_id", "error_code", "error_detail", "sent_at", "delivered_at", "read_at"
)  # fmt: skip
WRITE_MOVED = """
UPDATE conversations_message AS message SET
    delivery = moved.delivery, provider_id = moved.provider_id,
    error_code = moved.error_code, error_detail = moved.error_detail,
    sent_at = moved.sent_at, delivered_at = moved.delivered_at, read_at = moved.read_at
FROM unnest(
    %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[],
    %s::timestamptz[], %s::timestamptz[], %s::timestamptz[]
) AS moved (id, delivery, provider_id, error_code, error_detail, sent_at, delivered_at, read_at)
WHERE message.id = moved.id
"""
