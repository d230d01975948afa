"""Reads of the machine: what waits, what runs, what became of the events of a day, and one turn's whole record.

Everything a page refreshes costs as much as there is pending or happened today, never as much as there is history.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Min, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from conversations.models import Agent, Channel, Delivery, Direction, Message, UnknownPolicy
from conversations.queries import minutes
from pipeline.models import (
    Breaker,
    EventStatus,
    HousekeepingRun,
    Mailbox,
    Outcome,
    ProcessedEvent,
    Step,
    Turn,
    TurnStatus,
    Worker,
)
from pipeline.policies.calls import CALLS, Call
from pipeline.transports.registry import IDEMPOTENT_KINDS

WORKER_SILENCE = timedelta(seconds=15)
"""A worker not seen for longer counts as gone."""
Tenants = Collection[int] | None
"""Whose rows are read; None for all of them."""
SENT_AGAIN_WITHIN = timedelta(seconds=CALLS[Call.SEND].retry.total_s)
TROUBLE = (Outcome.FAILED, Outcome.EXPIRED)
"""Outcomes that nobody wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """`pending` events have no outcome yet; `in_flight` conversations are leased by a worker."""

    pending: int
    oldest_at: datetime | None
    in_flight: int

    def oldest_age(self, now: datetime) -> timedelta:
        return now - self.oldest_at if self.oldest_at else timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """Messages not settled, and how many failed since a given time.

    `held` are those of the `unknown` that no status settled in their channel's time, and that wait for a person.
    """

    queued: int
    sending: int
    unknown: int
    held: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PausedChannel:
    """`waiting` messages go out once it sends again; `ends_by_itself`: that is when its platform says so."""

    pk: int
    slug: str
    since: datetime
    reason: str
    waiting: int
    ends_by_itself: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    event_id: int
    outcome: str
    code: str
    who: str
    at: datetime
    turn_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """An agent as it was configured when a turn ran."""

    version: int
    agent_id: int
    agent_name: str
    model: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRecord:
    turn: Turn
    steps: list[Step]
    events: list[ProcessedEvent]
    messages: list[Message]
    configuration: Configuration | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    event: ProcessedEvent
    turn: Turn | None
    merged_with: list[ProcessedEvent]
    answers: list[Message]


def _of(tenants: Tenants, path: str = "tenant") -> Q:
    return Q() if tenants is None else Q(**{f"{path}__in": tenants})


def pending_events(tenants: Tenants = None) -> QuerySet[ProcessedEvent]:
    """What waits for the machine. What a person holds up is not late."""
    waiting = ProcessedEvent.objects.exclude(status=EventStatus.DONE).exclude(status=EventStatus.HELD)
    return waiting.filter(_of(tenants))


def queue(now: datetime, tenants: Tenants = None) -> Queue:
    since = Coalesce("requeued_at", "received_at")
    waiting = pending_events(tenants).aggregate(number=Count("pk"), oldest=Min(since))
    leased = Mailbox.objects.filter(_of(tenants), lease_expires_at__gt=now).exclude(lease_owner="")
    return Queue(pending=waiting["number"], oldest_at=waiting["oldest"], in_flight=leased.count())


def day_start(now: datetime) -> datetime:
    return timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)


def outcomes_since(since: datetime, tenants: Tenants = None) -> dict[str, int]:
    """How many of the events received since then came to each outcome."""
    done = ProcessedEvent.objects.filter(_of(tenants), received_at__gte=since, status=EventStatus.DONE)
    return _counted(done, "outcome")


def outcomes_ever() -> dict[str, int]:
    """Reads every event: for commands, not for pages."""
    done = ProcessedEvent.objects.filter(status=EventStatus.DONE)
    return _counted(done, "outcome")


def outbox(failed_since: datetime, now: datetime, tenants: Tenants = None) -> Outbox:
    messages = Message.objects.filter(_of(tenants, "conversation__tenant"))
    numbers = _counted(messages.filter(delivery__in=[Delivery.QUEUED, Delivery.SENDING]), "delivery")
    failed = messages.filter(delivery=Delivery.FAILED, created_at__gte=failed_since)
    unknown = messages.filter(delivery=Delivery.UNKNOWN).aggregate(
        all=Count("pk"), held=Count("pk", filter=_is_held(now))
    )
    return Outbox(
        queued=numbers.get(Delivery.QUEUED, 0),
        sending=numbers.get(Delivery.SENDING, 0),
        unknown=unknown["all"],
        held=unknown["held"],
        failed=failed.count(),
    )


def held_sends(now: datetime) -> QuerySet[Message]:
    """Unknown sends that no status settled in their channel's time, and that wait for a person."""
    return Message.objects.filter(_is_held(now), delivery=Delivery.UNKNOWN)


def _is_held(now: datetime) -> Q:
    return ~is_sent_again(now) & Q(created_at__lt=now - minutes("channel__settle_minutes"))


def is_sent_again(now: datetime) -> Q:
    """Unknown sends that go out again by themselves, whatever the policy only where the platform drops repeats.

    And only while a reply still makes sense.
    """
    return Q(
        channel__unknown_policy=UnknownPolicy.RESEND,
        channel__kind__in=IDEMPOTENT_KINDS,
        created_at__gte=now - SENT_AGAIN_WITHIN,
    )


def outbox_ever() -> dict[str, int]:
    """Reads every message: for commands, not for pages."""
    outbound = Message.objects.filter(direction=Direction.OUT)
    return _counted(outbound, "delivery")


def open_turns(tenants: Tenants = None) -> int:
    return Turn.objects.filter(_of(tenants, "conversation__tenant"), status=TurnStatus.RUNNING).count()


def workers_alive(now: datetime) -> list[Worker]:
    return list(Worker.objects.filter(seen_at__gt=now - WORKER_SILENCE).order_by("cluster", "-kind", "name"))


def breakers() -> list[Breaker]:
    return list(Breaker.objects.order_by("name"))


def paused_channels(tenants: Tenants = None) -> list[PausedChannel]:
    queued = Message.objects.filter(channel=OuterRef("pk"), delivery=Delivery.QUEUED).order_by()
    number = Subquery(queued.values("channel").annotate(number=Count("pk")).values("number"))
    paused = Channel.objects.filter(_of(tenants), paused_at__isnull=False)
    rows = paused.annotate(waiting=Coalesce(number, 0)).values_list(
        "pk", "slug", "paused_at", "paused_reason", "waiting", "paused_by_platform"
    )
    return [
        PausedChannel(
            pk=pk, slug=slug, since=since, reason=reason, waiting=waiting, ends_by_itself=ends_by_itself
        )
        for pk, slug, since, reason, waiting, ends_by_itself in rows
        if since
    ]


def last_housekeeping() -> HousekeepingRun | None:
    return HousekeepingRun.objects.order_by("-id").first()


def troubled_events(since: datetime, tenants: Tenants = None) -> QuerySet[ProcessedEvent]:
    return ProcessedEvent.objects.filter(_of(tenants), outcome__in=TROUBLE, received_at__gte=since)


def recent_failures(since: datetime, limit: int, tenants: Tenants = None) -> list[Failure]:
    newest = troubled_events(since, tenants).select_related("conversation__contact").order_by("-received_at")
    return [_failure(event) for event in newest[:limit]]


def turn_record(turn: Turn) -> TurnRecord:
    """Everything that one turn read, did and said, in a fixed number of queries."""
    return TurnRecord(
        turn=turn,
        steps=list(turn.steps.order_by("started_at", "id")),
        events=list(turn.events.order_by("id")),
        messages=list(Message.objects.filter(turn_id=turn.pk).order_by("id")),
        configuration=configuration(turn.policy_version),
    )


def configuration(version: int) -> Configuration | None:
    record: Any = Agent.history.filter(history_id=version).first()
    if record is None:
        return None
    return Configuration(
        version=version,
        agent_id=record.id,
        agent_name=record.name,
        model=record.model,
        since=record.history_date,
    )


def event_record(event: ProcessedEvent) -> EventRecord:
    if event.turn is None:
        return EventRecord(event=event, turn=None, merged_with=[], answers=[])
    answers = Message.objects.filter(turn_id=event.turn_id, direction=Direction.OUT)
    return EventRecord(
        event=event,
        turn=event.turn,
        merged_with=list(event.turn.events.exclude(pk=event.pk).order_by("id")),
        answers=list(answers.order_by("id")),
    )


def _failure(event: ProcessedEvent) -> Failure:
    return Failure(
        event_id=event.pk,
        outcome=str(event.get_outcome_display() or ""),
        code=event.outcome_code,
        who=str(event.conversation or ""),
        at=event.received_at,
        turn_id=event.turn_id,
    )


def _counted(rows: QuerySet[Any], field: str) -> dict[str, int]:
    return dict(rows.order_by().values(field).annotate(number=Count("pk")).values_list(field, "number"))
