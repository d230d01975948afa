"""Sends, one conversation's messages in order, each at most once unless the platform itself drops repeats.

`sending` is written before a message goes out and the result after it. `sending` found by the next holder of the
lease means that nobody knows whether it went out: it becomes `unknown` and waits for a status webhook or a person,
unless the platform drops repeats and the channel's policy is to send again.
"""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import transaction
from django.db.models import DurationField, ExpressionWrapper, F
from django.db.models.functions import Now
from django.utils import timezone

from audit.operations import Fact, record
from conversations import channels
from conversations.live import DASHBOARD, announce, conversation_topic
from conversations.models import DELIVERY_RANK, Channel, Delivery, Message, UnknownPolicy
from pipeline.cleaning import storable
from pipeline.engine import mailbox
from pipeline.engine.database import in_database
from pipeline.engine.faults import FaultPoint, passing
from pipeline.engine.gate import Gate
from pipeline.engine.mailbox import Claim
from pipeline.policies.calls import CALLS, Call
from pipeline.policies.errors import (
    CHANNEL_REFUSED,
    MAY_HAVE_ARRIVED,
    BreakerOpenError,
    Code,
    PipelineError,
    TransientError,
    UnknownError,
)
from pipeline.policies.retries import Tried
from pipeline.ports import ChannelConfig, OutboundMessage, Sender

logger = structlog.get_logger(__name__)


PAUSED_S = 300.0
"""How often a conversation of a paused channel looks again; resuming the channel wakes it at once."""

Senders = Mapping[str, Sender]
"""By channel kind."""


@dataclass(frozen=True, slots=True)
class Sending:
    """A message marked `sending` under our lease."""

    message_id: int
    channel_kind: str
    may_repeat: bool
    outbound: OutboundMessage
    channel: ChannelConfig


@dataclass(frozen=True, slots=True)
class Wait:
    """The next message may not go out before `seconds` from now."""

    seconds: float


async def deliver(claim: Claim, senders: Senders, gate: Gate) -> Wait | None:
    """Send what is queued, oldest first, until nothing is or the next has to wait. Raises `StaleError`."""
    while True:
        step = await in_database(_next, claim, senders, now=timezone.now())
        if not isinstance(step, Sending):
            return step
        passing(FaultPoint.OUTBOX_MARKED)
        result = await _send(senders[step.channel_kind], step, gate)
        passing(FaultPoint.OUTBOX_ACCEPTED)
        await in_database(_record_result, step, result, now=timezone.now())
        passing(FaultPoint.OUTBOX_RECORDED)


async def _send(sender: Sender, sending: Sending, gate: Gate) -> str | PipelineError:
    """The provider's id, or why there is none."""
    try:
        async with gate.admit(Call.SEND, f"send:{sending.channel.slug}"):
            return await _send_in_time(sender, sending)
    except PipelineError as error:
        logger.warning("send.failed", code=error.code, detail=error.detail, message_id=sending.message_id)
        return error


async def _send_in_time(sender: Sender, sending: Sending) -> str:
    attempt_s = CALLS[Call.SEND].attempt_s
    try:
        async with asyncio.timeout(attempt_s):
            return await sender.send(sending.outbound, sending.channel)
    except TimeoutError as error:
        raise UnknownError(Code.SEND_UNANSWERED, f"No answer within {attempt_s:g} s.") from error


@transaction.atomic
def _next(claim: Claim, senders: Senders, *, now: datetime) -> Sending | Wait | None:
    """Mark the next queued message `sending`, if the lease, the channel and the conversation's owner allow it."""
    messages = _open_messages(claim)
    if not messages:
        return None
    owner_epoch = mailbox.hold_with_owner(claim.conversation_id, claim.lease_epoch)
    for message in messages:
        may_repeat = _may_repeat(message.channel, senders)
        was_interrupted = _was_interrupted(message, claim)
        if was_interrupted and not may_repeat:
            _mark_interrupted(message, now)
            continue
        if message.channel.paused_at:
            return Wait(PAUSED_S)
        if message.waits and message.waits > timedelta(0):
            return Wait(message.waits.total_seconds())
        if owner_epoch != message.owner_epoch:
            _withdraw(message, now)
        elif _mark_sending(message, claim, was_interrupted):
            return _sending(message, may_repeat)
    return None


def _may_repeat(channel: Channel, senders: Senders) -> bool:
    """Whether a send that may have arrived goes out again by itself: where the platform drops repeats, by policy."""
    return senders[channel.kind].sends_idempotently and channel.unknown_policy == UnknownPolicy.RESEND


def _was_interrupted(message: Message, claim: Claim) -> bool:
    """Marked under an earlier lease. Under our own, only the answer to our marking was lost: nothing was sent yet."""
    return message.delivery == Delivery.SENDING and message.lease_epoch != claim.lease_epoch


def _open_messages(claim: Claim) -> list[Any]:
    """`waits`: how long each has to wait yet, by the database's clock, as all workers share it."""
    waits = ExpressionWrapper(F("send_after") - Now(), DurationField())
    return list(
        Message.objects.filter(
            conversation_id=claim.conversation_id, delivery__in=[Delivery.QUEUED, Delivery.SENDING]
        )
        .select_related("channel", "conversation__contact")
        .annotate(waits=waits)
        .order_by("id")[:20]
    )


def _mark_sending(message: Message, claim: Claim, was_interrupted: bool) -> bool:
    """False where a status settled it just now."""
    marked = Message.objects.filter(pk=message.pk, delivery=message.delivery).update(
        delivery=Delivery.SENDING,
        attempts=F("attempts") + 1,
        lease_epoch=claim.lease_epoch,
        error_code=Code.SEND_INTERRUPTED if was_interrupted else message.error_code,
    )
    announce(conversation_topic(message.conversation_id))
    return bool(marked)


def _sending(message: Message, may_repeat: bool) -> Sending:
    assert message.idempotency_key is not None  # held by a constraint
    channel: Channel = message.channel
    return Sending(
        message_id=message.pk,
        channel_kind=channel.kind,
        may_repeat=may_repeat,
        outbound=OutboundMessage(
            to=message.conversation.contact.address,
            text=message.text,
            client_reference=message.idempotency_key,
            attempt=message.attempts + 1,
        ),
        channel=ChannelConfig(
            slug=channel.slug,
            external_id=channel.external_id,
            api_url=channel.api_url,
            credentials=channel.credentials,
        ),
    )


def _mark_interrupted(message: Message, now: datetime) -> None:
    error = UnknownError(Code.SEND_INTERRUPTED, "The worker died while it sent this; it may have arrived.")
    _write_unknown(message, error, now)


def _withdraw(message: Message, now: datetime) -> None:
    Message.objects.filter(pk=message.pk).update(
        delivery=Delivery.WITHDRAWN,
        error_code=Code.SEND_OWNER_CHANGED,
        error_detail="The conversation changed hands before this was sent.",
    )
    _record(message, "message.withdrawn", Code.SEND_OWNER_CHANGED, now)
    announce(conversation_topic(message.conversation_id))


@transaction.atomic
def _record_result(sending: Sending, result: str | PipelineError, *, now: datetime) -> None:
    """What the platform said is a fact: it is written whoever holds the lease by now, and never moves a row down."""
    message = Message.objects.select_for_update(no_key=True).get(pk=sending.message_id)
    if isinstance(result, str):
        _write_sent(message, result, now)
    elif isinstance(result, UnknownError) and not sending.may_repeat:
        _write_unknown(message, result, now)
    else:
        _write_not_sent(message, result, now)
    announce(conversation_topic(message.conversation_id), DASHBOARD)


def _write_sent(message: Message, provider_id: str, now: datetime) -> None:
    message.provider_id = provider_id
    message.sent_at = message.sent_at or now
    message.error_code = message.error_detail = ""
    if DELIVERY_RANK[Delivery(message.delivery)] < DELIVERY_RANK[Delivery.SENT]:
        message.delivery = Delivery.SENT
    message.save(update_fields=["provider_id", "sent_at", "delivery", "error_code", "error_detail"])


def _write_unknown(message: Message, error: UnknownError, now: datetime) -> None:
    """A status webhook may have settled it already: then there is nothing unknown about it."""
    unsettled = Message.objects.filter(pk=message.pk, delivery__in=[Delivery.QUEUED, Delivery.SENDING])
    if unsettled.update(delivery=Delivery.UNKNOWN, error_code=error.code, error_detail=error.detail):
        _record(message, "message.unknown", error.code, now)


def _write_not_sent(message: Message, error: PipelineError, now: datetime) -> None:
    """Back into the queue if the policy says so, or if it is the channel that has to be mended; else it ends.

    As failed only where no try of it may have arrived: that keeps its code whatever came after.
    """
    unsettled = Message.objects.filter(pk=message.pk, delivery=Delivery.SENDING)
    code = message.error_code if message.error_code in MAY_HAVE_ARRIVED else error.code
    story = {"error_code": code, "error_detail": storable(error.detail)}
    if error.code in CHANNEL_REFUSED:
        unsettled.update(delivery=Delivery.QUEUED, **story)
        channels.pause(channel_id=message.channel_id, reason=f"{error.code}: {error.detail}", now=now)
        return
    decision = CALLS[Call.SEND].retry.decide(_waited_out(error), _tried(message, now), random.Random())
    if decision.is_retry:
        send_after = Now() + timedelta(seconds=decision.wait_s)
        unsettled.update(delivery=Delivery.QUEUED, send_after=send_after, **story)
    else:
        _write_end(message, story, now)


def _write_end(message: Message, story: dict[str, str], now: datetime) -> None:
    end = Delivery.UNKNOWN if story["error_code"] in MAY_HAVE_ARRIVED else Delivery.FAILED
    if Message.objects.filter(pk=message.pk, delivery=Delivery.SENDING).update(delivery=end, **story):
        _record(message, f"message.{end}", story["error_code"], now)


def _waited_out(error: PipelineError) -> PipelineError:
    """A turn has no time for an open breaker; a row in the outbox has. What may have arrived is repeated, too."""
    again = isinstance(error, BreakerOpenError | UnknownError)
    return TransientError(error.code, error.detail) if again else error


def _tried(message: Message, now: datetime) -> Tried:
    """That it was certainly not accepted, or that the platform drops repeats, makes another try harmless."""
    elapsed_s = (now - message.created_at).total_seconds()
    return Tried(attempt=message.attempts, elapsed_s=elapsed_s, is_idempotent=True, retries_left=1)


def _record(message: Message, action: str, reason: str, now: datetime) -> None:
    fact = Fact(
        action=action,
        object_type="message",
        object_id=message.pk,
        reason=reason,
        ids={"conversation_id": message.conversation_id, "turn_id": message.turn_id or ""},
    )
    record(fact, now=now)
