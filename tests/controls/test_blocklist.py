"""Whom the blocklist names meets silence, on record."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from pipeline.controls import blocking
from pipeline.models import BlocklistEntry
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
