"""Back to the agent, in three ways; and takeovers that end by themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from audit.models import AuditEntry
from conversations.models import Conversation, IdleTakeoverPolicy
from conversations.writing import NotWrittenError
from pipeline import housekeeping, takeover
from pipeline.models import HousekeepingRun
from pipeline.takeover import Way
from tests import factories
from tests.engine_room import Room
from tests.takeover.acts import fresh, hand_back, say, take_over


def taken(room: Room, rita: User) -> Conversation:
    """The agent answered once, then Rita took over, and the contact wrote again."""
    room.say("Where is my order?")
    room.work()
    conversation = room.conversation()
    take_over(conversation, rita)
    room.say("Are you there?")
    room.work()
    return conversation


def prompt(room: Room) -> list[dict[str, Any]]:
    """What the model was given last."""
    asked: list[dict[str, Any]] = [step for step in room.steps() if step.kind == "model"][-1].request[
        "messages"
    ]
    return asked


def keep_house(after: timedelta = timedelta()) -> HousekeepingRun:
    run = housekeeping.run(now=timezone.now() + after)
    assert run is not None
    assert run.error == ""
    return run


def test_what_the_contact_writes_during_a_takeover_is_left_to_the_person(room: Room, rita: User) -> None:
    taken(room, rita)
    assert room.outcomes() == ["replied", "needs_human"]
    assert len(room.accepted()) == 1


def test_agent_answers_what_was_missed(room: Room, rita: User) -> None:
    conversation = taken(room, rita)
    assert hand_back(conversation, rita, Way.ANSWER) == 1
    room.work()
    assert room.outcomes() == ["replied", "replied"]
    assert "Are you there?" in room.accepted()[-1]
    assert [message["content"] for message in prompt(room) if message["role"] == "user"] == [
        "Where is my order?",
        "Are you there?",
    ], "what is asked again is said once"


def test_agent_waits_for_the_next_message(room: Room, rita: User) -> None:
    conversation = taken(room, rita)
    assert hand_back(conversation, rita, Way.WAIT) == 0
    room.work()
    assert len(room.accepted()) == 1
    room.say("Hello?")
    room.work()
    assert room.outcomes() == ["replied", "needs_human", "replied"]


def test_agent_reads_the_note_once(room: Room, rita: User) -> None:
    conversation = taken(room, rita)
    hand_back(conversation, rita, Way.NOTE, note="The refund is approved.")
    room.say("And now?")
    room.work()
    assert "- The refund is approved." in prompt(room)[0]["content"]
    room.say("Thanks")
    room.work()
    assert "The refund is approved." not in prompt(room)[0]["content"]


def test_note_for_colleagues_is_not_for_the_agent(room: Room, rita: User) -> None:
    conversation = taken(room, rita)
    factories.note(conversation=conversation, text="Watch out")
    hand_back(conversation, rita, Way.ANSWER)
    room.work()
    assert "Watch out" not in prompt(room)[0]["content"]


def test_handing_back_with_an_empty_note_hands_nothing_back(room: Room, rita: User) -> None:
    conversation = taken(room, rita)
    with pytest.raises(NotWrittenError):
        hand_back(conversation, rita, Way.NOTE, note="")
    assert fresh(conversation).owner == rita


def test_agent_knows_what_the_person_said(room: Room, rita: User) -> None:
    conversation = taken(room, rita)
    say(conversation, rita, "This is Rita. I sent you a new one.")
    hand_back(conversation, rita, Way.WAIT)
    room.say("Thank you!")
    room.work()
    said = [(message["role"], message["content"]) for message in prompt(room)]
    assert ("assistant", "This is Rita. I sent you a new one.") in said
    assert [session.ended_at for session in room.sessions()] == [None]


def test_person_opens_the_session_that_the_contact_then_joins(room: Room, rita: User) -> None:
    conversation = factories.conversation(channel=room.channel)
    factories.message(conversation=conversation)
    take_over(conversation, rita)
    say(conversation, rita, "Hello, this is Rita.")
    room.say("Oh, hello!", sender=conversation.contact.address)
    room.work()
    (session,) = room.sessions()
    assert list(session.messages.order_by("pk").values_list("text", flat=True)) == [
        "Hello, this is Rita.",
        "Oh, hello!",
    ]


def test_what_failed_for_another_reason_is_not_answered_again(room: Room, rita: User) -> None:
    conversation = taken(room, rita)
    factories.event(conversation=conversation, outcome="needs_human", outcome_code="step.unknown")
    assert hand_back(conversation, rita, Way.ANSWER) == 1


def test_idle_takeover_is_handed_back_and_what_was_missed_is_answered(room: Room, rita: User) -> None:
    conversation = taken(room, rita)
    assert keep_house(after=timedelta(minutes=31)).counts["takeovers_ended"] == 1
    room.work()
    assert (fresh(conversation).owner_kind, room.outcomes()) == ("agent", ["replied", "replied"])
    entry = AuditEntry.objects.get(action="conversation.handed_back")
    assert (entry.actor_kind, entry.reason, entry.details["from"]) == ("system", "idle", "Rita")


def test_takeover_whose_owner_is_at_work_is_left_alone(room: Room, rita: User) -> None:
    conversation = taken(room, rita)
    assert keep_house(after=timedelta(minutes=29)).counts["takeovers_ended"] == 0
    assert fresh(conversation).owner == rita


def test_idle_takeover_stays_but_others_are_asked_once_where_that_is_the_policy(
    room: Room, rita: User
) -> None:
    room.configure(takeover_idle_policy=IdleTakeoverPolicy.REASSIGN)
    conversation = taken(room, rita)
    assert takeover.end_due(now=timezone.now() + timedelta(minutes=31), limit=10) == 1
    assert takeover.end_due(now=timezone.now() + timedelta(minutes=32), limit=10) == 0
    assert (fresh(conversation).owner, fresh(conversation).others_asked_at is None) == (rita, False)
    assert AuditEntry.objects.filter(action="conversation.idle").count() == 1
    say(conversation, rita, "Here I am again.")
    assert fresh(conversation).others_asked_at is None


def test_phone_takeover_ends_when_its_time_is_over_and_what_came_after_the_last_reply_is_answered(
    room: Room,
) -> None:
    room.say("Where is my order?")
    room.work()
    conversation = room.conversation()
    takeover.taken_by_phone(conversation.pk, now=timezone.now())
    room.say("Answered on the phone")
    room.work()
    takeover.taken_by_phone(conversation.pk, now=timezone.now())
    room.say("Not answered by anybody")
    room.work()
    assert keep_house(after=timedelta(minutes=31)).counts["takeovers_ended"] == 1
    room.work()
    assert fresh(conversation).owner_kind == "agent"
    assert room.outcomes() == ["replied", "needs_human", "replied"]
