"""The commit point and a turn's beginning: all or nothing, once, and by nobody who may not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.db.models import F
from django.utils import timezone

from audit.models import AuditEntry
from conversations import sessions
from conversations.models import Conversation, Message, Session
from pipeline.engine import mailbox, turns
from pipeline.engine.commit import commit
from pipeline.models import Mailbox, ProcessedEvent, Turn
from pipeline.policies.errors import Code, StaleError
from tests import factories
from tests.engine.flights import begun
from tests.engine_room import Room

pytestmark = pytest.mark.django_db(transaction=True)


def written() -> dict[str, int]:
    return {
        "messages": Message.objects.count(),
        "sessions": Session.objects.count(),
        "evidence": AuditEntry.objects.filter(action__startswith="turn.").count(),
        "done": ProcessedEvent.objects.filter(status="done").count(),
    }


def test_everything_a_turn_decided_becomes_true_at_once() -> None:
    flight = begun()
    commit(flight.decided("It is on its way.", "Anything else?"), now=timezone.now())
    assert written() == {"messages": 3, "sessions": 1, "evidence": 1, "done": 1}
    event = ProcessedEvent.objects.get()
    assert (event.outcome, event.turn_id) == ("replied", flight.turn.turn_id)
    said = Message.objects.order_by("id").values_list("direction", "text", "delivery")
    assert list(said) == [
        ("in", "Where is my order?", ""),
        ("out", "It is on its way.", "queued"),
        ("out", "Anything else?", "queued"),
    ]
    assert Turn.objects.get().status == "succeeded"
    assert Session.objects.get().turn_count == 1


def test_commit_that_runs_twice_commits_once() -> None:
    """As when the database breaks off after it had committed, before it could say so."""
    state = begun().decided("Hello.")
    commit(state, now=timezone.now())
    before = written()
    commit(state, now=timezone.now())
    assert written() == before


def test_turn_whose_session_was_closed_meanwhile_opens_another() -> None:
    conversation = factories.conversation()
    closed = factories.session(conversation=conversation)
    flight = begun(conversation=conversation)
    sessions.close_by_operator(session_ids=[closed.pk], by="ada", reason="a new matter", now=timezone.now())
    commit(flight.decided("Hello."), now=timezone.now())
    closed.refresh_from_db()
    assert (closed.end_reason, closed.turn_count) == ("operator", 0)
    fresh = Session.objects.get(ended_at__isnull=True)
    assert fresh.turn_count == 1
    assert set(Message.objects.values_list("session_id", flat=True)) == {fresh.pk}


def test_worker_that_lost_its_lease_commits_nothing() -> None:
    flight = begun()
    successor = flight.taken_over()
    with pytest.raises(StaleError) as stale:
        commit(flight.decided("From the dead."), now=timezone.now())
    assert stale.value.code == Code.TURN_LEASE_LOST
    assert written()["messages"] == 0
    commit(successor.decided("From the living."), now=timezone.now())
    assert list(Message.objects.filter(direction="out").values_list("text", flat=True)) == [
        "From the living."
    ]


def test_turn_that_a_person_interrupted_commits_nothing() -> None:
    flight = begun()
    Conversation.objects.update(owner_epoch=F("owner_epoch") + 1)
    with pytest.raises(StaleError) as stale:
        commit(flight.decided("Let me tell you."), now=timezone.now())
    assert stale.value.code == Code.TURN_OWNER_CHANGED
    assert written()["messages"] == 0


def test_commit_that_fails_in_the_middle_leaves_nothing_behind() -> None:
    flight = begun()
    state = flight.decided("Hello.")
    broken = replace(state, drafts=(*(state.drafts or ()), *(state.drafts or ())))
    with pytest.raises(Exception, match="unique"):
        commit(broken, now=timezone.now())
    assert written() == {"messages": 0, "sessions": 0, "evidence": 0, "done": 0}
    commit(state, now=timezone.now())
    assert written()["messages"] == 2


def test_attempt_is_counted_before_it_begins() -> None:
    flight = begun()
    assert (flight.turn.attempt, Turn.objects.get().attempts) == (1, 1)
    successor = flight.taken_over()
    assert (successor.turn.attempt, Turn.objects.get().attempts) == (2, 2)
    assert successor.turn.turn_id == flight.turn.turn_id


def test_last_attempt_is_counted_when_its_place_is_free() -> None:
    last = begun().taken_over().taken_over()
    assert (last.turn.attempt, Turn.objects.get().attempts) == (3, 2)
    turns.begin_last_attempt(last.turn)
    assert Turn.objects.get().attempts == 3
    last.taken_over()
    with pytest.raises(StaleError):
        turns.begin_last_attempt(last.turn)


def test_replay_sees_the_time_and_chance_that_the_first_attempt_saw() -> None:
    flight = begun()
    successor = flight.taken_over()
    assert (successor.turn.now, successor.turn.seed) == (flight.turn.now, flight.turn.seed)
    assert successor.turn.policy_version == flight.turn.policy_version


def test_turn_does_not_begin_under_a_lost_lease() -> None:
    flight = begun()
    mailbox.expire_leases(dead_owners=[flight.claim.lease_owner])
    with pytest.raises(StaleError):
        turns.begin(flight.claim, now=timezone.now())


def test_message_that_comes_while_its_events_are_read_makes_the_mailbox_due_again() -> None:
    flight = begun()
    assert Mailbox.objects.get().due_at is None
    mailbox.wake([flight.claim.conversation_id])
    mailbox.release(flight.claim, due_in_s=None)
    assert [claim.conversation_id for claim in mailbox.claim(owner="next", limit=1)] == [
        flight.claim.conversation_id
    ]


def test_turn_that_ended_its_worker_three_times_is_parked_and_the_contact_told(room: Room) -> None:
    (poison,) = room.say("Hello")
    for _ in range(3):
        begin_and_die()
    room.say("And now?")
    room.work()
    assert room.outcome(poison) == ("failed", Code.TURN_KILLED_WORKER)
    assert room.outcomes() == ["failed", "replied"]
    fallback, answer = room.accepted()
    assert fallback == room.agent.fallback_reply
    assert "And now?" in answer
    assert room.calls("llm") == 1


def begin_and_die() -> None:
    (claim,) = mailbox.claim(owner="doomed", limit=1)
    turn = turns.begin(claim, now=timezone.now())
    assert turn is not None
    if turn.attempt == 3:
        turns.begin_last_attempt(turn)
    mailbox.expire_leases(dead_owners=["doomed"])
