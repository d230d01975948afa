"""A switch that degrades a tool, or the replies, has people approve them meanwhile."""

from __future__ import annotations

import pytest
from django.utils import timezone

from pipeline.models import Switch
from pipeline.policies.errors import Code
from review.models import ReviewDecision
from tests import factories
from tests.engine_room import Room
from tests.holds.people import decide, the_item

pytestmark = pytest.mark.django_db(transaction=True)

ORDER = '#tool order_status {"order_id": "7"}'


def lift(switch: Switch) -> None:
    Switch.objects.filter(pk=switch.pk).update(status="ended", ended_at=timezone.now())


def test_degraded_replies_are_approved_by_people(room: Room) -> None:
    factories.switch(tenant=room.agent.tenant, action="degrade")
    room.say("Hello")
    room.work()
    assert (the_item().kind, the_item().why_code) == ("reply_approval", Code.REVIEW_SWITCH)
    decide(the_item(), ReviewDecision.APPROVE)
    room.work()
    assert room.outcomes() == ["replied"]


def test_degraded_tool_is_approved_by_people_and_others_go_on(room: Room) -> None:
    factories.switch(tenant=room.agent.tenant, capability="tool", tool="request_refund", action="degrade")
    room.say(ORDER)
    room.say('#tool request_refund {"order_id": "7", "reason": "x"}', sender="5511999990002")
    room.work()
    assert room.outcomes() == ["replied", None]
    assert (the_item().kind, the_item().why_code) == ("tool_approval", Code.REVIEW_SWITCH)


def test_refusal_counts_also_when_the_switch_was_lifted_before_the_turn_went_on(room: Room) -> None:
    switch = factories.switch(
        tenant=room.agent.tenant, capability="tool", tool="order_status", action="degrade"
    )
    room.say(ORDER)
    room.work()
    decide(the_item(), ReviewDecision.REJECT, reason="Not now.")
    lift(switch)
    room.work()
    assert [step.kind for step in room.steps()].count("tool") == 0
    assert room.outcomes() == ["replied"]
