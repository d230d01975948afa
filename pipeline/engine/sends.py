"""What became of a send, on record."""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from audit.compiled import execute
from audit.operations import Fact, record
from conversations import channels
from conversations.live import DASHBOARD, NOTIFY, announce, conversation_topic, notified, relay
from conversations.models import DELIVERY_RANK, Delivery, Message
from pipeline.cleaning import storable
from pipeline.engine import mailbox
from pipeline.engine.mailbox import Claim, Rest
from pipeline.models import Turn
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
from pipeline.policies.retries import RetryDecision, Tried

BELOW_SENT = [state for state, rank in DELIVERY_RANK.items() if rank < DELIVERY_RANK[Delivery.SENT]]
RECORD_SENT = f"""
WITH released AS (
    {mailbox.RELEASE} AND %(releases)s RETURNING conversation_id
), sent AS (
    UPDATE conversations_message
    SET provider_id = %(provider_id)s, sent_at = COALESCE(sent_at, %(now)s), error_code = '', error_detail = '',
        delivery = CASE WHEN delivery = ANY(%(below_sent)s) THEN 'sent' ELSE delivery END
    WHERE id = %(message_id)s AND (SELECT count(*) FROM released) >= 0
)
{NOTIFY}
"""  # noqa: S608 statements of the program's own
"""One statement and no transaction around it; the mailbox is locked before the message, as everywhere."""


def record_result(
    claim: Claim,
    message_id: int,
    result: str | PipelineError,
    *,
    release: Rest | None,
    may_repeat: bool,
    now: datetime,
) -> None:
    """The platform's id, or why there is none; with an id, the lease goes back like `release`, if given. Idempotent.

    What the platform said is a fact: it is written whoever holds the lease by now, and never moves a row down.
    """
    topics = conversation_topic(claim.conversation_id), DASHBOARD
    if isinstance(result, PipelineError):
        with transaction.atomic():
            _record_failure(message_id, result, may_repeat, now)
            announce(*topics)
        return
    parameters = {
        **mailbox.to_release(claim, due_in_s=release.due_in_s if release else None),
        "releases": release is not None,
        "message_id": message_id,
        "provider_id": result,
        "below_sent": BELOW_SENT,
        "now": now,
        "topics": notified(*topics),
    }
    execute(RECORD_SENT, parameters)
    relay(*topics)


def _record_failure(message_id: int, error: PipelineError, may_repeat: bool, now: datetime) -> None:
    message = Message.objects.select_for_update(no_key=True).get(pk=message_id)
    if isinstance(error, UnknownError) and not may_repeat:
        write_unknown(message, error, now)
    else:
        _write_not_sent(message, error, now)


def withdraw(message: Message, code: Code, detail: str, now: datetime) -> None:
    Message.objects.filter(pk=message.pk).update(
        delivery=Delivery.WITHDRAWN, error_code=code, error_detail=detail
    )
    _record(message, "message.withdrawn", code, now)
    announce(conversation_topic(message.conversation_id))


def write_unknown(message: Message, error: UnknownError, now: datetime) -> None:
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
        _record_retry(message, error, decision, now)
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


def _record(
    message: Message, action: str, reason: str, now: datetime, details: Mapping[str, Any] | None = None
) -> None:
    fact = Fact(
        action=action,
        object_type="message",
        object_id=message.pk,
        policy_version=_policy_version(message),
        reason=reason,
        ids={
            "tenant_id": message.conversation.tenant_id,
            "conversation_id": message.conversation_id,
            "turn_id": message.turn_id or "",
        },
        details=details or {},
    )
    record(fact, now=now)


def _record_retry(message: Message, error: PipelineError, decision: RetryDecision, now: datetime) -> None:
    """Not where an open breaker kept it from being tried: the breaker's own entry stands for all that waits."""
    if not isinstance(error, BreakerOpenError):
        details = {
            "attempt": message.attempts,
            "verdict": decision.verdict,
            "wait_s": round(decision.wait_s, 3),
        }
        _record(message, "message.retried", error.code, now, details)


def _policy_version(message: Message) -> object:
    """That of the turn that wrote it; empty where none did."""
    if message.turn_id is None:
        return ""
    return Turn.objects.filter(pk=message.turn_id).values_list("policy_version", flat=True).first()
