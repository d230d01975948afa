"""Whom the blocklist names meets silence, on record."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from audit.models import AuditEntry
from conversations.models import EndReason, Session, SummaryStatus
from pipeline.controls import blocking
from pipeline.controls.blocking import Unwanted
from pipeline.models import BlocklistEntry, BlocklistKind
from tests import factories
from tests.engine_room import ADDRESS, Room


@pytest.mark.parametrize(
    ("kind", "value", "is_blocked"),
    [
        ("address", ADDRESS, True),
        ("address", ADDRESS[:-1], False),
        ("prefix", "551199", True),
        ("prefix", "%", False),
        ("prefix", "1199", False),
        ("pattern", "^55.*0001$", True),
        ("pattern", "^44", False),
        ("address", "(55", False),
    ],
)
def test_a_blocked_contact_is_not_answered_and_costs_no_model(
    room: Room, kind: str, value: str, is_blocked: bool
) -> None:
    factories.blocklist_entry(kind=kind, value=value)
    (key,) = room.say("Hello")
    room.work()
    assert room.outcome(key) == (("blocked", "contact.blocked") if is_blocked else ("replied", ""))
    assert len(room.accepted()) == room.calls("llm") == (0 if is_blocked else 1)


@pytest.mark.parametrize("way_out", ["another tenant's", "expired", "ended"])
def test_an_entry_counts_for_its_tenant_and_its_time(room: Room, way_out: str) -> None:
    fields: dict[str, Any] = {"value": ADDRESS}
    if way_out == "another tenant's":
        fields["tenant"] = factories.tenant()
    if way_out == "expired":
        fields["expires_at"] = timezone.now() - timedelta(seconds=1)
    entry = factories.blocklist_entry(**fields)
    if way_out == "ended":
        by = factories.superuser()
        assert blocking.unblock([entry.pk], by=by, reason="a mistake", now=timezone.now()) == 1
        assert BlocklistEntry.objects.get().ended_by == by
    (key,) = room.say("Hello")
    room.work()
    assert room.outcome(key) == ("replied", "")


def test_blocking_an_address_ends_what_was_going_on_with_it(room: Room) -> None:
    room.say("Hello")
    room.say("Hello", sender="5511999990002")
    room.work()
    by = factories.superuser()
    unwanted = Unwanted(kind=BlocklistKind.ADDRESS, value=ADDRESS, reason="threats")
    blocking.block(unwanted, by=by, now=timezone.now())
    ended = Session.objects.get(conversation__contact__address=ADDRESS)
    assert (ended.end_reason, ended.summary_status) == (EndReason.POLICY, SummaryStatus.PENDING)
    assert Session.objects.get(conversation__contact__address="5511999990002").ended_at is None
    told = AuditEntry.objects.get(action="session.closed", object_id=str(ended.pk))
    assert (told.actor, told.reason) == (by.username, "threats")


def test_another_tenants_blocklist_ends_no_session(room: Room) -> None:
    room.say("Hello")
    room.work()
    elsewhere = Unwanted(
        kind=BlocklistKind.ADDRESS, value=ADDRESS, reason="threats", tenant_id=factories.tenant().pk
    )
    blocking.block(elsewhere, by=factories.superuser(), now=timezone.now())
    assert Session.objects.get().ended_at is None
