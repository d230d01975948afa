"""Where a session begins and ends: what the model remembers word by word, and what is left of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from audit.models import AuditEntry
from conversations import sessions
from conversations.models import EndReason, Session
from pipeline import summaries
from pipeline.engine import breakers
from pipeline.models import Breaker
from tests import factories
from tests.engine_room import Room


def grow_idle(minutes: int) -> None:
    Session.objects.update(last_activity_at=timezone.now() - timedelta(minutes=minutes))


def prompt(room: Room) -> list[str]:
    """What the model was last told, without its instructions."""
    return [message["content"] for message in room.steps()[-1].request["messages"][1:]]


def test_log_line_of_a_turn_names_its_session_also_where_the_turn_opened_it(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="pipeline"):
        room.say("My name is Ada.")
        room.work()
        room.say("What is my name?")
        room.work()
    (session,) = room.sessions()
    lines: list[Any] = [record.msg for record in caplog.records]
    named = [line["session_id"] for line in lines if line["event"] == "turn.finished"]
    assert named == [str(session.pk)] * 2


def test_model_reads_what_was_said_before_in_the_session(room: Room) -> None:
    room.say("My name is Ada.")
    room.work()
    room.say("What is my name?")
    room.work()
    assert prompt(room)[0] == "My name is Ada."
    assert prompt(room)[-1] == "What is my name?"
    assert [session.turn_count for session in room.sessions()] == [2]


def test_message_after_the_idle_time_begins_a_new_session_that_remembers_nothing(room: Room) -> None:
    room.say("My name is Ada.")
    room.work()
    grow_idle(31)
    room.say("What is my name?")
    room.work()
    old, new = room.sessions()
    assert (old.end_reason, new.ended_at) == (EndReason.IDLE, None)
    assert prompt(room) == ["What is my name?"]


def test_message_within_the_idle_time_goes_on_with_the_session(room: Room) -> None:
    room.say("My name is Ada.")
    room.work()
    grow_idle(29)
    room.say("What is my name?")
    room.work()
    assert len(room.sessions()) == 1


def test_idle_time_is_the_agents(room: Room) -> None:
    room.configure(session_idle_minutes=5)
    room.say("My name is Ada.")
    room.work()
    grow_idle(6)
    room.say("What is my name?")
    room.work()
    assert [session.end_reason for session in room.sessions()] == [EndReason.IDLE, ""]


def test_reset_ends_the_session_and_the_next_message_begins_another(room: Room) -> None:
    room.say("My name is Ada.", "/reset", "What is my name?")
    room.work()
    old, new = room.sessions()
    assert (old.end_reason, new.ended_at) == (EndReason.RESET, None)
    assert prompt(room) == ["What is my name?"]
    assert room.outcomes() == ["replied", "command", "replied"]


def test_session_that_staff_closed_is_not_gone_on_with(room: Room) -> None:
    room.say("My name is Ada.")
    room.work()
    closed = room.sessions()[0]
    sessions.close_by_operator(session_ids=[closed.pk], by="ada", reason="a new topic", now=timezone.now())
    room.say("What is my name?")
    room.work()
    old, new = room.sessions()
    assert (old.end_reason, new.ended_at) == (EndReason.OPERATOR, None)
    assert prompt(room) == ["What is my name?"]


@pytest.mark.django_db
def test_every_way_to_close_asks_for_a_summary_and_is_audited() -> None:
    for reason in EndReason:
        session = factories.session()
        assert sessions.close(session_id=session.pk, reason=reason, now=timezone.now())
        session.refresh_from_db()
        assert (session.end_reason, session.summary_status) == (reason, "pending")
        entry = AuditEntry.objects.get(object_type="session", object_id=str(session.pk))
        assert (entry.action, entry.reason) == ("session.closed", reason)


@pytest.mark.django_db
def test_closing_twice_is_closing_once() -> None:
    session = factories.session()
    first = timezone.now()
    assert sessions.close(session_id=session.pk, reason=EndReason.IDLE, now=first)
    assert not sessions.close(session_id=session.pk, reason=EndReason.RESET, now=first + timedelta(hours=1))
    session.refresh_from_db()
    assert (session.end_reason, session.ended_at) == (EndReason.IDLE, first)
    assert AuditEntry.objects.count() == 1


@pytest.mark.django_db
def test_housekeeping_closes_what_went_idle_by_each_agents_own_time() -> None:
    now = timezone.now()

    def session(idle_minutes: int, *, last_said_minutes_ago: int) -> Session:
        channel = factories.channel(agent=factories.agent(session_idle_minutes=idle_minutes))
        at = now - timedelta(minutes=last_said_minutes_ago)
        return factories.session(conversation=factories.conversation(channel=channel), last_activity_at=at)

    idle = session(30, last_said_minutes_ago=31)
    fresh, patient = session(30, last_said_minutes_ago=29), session(60, last_said_minutes_ago=59)
    assert sessions.close_idle(now=now, limit=100) == 1
    open_now = set(Session.objects.filter(ended_at__isnull=True).values_list("pk", flat=True))
    assert open_now == {fresh.pk, patient.pk}
    idle.refresh_from_db()
    assert idle.end_reason == EndReason.IDLE


@pytest.mark.django_db
def test_patient_agents_sessions_do_not_keep_others_from_being_closed() -> None:
    """The longest silent are not idle yet; however many they are, the batch is filled with those that are."""
    now = timezone.now()
    channel = factories.channel(agent=factories.agent(session_idle_minutes=10_000))
    for _ in range(5):
        factories.session(
            conversation=factories.conversation(channel=channel), last_activity_at=now - timedelta(days=2)
        )
    idle = factories.session(last_activity_at=now - timedelta(minutes=31))
    assert sessions.close_idle(now=now, limit=5) == 1
    idle.refresh_from_db()
    assert idle.end_reason == EndReason.IDLE


def test_closed_session_is_summed_up_by_the_model(room: Room) -> None:
    room.say("My order 123 is late.", "/reset")
    room.work()
    assert room.sessions()[0].summary_status == "pending"
    assert summaries.write_pending() == 1
    (session,) = room.sessions()
    assert session.summary_status == "written"
    assert "My order 123 is late." in session.summary


def test_nobody_waits_for_a_summary(room: Room) -> None:
    """The reset is answered while the model is down; so is closing an idle session."""
    room.say("My order 123 is late.")
    room.work()
    room.fault("llm", "error", status=503)
    room.say("/reset")
    room.work()
    assert room.outcomes() == ["replied", "command"]
    assert len(room.accepted()) == 2


def test_summary_is_tried_again_until_the_model_is_back(room: Room) -> None:
    room.say("My order 123 is late.", "/reset")
    room.work()
    room.fault("llm", "error", status=503)
    assert [summaries.write_pending() for _ in range(2)] == [0, 0]
    assert room.sessions()[0].summary_status == "pending"
    room.mend()
    assert summaries.write_pending() == 1
    assert room.sessions()[0].summary_status == "written"


def test_summaries_are_not_asked_for_while_the_models_breaker_is_open(room: Room) -> None:
    room.say("My order 123 is late.", "/reset")
    room.work()
    before = room.calls("llm")
    name = f"model:{room.agent.model}"
    assert Breaker.objects.filter(pk=name).exists()
    breakers.trip(name=name, by="ada", reason="it is down", now=timezone.now())
    assert summaries.write_pending() == 0
    assert room.calls("llm") == before


def test_model_that_is_away_holds_up_the_summaries_of_no_other(room: Room) -> None:
    for model in ("dead", "alive", "dead", "alive"):
        agent = factories.agent(tenant=room.agent.tenant, model=model)
        conversation = factories.conversation(channel=factories.channel(agent=agent))
        session = factories.session(
            conversation=conversation, ended_at=timezone.now(), end_reason="idle", summary_status="pending"
        )
        factories.message(conversation=conversation, session=session)
    Breaker.objects.create(name="model:dead", threshold=5, rest_s=30)
    breakers.trip(name="model:dead", by="ada", reason="down", now=timezone.now())
    assert summaries.write_pending() == 2
    states = {each.conversation.channel.agent.model: each.summary_status for each in room.sessions()}
    assert states == {"dead": "pending", "alive": "written"}


def test_slow_summaries_stop_in_time_and_are_gone_on_with_later(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them have to fit into one task of the queue."""
    for _ in range(3):
        session = factories.session(
            conversation=factories.conversation(channel=room.channel),
            ended_at=timezone.now(),
            end_reason="idle",
            summary_status="pending",
        )
        factories.message(conversation=session.conversation, session=session)
    monkeypatch.setattr(summaries, "WITHIN_S", 1.0)
    room.fault("llm", "latency", seconds=5)
    assert summaries.write_pending() == 0
    room.mend()
    monkeypatch.undo()
    assert summaries.write_pending() == 3


def test_summary_that_the_model_refuses_is_given_up(room: Room) -> None:
    room.say("My order 123 is late.", "/reset")
    room.work()
    room.fault("llm", "error", status=400)
    assert summaries.write_pending() == 1
    (session,) = room.sessions()
    assert (session.summary_status, session.summary) == ("failed", "")


def test_session_in_which_nothing_was_said_has_an_empty_summary(room: Room) -> None:
    factories.session(ended_at=timezone.now(), end_reason="idle", summary_status="pending")
    assert summaries.write_pending() == 1
    assert room.calls("llm") == 0


def test_all_that_is_pending_is_summed_up_batch_by_batch(room: Room) -> None:
    conversation = factories.conversation(channel=room.channel)
    for _ in range(summaries.BATCH + 2):
        session = factories.session(
            conversation=conversation, ended_at=timezone.now(), end_reason="idle", summary_status="pending"
        )
        factories.message(conversation=conversation, session=session)
    connection.close()
    assert summaries.write_pending() == summaries.BATCH
    assert summaries.write_pending() == 2
    assert summaries.write_pending() == 0
