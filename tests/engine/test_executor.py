"""One process's slots: who gives theirs up, and for whom."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.utils import timezone

from pipeline.engine import executor, mailbox, turns
from pipeline.engine.runner import MAX_ATTEMPTS
from pipeline.models import Outcome, Turn
from tests import factories
from tests.engine_room import LINGER_S, Room
from tests.ingress.platforms import Meta, text_message


def other_tenants(room: Room) -> Meta:
    return Meta(
        factories.channel(agent=factories.agent(burst_window_s=0.0), api_url=f"{room.outside.url}/graph")
    )


def test_flood_in_one_conversation_delays_another_tenants_message_by_one_turn_at_most(
    room: Room, settings: Any
) -> None:
    settings.ZUPA = replace(settings.ZUPA, max_in_flight=1)
    room.say(*(f"Flood {number}" for number in range(4)))
    other_tenants(room).say(text_message("Hello"))
    room.work()
    tenants = list(Turn.objects.order_by("started_at").values_list("conversation__tenant_id", flat=True))
    assert [tenant == room.channel.tenant_id for tenant in tenants] == [True, False, True, True, True]
    assert room.outcomes() == [Outcome.REPLIED] * 5


def test_last_attempt_that_has_to_wait_for_another_leaves_its_slot_to_the_healthy(
    room: Room, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the turns that were in flight when their workers died, one at a time is tried for the last time."""
    settings.ZUPA = replace(settings.ZUPA, max_in_flight=2)
    monkeypatch.setattr(executor, "LAST_ATTEMPT_PAUSE_S", LINGER_S / 2)
    senders = ["5511999990011", "5511999990012"]
    for sender in senders:
        room.say("#sleep 1 Hello", sender=sender)
    begin_in_vain(MAX_ATTEMPTS - 1)
    room.say("Hello", sender="5511999990013")
    room.work()
    first, *_ = Turn.objects.order_by("finished_at").values_list("conversation__contact__address", flat=True)
    assert first == "5511999990013"
    assert room.outcomes() == [Outcome.REPLIED] * 3


def begin_in_vain(times: int) -> None:
    """Workers begin all that is due, and die."""
    for number in range(times):
        for claim in mailbox.claim(owner=f"dead-{number}", limit=10):
            turns.begin(claim, now=timezone.now())
        mailbox.expire_leases(dead_owners=[f"dead-{number}"])
