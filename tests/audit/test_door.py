"""What ended at the door is told by the trail in few entries, however many messages a flood has."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from audit.models import AuditEntry
from audit.sentences import sentence
from conversations.models import Channel, OverloadPolicy, Tenant
from pipeline import housekeeping
from pipeline.models import HousekeepingRun, ProcessedEvent
from tests import factories
from tests.ingress.platforms import Meta, text_message

pytestmark = pytest.mark.django_db


@pytest.fixture
def channel() -> Channel:
    return factories.channel(overload_policy=OverloadPolicy.SHED)


def flood(channel: Channel, messages: int, *, minutes_ago: float) -> None:
    """More than may wait: all of it is shed."""
    Tenant.objects.update(max_waiting=0)
    before = set(ProcessedEvent.objects.values_list("pk", flat=True))
    Meta(channel).say(*(text_message(**{"from": f"55117777{number:05}"}) for number in range(messages)))
    at = timezone.now() - timedelta(minutes=minutes_ago)
    ProcessedEvent.objects.exclude(pk__in=before).update(received_at=at, done_at=at)


def keep_house(now: datetime | None = None) -> None:
    HousekeepingRun.objects.all().delete()
    run = housekeeping.run(now=now or timezone.now())
    assert run is not None
    assert run.error == ""


def told() -> list[tuple[str, int]]:
    entries = AuditEntry.objects.filter(action__startswith="intake.").order_by("pk")
    return [(entry.action, entry.details["count"]) for entry in entries]


def test_a_flood_writes_no_entry_while_it_comes_and_one_afterwards(channel: Channel) -> None:
    flood(channel, 40, minutes_ago=2)
    assert told() == []

    keep_house()

    assert told() == [("intake.shed", 40)]
    entry = AuditEntry.objects.get(action="intake.shed")
    assert entry.reason == "tenant.overloaded"
    assert entry.details["conversations"] == 40
    assert (entry.object_id, entry.tenant_id) == (str(channel.pk), str(channel.tenant_id))
    assert "shed 40 messages on channel" in sentence(entry)


def test_what_was_told_is_not_told_again(channel: Channel) -> None:
    flood(channel, 3, minutes_ago=5)
    keep_house(timezone.now() - timedelta(minutes=3))
    flood(channel, 2, minutes_ago=2)
    keep_house()
    keep_house()

    assert told() == [("intake.shed", 3), ("intake.shed", 2)]


def test_what_may_still_be_on_its_way_is_left_for_the_next_time(channel: Channel) -> None:
    flood(channel, 3, minutes_ago=0)
    keep_house()

    assert told() == []


def test_what_is_ignored_is_told_and_what_waits_or_was_answered_is_not(channel: Channel) -> None:
    an_hour_ago = timezone.now() - timedelta(hours=1)
    turn = factories.turn()
    factories.event(outcome="ignored", outcome_code="event.unsupported", received_at=an_hour_ago)
    factories.event(received_at=an_hour_ago)
    factories.event(conversation=turn.conversation, turn=turn, outcome="silenced", received_at=an_hour_ago)
    keep_house()

    assert told() == [("intake.ignored", 1)]
