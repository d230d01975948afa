"""What ended at the door, in the trail: one entry a channel, outcome and code for all of the last minutes.

A flood is shed because there is no time; an entry for each of its messages would be work of the same kind. The ledger
has every one of them, written as it came; the trail says afterwards how many they were, and why.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Min
from django.utils.dateparse import parse_datetime

from audit.models import AuditEntry
from audit.operations import Fact, record_all
from pipeline.models import EventStatus, Outcome, ProcessedEvent

SETTLED_AFTER = timedelta(minutes=1)
"""An event's time is that of its request; its row is there once the request's transaction is through."""
AT_THE_DOOR = (Outcome.SHED, Outcome.IGNORED, Outcome.SILENCED, Outcome.BLOCKED)


@transaction.atomic
def tell(now: datetime) -> int:
    """Record what ended at the door since the last time; how many events. Idempotent: the trail itself says since when.

    Runs as a chore, which keeps two of them apart.
    """
    since, until = _told_until(), now - SETTLED_AFTER
    found = ProcessedEvent.objects.filter(
        status=EventStatus.DONE, turn__isnull=True, outcome__in=AT_THE_DOOR, received_at__lt=until
    )
    if since:
        found = found.filter(received_at__gte=since)
    groups = list(
        found.order_by()
        .values("tenant_id", "channel_id", "outcome", "outcome_code")
        .annotate(
            number=Count("*"), conversations=Count("conversation", distinct=True), first=Min("received_at")
        )
        .order_by("first")
    )
    record_all(_facts(groups, until), now=now)
    return sum(group["number"] for group in groups)


def _told_until() -> datetime | None:
    """None while nothing was ever told. The newest entry of each action is found by the index of actions."""
    newest = [
        AuditEntry.objects.filter(action=f"intake.{outcome}").values_list("details__until", flat=True).first()
        for outcome in AT_THE_DOOR
    ]
    return max((until for text in newest if text and (until := parse_datetime(text))), default=None)


def _facts(groups: Sequence[Mapping[str, Any]], until: datetime) -> Iterator[Fact]:
    for group in groups:
        outcome = group["outcome"]
        yield Fact(
            action=f"intake.{outcome}",
            object_type="channel",
            object_id=group["channel_id"],
            reason=group["outcome_code"],
            details={
                "count": group["number"],
                "conversations": group["conversations"],
                "since": group["first"].isoformat(),
                "until": until.isoformat(),
            },
            ids={"tenant_id": group["tenant_id"]},
        )
