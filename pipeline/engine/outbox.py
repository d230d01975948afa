"""Sends, one conversation's messages in order, each at most once unless the platform itself drops repeats.

`sending` is written before a message goes out and the result after it. `sending` found by the next holder of the
lease means that nobody knows whether it went out: it becomes `unknown` and waits for a status webhook or a person,
unless the platform drops repeats and the channel's policy is to send again.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import (
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    QuerySet,
)
from django.db.models.functions import Now
from django.utils import timezone

from audit.compiled import RowQuery, Update, any_of, param
from conversations.live import announce, conversation_topic
from conversations.models import Delivery, Message, UnknownPolicy
from pipeline.controls import switchboard
from pipeline.engine import files, mailbox, sends
from pipeline.engine.database import in_database
from pipeline.engine.faults import FaultPoint, passing
from pipeline.engine.gate import Gate
from pipeline.engine.mailbox import Claim, Rest
from pipeline.models import Switch
from pipeline.policies.calls import CALLS, UPLOAD_S, Call
from pipeline.policies.errors import (
    MAY_HAVE_ARRIVED,
    Code,
    PipelineError,
    UnknownError,
)
from pipeline.policies.switches import PAUSED_S, Capability, Rule, Subject, SwitchAction, strictest
from pipeline.ports import ChannelConfig, Json, OutboundMessage, Sender

logger = structlog.get_logger(__name__)


Senders = Mapping[str, Sender]
"""By channel kind."""


@dataclass(frozen=True, slots=True)
class Sending:
    """A message marked `sending` under our lease. `has_more`: whether others wait behind it; one queued later makes
    the mailbox due again."""

    message_id: int
    channel_kind: str
    may_repeat: bool
    has_more: bool
    outbound: OutboundMessage
    channel: ChannelConfig


@dataclass(frozen=True, slots=True)
class Wait:
    """The next message may not go out before `seconds` from now."""

    seconds: float


NextSend = Sending | Wait | None
"""What is to be done about a conversation's messages; None: nothing, until one is queued."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenMessage:
    """One that is queued or being sent, and all that says whether and how it may go out.

    `waits`: how long it has to wait yet, by the database's clock, as all workers share it; `is_switched`: whether any
    switch is in force.
    """

    id: int
    delivery: str
    owner_epoch: int
    lease_epoch: int
    attempts: int
    error_code: str
    waits: timedelta | None
    is_switched: bool
    idempotency_key: UUID
    kind: str
    text: str
    media: Json
    contact_id: int
    contact_address: str
    channel_id: int
    tenant_id: int
    agent_id: int
    channel_kind: str
    slug: str
    external_id: str
    api_url: str
    credentials: dict[str, str] = field(repr=False)
    unknown_policy: str
    paused_at: datetime | None


def _open_messages() -> QuerySet[Any]:
    return Message.objects.filter(
        conversation_id=param("conversation_id"), delivery__in=[Delivery.QUEUED, Delivery.SENDING]
    ).order_by("id")


@dataclass(frozen=True, slots=True)
class OpenMessageId:
    id: int


STILL_OPEN = RowQuery(OpenMessageId, lambda: _open_messages()[:1])


MOST_AT_A_LOOK = 20
"""Enough to get past some that may not go out."""


def _open_messages_told() -> QuerySet[Any]:
    """Oldest first."""
    told: QuerySet[Any] = _open_messages().annotate(
        waits=ExpressionWrapper(F("send_after") - Now(), DurationField()),
        is_switched=switchboard.any_in_force(),
        contact_id=F("conversation__contact_id"),
        contact_address=F("conversation__contact__address"),
        tenant_id=F("channel__tenant_id"),
        agent_id=F("channel__agent_id"),
        channel_kind=F("channel__kind"),
        slug=F("channel__slug"),
        external_id=F("channel__external_id"),
        api_url=F("channel__api_url"),
        credentials=F("channel__credentials"),
        unknown_policy=F("channel__unknown_policy"),
        paused_at=F("channel__paused_at"),
    )
    return told[:MOST_AT_A_LOOK]


OPEN_MESSAGES = RowQuery(OpenMessage, _open_messages_told)


def _markable() -> QuerySet[Any]:
    """Unless a status settled it just now, or a switch came that the sender does not know."""
    known = any_of("pk", "known_switches")
    news = Switch.objects.filter(switchboard.COUNTS, ~known, capability=Capability.OUTBOUND)
    return Message.objects.filter(~Exists(news), pk=param("message_id"), delivery=param("delivery"))


MARK_SENDING = Update(
    _markable,
    delivery=Delivery.SENDING,
    attempts=F("attempts") + 1,
    lease_epoch=param("lease_epoch"),
    error_code=param("error_code"),
)


async def deliver(claim: Claim, senders: Senders, gate: Gate) -> Rest:
    """Send what is queued, oldest first, until nothing is or the next has to wait. Raises `StaleError`."""
    return await go_on(claim, await in_database(_next, claim, senders, now=timezone.now()), senders, gate)


async def go_on(
    claim: Claim, next_send: NextSend, senders: Senders, gate: Gate, release: Rest | None = None
) -> Rest:
    """`deliver`, from a `next_send` that is known already. With `release`, the lease goes back like that with the
    record of the last one that was accepted."""
    while isinstance(next_send, Sending):
        passing(FaultPoint.OUTBOX_MARKED)
        result = await _send(senders[next_send.channel_kind], next_send, gate)
        passing(FaultPoint.OUTBOX_ACCEPTED)
        is_last = isinstance(result, str) and not next_send.has_more
        await in_database(
            sends.record_result,
            claim,
            next_send.message_id,
            result,
            release=release if is_last else None,
            may_repeat=next_send.may_repeat,
            now=timezone.now(),
        )
        passing(FaultPoint.OUTBOX_RECORDED)
        if is_last:
            return replace(release, is_released=True) if release else Rest()
        next_send = await in_database(_next, claim, senders, now=timezone.now())
    return Rest(next_send.seconds) if next_send else Rest()


async def _send(sender: Sender, sending: Sending, gate: Gate) -> str | PipelineError:
    """The provider's id, or why there is none."""
    try:
        async with gate.admit(Call.SEND, f"send:{sending.channel.slug}"):
            return await _send_in_time(sender, sending)
    except PipelineError as error:
        logger.warning("send.failed", code=error.code, detail=error.detail, message_id=sending.message_id)
        return error


async def _send_in_time(sender: Sender, sending: Sending) -> str:
    """A file has time of its own."""
    attempt_s = CALLS[Call.SEND].attempt_s + (UPLOAD_S if sending.outbound.file else 0)
    try:
        async with asyncio.timeout(attempt_s):
            return await sender.send(sending.outbound, sending.channel)
    except TimeoutError as error:
        raise UnknownError(Code.SEND_UNANSWERED, f"No answer within {attempt_s:g} s.") from error


@transaction.atomic
def _next(claim: Claim, senders: Senders, *, now: datetime) -> NextSend:
    """`mark_next` for who holds nothing yet. Raises `StaleError` when the lease is lost."""
    if not STILL_OPEN.fetch(conversation_id=claim.conversation_id):
        return None
    owner_epoch = mailbox.hold_with_owner(claim.conversation_id, claim.lease_epoch)
    announce(conversation_topic(claim.conversation_id))
    return mark_next(claim, senders, owner_epoch, now=now)


def mark_next(claim: Claim, senders: Senders, owner_epoch: int, *, now: datetime) -> NextSend:
    """Mark the next queued message `sending`, if channel, switches and the conversation's owner allow it.

    In the caller's transaction, which holds lease and owner, and announces it.
    """
    messages = OPEN_MESSAGES.fetch(conversation_id=claim.conversation_id)
    rules = switchboard.read_if(messages[0].is_switched) if messages else ()
    for message in messages:
        may_repeat = _may_repeat(message, senders)
        if _was_interrupted(message, claim) and not may_repeat:
            _mark_interrupted(message, now)
            continue
        switched = _switched(message, claim, rules)
        if message.paused_at or switched is SwitchAction.PAUSE:
            return Wait(PAUSED_S)
        if switched is SwitchAction.STOP:
            _call_off(message, claim, Code.SWITCH_STOPPED, "A switch stopped it before it was sent.", now)
            continue
        if message.waits and message.waits > timedelta(0):
            return Wait(message.waits.total_seconds())
        if owner_epoch != message.owner_epoch:
            story = "The conversation changed hands before this was sent."
            _call_off(message, claim, Code.SEND_OWNER_CHANGED, story, now)
        elif _mark_sending(message, claim, rules):
            has_more = message is not messages[-1] or len(messages) == MOST_AT_A_LOOK
            return _sending(message, may_repeat, has_more)
        else:
            return Wait(0.0)
    return None


def _may_repeat(message: OpenMessage, senders: Senders) -> bool:
    """Whether a send that may have arrived goes out again by itself: where the platform drops repeats, by policy."""
    by_policy = message.unknown_policy == UnknownPolicy.RESEND
    return by_policy and senders[message.channel_kind].sends_idempotently


def _switched(message: OpenMessage, claim: Claim, rules: tuple[Rule, ...]) -> SwitchAction | None:
    subject = Subject(
        tenant_id=message.tenant_id,
        channel_id=message.channel_id,
        agent_id=message.agent_id,
        conversation_id=claim.conversation_id,
        contact_id=message.contact_id,
    )
    rule = strictest(rules, subject, Capability.OUTBOUND)
    return rule.action if rule else None


def _call_off(message: OpenMessage, claim: Claim, code: Code, detail: str, now: datetime) -> None:
    """Of one that may have arrived already it is not said that it was withdrawn."""
    if _was_interrupted(message, claim):
        _mark_interrupted(message, now)
        return
    row = _row(message.id)
    if row.error_code in MAY_HAVE_ARRIVED:
        sends.write_unknown(row, UnknownError(Code(row.error_code), row.error_detail), now)
    else:
        sends.withdraw(row, code, detail, now)


def _row(message_id: int) -> Message:
    return Message.objects.select_related("conversation").get(pk=message_id)


def _was_interrupted(message: OpenMessage, claim: Claim) -> bool:
    """Marked under an earlier lease. Under our own, only the answer to our marking was lost: nothing was sent yet."""
    return message.delivery == Delivery.SENDING and message.lease_epoch != claim.lease_epoch


def _mark_sending(message: OpenMessage, claim: Claim, rules: tuple[Rule, ...]) -> bool:
    """False where a status settled it just now, or where a switch came that `rules` do not know."""
    interrupted = _was_interrupted(message, claim)
    marked = MARK_SENDING.execute(
        message_id=message.id,
        delivery=message.delivery,
        known_switches=[rule.id for rule in rules],
        lease_epoch=claim.lease_epoch,
        error_code=Code.SEND_INTERRUPTED if interrupted else message.error_code,
    )
    return bool(marked)


def _sending(message: OpenMessage, may_repeat: bool, has_more: bool) -> Sending:
    return Sending(
        message_id=message.id,
        channel_kind=message.channel_kind,
        may_repeat=may_repeat,
        has_more=has_more,
        outbound=OutboundMessage(
            to=message.contact_address,
            text=message.text,
            client_reference=message.idempotency_key,
            attempt=message.attempts + 1,
            kind=message.kind,
            file=files.outbound(message.media),
        ),
        channel=ChannelConfig(
            slug=message.slug,
            external_id=message.external_id,
            api_url=message.api_url,
            credentials=message.credentials,
        ),
    )


def _mark_interrupted(message: OpenMessage, now: datetime) -> None:
    error = UnknownError(Code.SEND_INTERRUPTED, "The worker died while it sent this; it may have arrived.")
    sends.write_unknown(_row(message.id), error, now)
