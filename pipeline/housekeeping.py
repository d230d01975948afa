"""What has to be tidied up now and then. Each chore is bounded, safe to repeat, and counted in the run's row."""

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from audit.operations import Fact, record_all
from conversations import attachments, sessions
from conversations.live import DASHBOARD, announce
from conversations.models import Delivery, Message, Tenant
from conversations.queries import minutes
from pipeline import queries, takeover
from pipeline.desk import Kind, Request, desk
from pipeline.engine import mailbox
from pipeline.engine.broker import enqueue_drain
from pipeline.ingress import turned_away
from pipeline.models import EventStatus, HousekeepingRun, ProcessedEvent, Step
from pipeline.policies.errors import Code

EVERY = timedelta(minutes=1)
BATCH = 500
"""Rows of one transaction."""
CHORE_S = 10.0
RUN_S = 45.0
"""How long a chore, and all of them, may go on with full batches: shorter than `EVERY`, so that runs do not pile up."""
FENCE_DAYS = 8
"""The shortest life of a dedupe key: Meta says it redelivers for up to 7 days."""
ADVISORY_LOCK = 0x5A555041
"""Key of the lock that keeps two runs apart: 'ZUPA'."""


def is_due(*, now: datetime) -> bool:
    """A run that a clock ahead of its time has dated counts for nothing."""
    return not HousekeepingRun.objects.filter(started_at__gt=now - EVERY, started_at__lte=now).exists()


def run(*, now: datetime) -> HousekeepingRun | None:
    """Do all chores and leave a row with their counts; None where another run is at it or was just done."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [ADVISORY_LOCK])
        if not cursor.fetchone()[0]:
            return None
    try:
        return _run_all(now) if is_due(now=now) else None
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [ADVISORY_LOCK])


def _run_all(now: datetime) -> HousekeepingRun:
    """A chore that fails is told in the row and keeps no other from being done."""
    run = HousekeepingRun.objects.create(started_at=now)
    errors = []
    end = time.monotonic() + RUN_S
    for name, chore in CHORES.items():
        try:
            run.counts[name] = _batch_by_batch(chore, now, end)
        except Exception as error:  # noqa: BLE001 - a defect in one chore must not stop the others
            errors.append(f"{name}: {type(error).__name__}: {error}")
    run.error = "\n".join(errors)
    run.finished_at = Now()
    run.save()
    return run


def _batch_by_batch(chore: Callable[[datetime], int], now: datetime, end: float) -> int:
    """Until a batch is not full, or time is up: then the next run goes on. What it did in all."""
    end = min(end, time.monotonic() + CHORE_S)
    done = batch = chore(now)
    while batch >= BATCH and time.monotonic() < end:
        batch = chore(now)
        done += batch
    return done


def _close_idle_sessions(now: datetime) -> int:
    return sessions.close_idle(now=now, limit=BATCH)


def _end_takeovers(now: datetime) -> int:
    return takeover.end_due(now=now, limit=BATCH)


def _delete_orphaned_attachments(now: datetime) -> int:
    return attachments.delete_orphans(now=now, limit=BATCH)


def _expire_leases(now: datetime) -> int:
    return mailbox.expire_leases()


@transaction.atomic
def _settle_unknown_sends(now: datetime) -> int:
    """A send that no status settled in its channel's time: sent again where repeats are dropped, else held.

    Whatever the policy says: a platform that does not drop repeats is never sent one without a person.
    """
    again = list(
        Message.objects.select_for_update(of=("self",))
        .select_related("conversation")
        .filter(
            queries.is_sent_again(now),
            delivery=Delivery.UNKNOWN,
            created_at__lt=now - minutes("channel__settle_minutes"),
        )
        .order_by("pk")[:BATCH]
    )
    Message.objects.filter(pk__in=[message.pk for message in again]).update(delivery=Delivery.QUEUED)
    if again:
        mailbox.wake({message.conversation_id for message in again})
        enqueue_drain()
        announce(DASHBOARD)
    record_all([_resent(message) for message in again], now=now)
    return len(again)


def _hold_unknown_sends(now: datetime) -> int:
    """Those that only a person can settle are laid on the desk, the oldest first; what lies there is passed over."""
    held = queries.held_sends(now).select_related("conversation").order_by("pk")
    laid, last = 0, 0
    while laid < BATCH and (batch := list(held.filter(pk__gt=last)[:BATCH])):
        with transaction.atomic():
            laid += desk().open([_unknown(message) for message in batch], now=now)
        last = batch[-1].pk
    return laid


def _unknown(message: Message) -> Request:
    return Request(
        kind=Kind.UNKNOWN_SEND,
        conversation_id=message.conversation_id,
        turn_id=message.turn_id,
        message_id=message.pk,
        proposal={"text": message.text},
        why_code=message.error_code,
        why=message.error_detail,
        basis=[message.attempts],
    )


def _expire_reviews(now: datetime) -> int:
    return desk().expire(now=now, limit=BATCH)


def _resent(message: Message) -> Fact:
    return Fact(
        action="message.resent",
        object_type="message",
        object_id=message.pk,
        reason=Code.SEND_UNANSWERED,
        ids={"conversation_id": message.conversation_id, "tenant_id": message.conversation.tenant_id},
    )


def _apply_retention(now: datetime) -> int:
    return sum(_apply_retention_of(tenant, now) for tenant in Tenant.objects.all())


def _apply_retention_of(tenant: Tenant, now: datetime) -> int:
    """What was said to the model and by it goes, and what media was; the transcript, turns and outcomes stay.

    Everything here is found by BRIN or partial indexes, so that a run costs what it finds and not what there is.
    """
    before = now - timedelta(days=tenant.retention_days)
    steps = Step.objects.filter(started_at__lt=before, turn__conversation__tenant=tenant)
    media = Message.objects.filter(created_at__lt=before, conversation__tenant=tenant).exclude(media={})
    events = ProcessedEvent.objects.filter(tenant=tenant, received_at__lt=before, status=EventStatus.DONE)
    return (
        Step.objects.filter(pk__in=steps.values("pk")[:BATCH]).delete()[0]
        + Message.objects.filter(pk__in=media.values("pk")[:BATCH]).update(media={})
        + attachments.delete_old(tenant, before=before, limit=BATCH)
        + _forget_or_empty(events, now)
    )


def _forget_or_empty(events: QuerySet[ProcessedEvent], now: datetime) -> int:
    """An event goes with its dedupe key once no platform delivers it again; until then only its payload does."""
    forgettable = events.filter(received_at__lt=now - timedelta(days=FENCE_DAYS)).values("pk")[:BATCH]
    emptiable = (
        events.exclude(payload={}).filter(received_at__gte=now - timedelta(days=FENCE_DAYS)).values("pk")
    )
    return ProcessedEvent.objects.filter(pk__in=forgettable).delete()[0] + ProcessedEvent.objects.filter(
        pk__in=emptiable[:BATCH]
    ).update(payload={})


def _forget_old_runs(now: datetime) -> int:
    return HousekeepingRun.objects.filter(started_at__lt=now - timedelta(days=30)).delete()[0]


CHORES: Mapping[str, Callable[[datetime], int]] = {
    "sessions_closed": _close_idle_sessions,
    "takeovers_ended": _end_takeovers,
    "leases_expired": _expire_leases,
    "unknown_sends_resent": _settle_unknown_sends,
    "unknown_sends_held": _hold_unknown_sends,
    "reviews_expired": _expire_reviews,
    "orphaned_attachments_deleted": _delete_orphaned_attachments,
    "retention_applied": _apply_retention,
    "turned_away_told": turned_away.tell,
    "runs_forgotten": _forget_old_runs,
}
