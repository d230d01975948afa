"""Takeover and the desk: what the agent proposed falls away, and a silent owner is asked after there."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.models import User
from django.utils import timezone

from conversations.models import IdleTakeoverPolicy
from pipeline import takeover
from pipeline.models import Step, Turn
from pipeline.policies.errors import Code
from pipeline.takeover import Way
from review.models import ReviewDecision, ReviewItem
from tests.engine_room import Room
from tests.holds.people import VOUCHER, decide, open_items, the_item
from tests.takeover.acts import fresh, hand_back, say, take_over


def held(room: Room) -> ReviewItem:
    """The agent asks whether it may give a voucher."""
    room.configure(allowed_tools=["offer_voucher"])
    room.say(VOUCHER)
    room.work()
    return the_item()


def test_takeover_ends_a_turn_that_waits_for_a_person(room: Room, rita: User) -> None:
    held(room)
    take_over(room.conversation(), rita)
    room.work()
    assert (open_items(), room.outcomes(), room.accepted()) == ([], ["needs_human"], [])
    assert Turn.objects.get().status == "succeeded"
    assert not Step.objects.filter(kind="tool").exists()


def test_what_it_waited_for_is_proposed_anew_when_it_is_handed_back(room: Room, rita: User) -> None:
    first = held(room)
    take_over(room.conversation(), rita)
    room.work()
    assert hand_back(room.conversation(), rita, Way.ANSWER) == 1
    room.work()
    assert the_item().pk != first.pk


def test_reviewer_takes_the_conversation_over_from_the_item(room: Room, rita: User) -> None:
    item = decide(held(room), ReviewDecision.TAKE_OVER, by=rita)
    room.work()
    assert (item.status, fresh(room.conversation()).owner) == ("decided", rita)
    assert (open_items(), room.outcomes(), room.accepted()) == ([], ["needs_human"], [])


def test_silent_owner_is_asked_after_on_the_desk_until_they_write(room: Room, rita: User) -> None:
    room.configure(takeover_idle_policy=IdleTakeoverPolicy.REASSIGN)
    room.say("Hello")
    room.work()
    take_over(room.conversation(), rita)
    takeover.end_due(now=timezone.now() + timedelta(minutes=31), limit=10)
    assert (the_item().kind, the_item().why_code) == ("person_asked", Code.TAKEOVER_IDLE)
    say(room.conversation(), rita, "Here I am again.")
    assert open_items() == []


def test_colleague_takes_over_from_a_silent_owner(room: Room, rita: User, bruno: User) -> None:
    room.configure(takeover_idle_policy=IdleTakeoverPolicy.REASSIGN)
    room.say("Hello")
    room.work()
    take_over(room.conversation(), rita)
    takeover.end_due(now=timezone.now() + timedelta(minutes=31), limit=10)
    decide(the_item(), ReviewDecision.TAKE_OVER, by=bruno)
    assert fresh(room.conversation()).owner == bruno
