"""Messages that come close together are answered together; a contact who floods is told so once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from conversations.models import MAX_BURST_S, Direction, Message
from pipeline.agents import tool
from pipeline.engine import mailbox, turns
from pipeline.engine.executor import Executor
from pipeline.models import ProcessedEvent, Turn
from pipeline.phases.texts import Text, translate
from pipeline.policies.errors import Code
from tests.engine_room import ADDRESS, Room, make_due
from tests.ingress.platforms import text_message

started, go_on = threading.Event(), threading.Event()


@tool(timeout_s=20, idempotent=True)
def look_up() -> str:
    """Waits until the test says so."""
    started.set()
    go_on.wait(15)
    return "It is found."


@tool(timeout_s=20, idempotent=False)
def book() -> str:
    """Waits until the test says so, and may not run twice."""
    return look_up()


@pytest.fixture(autouse=True)
def _not_started() -> None:
    started.clear()
    go_on.clear()


def due_in_s(room: Room) -> float:
    """From the first message, by the database's clock."""
    head = room.mailbox()
    assert head.due_at is not None
    assert head.burst_since is not None
    return (head.due_at - head.burst_since).total_seconds()


def test_messages_within_the_window_are_answered_together(room: Room) -> None:
    room.configure(burst_window_s=1.2)
    keys = room.say("I have", "a question", "about order 123")
    make_due()
    room.work()
    assert [room.outcome(key)[0] for key in keys] == ["merged", "merged", "replied"]
    assert Turn.objects.count() == 1
    (reply,) = room.accepted()
    assert room.steps()[0].request["messages"][-1]["content"] == "I have\na question\nabout order 123"
    assert "123" in reply


def test_answer_waits_for_the_window_after_the_last_message(room: Room) -> None:
    room.configure(burst_window_s=5.5)
    room.say("One")
    assert due_in_s(room) == pytest.approx(5.5, abs=0.01)
    room.work()
    assert room.outcomes() == [None]


def test_burst_is_answered_at_most_six_seconds_after_its_first_message(room: Room) -> None:
    room.configure(burst_window_s=5.0)
    room.say("One")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE pipeline_mailbox SET burst_since = burst_since - interval '4 s'")
    room.say("Two")
    assert due_in_s(room) == pytest.approx(MAX_BURST_S, abs=0.01)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE pipeline_mailbox SET burst_since = burst_since - interval '4 s'")
    room.say("Three")
    room.work()
    assert room.outcomes() == ["merged", "merged", "replied"]


def test_next_burst_has_a_window_of_its_own(room: Room) -> None:
    room.configure(burst_window_s=1.2)
    room.say("One")
    make_due()
    room.work()
    room.say("Two")
    assert due_in_s(room) == pytest.approx(1.2, abs=0.01)


def test_command_is_answered_by_itself_in_its_place(room: Room) -> None:
    room.configure(burst_window_s=1.2)
    room.say("Hello", "Anyone?", "/help", "What about order 123?", "And 456?")
    make_due()
    room.work()
    assert room.outcomes() == ["merged", "replied", "command", "merged", "replied"]
    assert len(room.accepted()) == 3


def test_without_a_window_each_message_is_answered_alone(room: Room) -> None:
    room.configure(burst_window_s=0.0)
    room.say("One", "Two", "Three")
    room.work()
    assert room.outcomes() == ["replied"] * 3
    assert [word in said for word, said in zip(("One", "Two", "Three"), room.accepted(), strict=True)] == [
        True
    ] * 3


def while_it_works(room: Room, during: Callable[[], object]) -> None:
    """`during` happens while the turn waits for its tool."""
    worker = Executor()
    try:
        working = threading.Thread(target=worker.serve, args=(60,))
        working.start()
        assert started.wait(20), "the tool was not called"
        during()
        go_on.set()
        working.join(60)
    finally:
        worker.stop()


def test_message_that_comes_while_the_turn_runs_is_answered_with_it(room: Room) -> None:
    room.configure(burst_window_s=0.5, allowed_tools=["look_up"])
    room.say("#tool look_up {}")
    make_due()
    while_it_works(room, lambda: room.say("and hurry, please"))
    assert room.outcomes() == ["merged", "replied"]
    (turn,) = Turn.objects.all()
    assert turn.generation == 1
    assert len(room.accepted()) == 1
    assert "and hurry, please" in room.accepted()[0]


def test_message_that_comes_after_a_tool_acted_for_good_waits_for_its_own_turn(room: Room) -> None:
    """To begin anew would do it twice."""
    room.configure(burst_window_s=0.5, allowed_tools=["book"])
    room.say("#tool book {}")
    make_due()
    while_it_works(room, lambda: room.say("and hurry, please"))
    make_due()
    room.work()
    assert room.outcomes() == ["replied", "replied"]
    assert [step.name for step in room.steps() if step.kind == "tool"] == ["book"]
    assert len(room.accepted()) == 2


def test_command_that_comes_while_the_turn_runs_waits_for_its_own(room: Room) -> None:
    room.configure(burst_window_s=0.5, allowed_tools=["look_up"])
    room.say("#tool look_up {}")
    make_due()
    while_it_works(room, lambda: room.say("/help"))
    make_due()
    room.work()
    assert room.outcomes() == ["replied", "command"]


def test_message_that_comes_while_the_turn_runs_waits_where_bursts_are_off(room: Room) -> None:
    room.configure(burst_window_s=0.0, allowed_tools=["look_up"])
    room.say("#tool look_up {}")
    while_it_works(room, lambda: room.say("and hurry, please"))
    room.work()
    assert room.outcomes() == ["replied", "replied"]


def test_contact_is_answered_up_to_the_limit_and_told_once_that_it_was_too_much(room: Room) -> None:
    room.configure(rate_limit_per_minute=20)
    keys = room.say(*(f"Message {number}" for number in range(25)))
    room.work()
    assert room.outcomes() == ["replied"] * 20 + ["rate_limited"] * 5
    assert {room.outcome(key)[1] for key in keys[20:]} == {Code.CONTACT_RATE_LIMITED}
    notice = translate(Text.RATE_LIMITED, "en")
    assert room.accepted()[20:] == [notice]


def test_contact_who_goes_on_at_the_same_pace_is_not_told_again(room: Room) -> None:
    """A minute holds one message too many all the time: each new one is the first over the limit."""
    room.configure(rate_limit_per_minute=3)
    said_every_s = 17
    now = timezone.now()
    for number in range(10):
        (key,) = room.say(f"Message {number}")
        at = now - timedelta(seconds=said_every_s * (10 - number))
        ProcessedEvent.objects.filter(dedupe_key=key).update(received_at=at)
        room.work()
    notices = room.accepted().count(translate(Text.RATE_LIMITED, "en"))
    over = room.outcomes().count("rate_limited")
    assert (over, notices) == (7, 1)


def test_contact_is_answered_again_when_the_minute_is_over(room: Room) -> None:
    room.configure(rate_limit_per_minute=2)
    room.say("One", "Two", "Three")
    room.work()
    ProcessedEvent.objects.update(received_at=timezone.now() - timedelta(seconds=61))
    (key,) = room.say("Four")
    room.work()
    assert room.outcome(key)[0] == "replied"


def test_one_contacts_flood_is_not_anothers(room: Room) -> None:
    room.configure(rate_limit_per_minute=2)
    room.say("One", "Two", "Three")
    (key,) = room.say("Hello", sender="5511999990002")
    room.work()
    assert room.outcome(key)[0] == "replied"


def test_a_flood_larger_than_a_turn_may_take_is_answered_to_the_last_message(room: Room) -> None:
    room.configure(burst_window_s=0.5, rate_limit_per_minute=10_000, allowed_tools=["look_up"])
    room.say("#tool look_up {}")
    make_due()
    flood = [text_message(f"Message {number}", **{"from": ADDRESS}) for number in range(120)]
    while_it_works(room, lambda: room.meta.say(*flood))
    for _ in range(3):
        make_due()
        room.work()
    assert set(room.outcomes()) == {"merged", "replied"}
    said = Message.objects.filter(direction=Direction.IN).order_by("pk").values_list("text", flat=True)
    assert list(said)[1:] == [f"Message {number}" for number in range(120)]


def test_turn_that_took_in_all_it_may_goes_on_whole_after_its_worker_died(room: Room) -> None:
    """What it took in beyond what the next worker reads would wait for ever."""
    room.configure(burst_window_s=0.5, rate_limit_per_minute=10_000)
    room.say("Hello")
    make_due()
    (claim,) = mailbox.claim(owner="dies", limit=1)
    turn = turns.begin(claim, now=timezone.now())
    assert turn is not None
    room.meta.say(*(text_message(f"Message {number}", **{"from": ADDRESS}) for number in range(120)))
    for _ in range(3):
        turn = turns.absorb(turn) or turn
    assert mailbox.expire_leases(dead_owners=["dies"]) == 1
    for _ in range(4):
        make_due()
        room.work()
    assert set(room.outcomes()) == {"merged", "replied"}
