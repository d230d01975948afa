"""What our own number wrote: a send of ours that comes back, or a reply by hand, which silences the agent for a while.

A send comes back by the id that the answer to it gave. It may come before that answer, or the answer was lost: then no
id is known, and a message to the same contact in the same words, of which nobody knows whether it went out, is taken
for it, and so settled. Somebody who types exactly that by hand in this moment is overlooked; the contact read it once.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, uuid5

from django.db.models import Q

from conversations.live import DASHBOARD, announce, conversation_topic
from conversations.models import (
    AuthorKind,
    Channel,
    Conversation,
    Delivery,
    Direction,
    Message,
    Session,
)
from conversations.operations import known_contacts, open_conversations
from pipeline import takeover
from pipeline.engine.statuses import StatusUpdate, apply_statuses
from pipeline.transports.base import HandReply

UNSETTLED = (Delivery.SENDING, Delivery.UNKNOWN)


def take(channel: Channel, replies: Sequence[HandReply], *, now: datetime) -> list[bool | None]:
    """For each: True if it told us something, False if we knew it, None if it is a stranger's program's.

    In the caller's transaction. Idempotent by the platform's ids.
    """
    return [_take(channel, reply, now) for reply in replies]


def _take(channel: Channel, reply: HandReply, now: datetime) -> bool | None:
    """The conversation is locked before its messages: the order that sends keep, too."""
    _lock_conversation(channel, reply.address)
    if (ours := _send_of_ours(channel, reply)) is not None:
        return apply_statuses(channel, [_went_out(ours, reply)])[0]
    if reply.by_program:
        return None
    return _record(channel, reply, now)


def _lock_conversation(channel: Channel, address: str) -> None:
    conversations = Conversation.objects.select_for_update(of=("self",), no_key=True)
    conversations.filter(channel=channel, contact__address=address).values_list("pk").first()


def _send_of_ours(channel: Channel, reply: HandReply) -> Message | None:
    """Also a hand reply on record. That `provider_id` is not empty is said again for the partial index."""
    known = Q(provider_id=reply.provider_id) & ~Q(provider_id="")
    unsettled = Q(conversation__contact__address=reply.address, delivery__in=UNSETTLED)
    candidates = (
        Message.objects.select_for_update(of=("self",), no_key=True)
        .filter(known | unsettled, channel=channel, direction=Direction.OUT)
        .order_by("id")
    )
    by_id, by_words = [], []
    for message in candidates:
        if message.provider_id == reply.provider_id:
            by_id.append(message)
        elif (message.kind, message.text.strip()) == (reply.kind, reply.text.strip()):
            by_words.append(message)
    return next(iter(by_id + by_words), None)


def _went_out(message: Message, reply: HandReply) -> StatusUpdate:
    return StatusUpdate(
        provider_id=reply.provider_id,
        client_reference=message.idempotency_key,
        delivery=Delivery.SENT,
        at=reply.at,
    )


def _record(channel: Channel, reply: HandReply, now: datetime) -> bool:
    """False if it is on record. Its key comes from the platform's id, so that no copy makes a second row."""
    known = known_contacts(channel, [reply.address])
    opened = open_conversations(channel=channel, names={reply.address: ""}, known=known, now=now)
    conversation_id = opened[reply.address]
    _, is_new = Message.objects.get_or_create(
        idempotency_key=uuid5(NAMESPACE_URL, f"hand-reply:{channel.pk}:{reply.provider_id}"),
        defaults={
            "conversation_id": conversation_id,
            "channel": channel,
            "session": Session.objects.filter(conversation_id=conversation_id, ended_at=None).first(),
            "direction": Direction.OUT,
            "author_kind": AuthorKind.PERSON,
            "kind": reply.kind,
            "text": reply.text,
            "media": reply.media,
            "provider_id": reply.provider_id,
            "delivery": Delivery.SENT,
            "created_at": now,
            "sent_at": reply.at,
        },
    )
    if is_new:
        _silence_agent(channel, conversation_id, reply, now)
    return is_new


def _silence_agent(channel: Channel, conversation_id: int, reply: HandReply, now: datetime) -> None:
    """And end what it is about to say. A reply that arrives here after its time silences nobody."""
    Conversation.objects.filter(pk=conversation_id).update(last_message_at=now)
    if now - reply.at < timedelta(minutes=channel.hand_reply_minutes):
        takeover.taken_by_phone(conversation_id, now=now)
    announce(DASHBOARD, conversation_topic(conversation_id))
