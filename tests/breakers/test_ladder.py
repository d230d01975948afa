"""What becomes of a turn whose model does not answer: other model, canned reply, person, or waiting in the queue."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from conversations.models import OutagePolicy
from pipeline.agents import tool
from pipeline.engine import breakers
from pipeline.models import Breaker, Turn
from pipeline.policies.errors import Code
from tests.engine_room import Room, make_due

MODEL = "gpt-4.1-mini"
runs: list[str] = []


@tool(timeout_s=5, idempotent=False)
def charge_card() -> str:
    """Takes money: never twice. When it is done the model is down: the outage falls between its two answers."""
    runs.append("charged")
    break_model()
    connection.close()
    return "The card has been charged."


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    runs.clear()


def break_model() -> None:
    """Open, and no probe finds out otherwise."""
    name = f"model:{MODEL}"
    Breaker.objects.update_or_create(name=name, defaults={"threshold": 5, "rest_s": 30.0})
    breakers.trip(name=name, by="ada", reason="it is down", now=timezone.now())


def mend_model() -> None:
    breakers.reset(name=f"model:{MODEL}", by="ada", reason="it is back", now=timezone.now())


def test_fallback_model_answers_when_the_first_is_broken(room: Room) -> None:
    room.configure(fallback_model="another-model")
    break_model()
    (key,) = room.say("Hello")
    room.work()
    assert room.outcome(key) == ("replied", "")
    assert room.calls("llm") == 1
    assert [(step.name, step.status) for step in room.steps()] == [
        (MODEL, "failed"),
        ("another-model", "succeeded"),
    ]


def test_fallback_model_answers_when_the_first_fails_now(room: Room) -> None:
    """Three tries of the first, then the other."""
    room.configure(fallback_model="another-model")
    room.fault("llm", "error", status=503, count=3)
    (key,) = room.say("Hello")
    room.work()
    assert room.outcome(key) == ("replied", "")
    assert [(step.name, step.attempts) for step in room.steps()] == [(MODEL, 3), ("another-model", 1)]


def test_no_call_leaves_for_a_model_whose_breaker_is_open(room: Room) -> None:
    break_model()
    (key,) = room.say("Hello")
    room.work()
    assert room.calls("llm") == 0
    assert room.outcome(key) == ("failed", Code.BREAKER_OPEN)


def test_failures_of_turns_open_the_breaker_and_the_next_turns_do_not_ask(room: Room) -> None:
    room.fault("llm", "error", status=503)
    room.say("One", sender="5511000000001")
    room.work()
    room.say("Two", sender="5511000000002")
    room.work()
    assert room.breaker(f"model:{MODEL}").state == "open"
    before = room.calls("llm")
    (key,) = room.say("Three", sender="5511000000003")
    room.work()
    assert room.calls("llm") == before
    assert room.outcome(key) == ("failed", Code.BREAKER_OPEN)


def test_policy_reply_sends_the_canned_reply(room: Room) -> None:
    room.configure(outage_policy=OutagePolicy.REPLY, fallback_reply="We are out for lunch.")
    break_model()
    (key,) = room.say("Hello")
    room.work()
    assert room.outcome(key) == ("failed", Code.BREAKER_OPEN)
    assert room.accepted() == ["We are out for lunch."]


def test_policy_person_hands_the_message_over_and_says_so(room: Room) -> None:
    room.configure(outage_policy=OutagePolicy.PERSON, fallback_reply="A colleague will answer.")
    break_model()
    (key,) = room.say("Hello")
    room.work()
    assert room.outcome(key) == ("needs_human", Code.BREAKER_OPEN)
    assert room.accepted() == ["A colleague will answer."]


def test_policy_wait_keeps_the_message_and_says_nothing(room: Room) -> None:
    room.configure(outage_policy=OutagePolicy.WAIT)
    break_model()
    (key,) = room.say("Hello")
    room.work()
    assert room.outcome(key) == (None, "")
    assert room.accepted() == []
    mailbox = room.mailbox()
    assert (mailbox.lease_owner, mailbox.due_at is not None) == ("", True)


def test_waiting_turn_goes_on_by_itself_when_the_model_is_back(room: Room) -> None:
    room.configure(outage_policy=OutagePolicy.WAIT)
    break_model()
    (key,) = room.say("Hello")
    for _ in range(5):
        room.work()
        make_due()
    assert room.outcome(key) == (None, "")
    mend_model()
    room.work()
    assert room.outcome(key) == ("replied", "")
    assert len(room.accepted()) == 1
    assert Turn.objects.get().status == "succeeded"


def test_tools_on_record_do_not_run_again_when_the_waiting_turn_goes_on(room: Room) -> None:
    """The model calls the tool, then is away when it has to put the result into words."""
    room.configure(outage_policy=OutagePolicy.WAIT, allowed_tools=["charge_card"])
    (key,) = room.say("#tool charge_card {}")
    for _ in range(3):
        room.work()
        make_due()
    assert (room.outcome(key), runs) == ((None, ""), ["charged"])
    mend_model()
    room.work()
    assert room.outcome(key) == ("replied", "")
    assert runs == ["charged"]
    assert "The card has been charged." in room.accepted()[0]


def test_waiting_turn_takes_in_what_is_said_meanwhile_only_after_its_answer(room: Room) -> None:
    room.configure(outage_policy=OutagePolicy.WAIT)
    break_model()
    (first,) = room.say("Hello")
    room.work()
    (second,) = room.say("Are you there?")
    room.work()
    mend_model()
    make_due()
    room.work()
    assert [room.outcome(first)[0], room.outcome(second)[0]] == ["replied", "replied"]
    assert ["Hello" in room.accepted()[0], "Are you there?" in room.accepted()[1]] == [True, True]


def test_outage_of_an_hour_ends_as_expired(room: Room) -> None:
    room.configure(outage_policy=OutagePolicy.WAIT, fallback_reply="Sorry, this took too long.")
    break_model()
    (key,) = room.say("Hello")
    room.work()
    Turn.objects.update(started_at=timezone.now() - timedelta(minutes=61))
    make_due()
    room.work()
    assert room.outcome(key) == ("expired", Code.BREAKER_OPEN)
    assert room.accepted() == ["Sorry, this took too long."]


def test_refused_key_is_no_outage_and_does_not_wait(room: Room) -> None:
    room.configure(outage_policy=OutagePolicy.WAIT)
    room.fault("llm", "error", status=401)
    (key,) = room.say("Hello")
    room.work()
    assert room.outcome(key) == ("failed", Code.MODEL_CREDENTIALS)


def test_outage_seen_before_a_crash_is_an_outage_after_it(room: Room) -> None:
    """The worker died after it had recorded that the model failed, and before it had set the turn aside."""
    room.configure(outage_policy=OutagePolicy.WAIT)
    break_model()
    (key,) = room.say("Hello")
    room.work()
    (step,) = room.steps()
    step.key = step.key.split("@")[0]
    step.save()
    make_due()
    room.work()
    assert room.outcome(key) == (None, "")
    mend_model()
    make_due()
    room.work()
    assert room.outcome(key) == ("replied", "")
