"""What each switch that is offered does, on the real engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from threading import Thread
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from conversations.models import Conversation, Delivery, OutagePolicy, Owner
from pipeline.agents import tool
from pipeline.controls import operations, switchboard
from pipeline.engine import outbox
from pipeline.models import EventStatus, ProcessedEvent, Switch, Turn
from pipeline.policies.switches import OFFERED
from tests import factories
from tests.controls.switching import lift, switch
from tests.engine_room import ADDRESS, Room
from tests.ingress.platforms import text_message

REFUSAL = "I can't help with this at the moment. Please try again later."
agentic_loop = import_module("pipeline.phases.agentic_loop")
effects: dict[str, Callable[[Room], None]] = {}
rang: list[str] = []


@tool(timeout_s=5, idempotent=True)
async def ring_bell() -> str:
    """Ring the bell."""
    rang.append("rang")
    return "It rang."


def effect(test: Callable[[Room], None]) -> Callable[[Room], None]:
    effects[test.__name__] = test
    return test


@effect
def intake_pause(room: Room) -> None:
    row = switch("intake:pause")
    answer = room.post("Hello")
    assert (answer.status, answer.headers["retry-after"]) == (503, "60")
    assert json.loads(answer.body)["error"]["code"] == "intake_paused"
    assert not ProcessedEvent.objects.exists()
    lift(row)
    assert room.post("Hello").status == 200


@effect
def intake_degrade(room: Room) -> None:
    switch("intake:degrade")
    (key,) = room.say("Hello")
    room.work()
    assert room.outcome(key) == ("shed", "switch.degraded")
    assert room.accepted() == [room.agent.overload_reply]


@effect
def intake_stop(room: Room) -> None:
    switch("intake:stop")
    keys = room.say("Hello", "Is anybody there?")
    room.work()
    assert {room.outcome(key) for key in keys} == {("silenced", "switch.stopped")}
    assert room.accepted() == [REFUSAL]


@effect
def replies_pause(room: Room) -> None:
    row = switch("replies:pause", scope="conversation", target_id=_conversation(room).pk)
    (key,) = room.say("Hello")
    room.work()
    assert (room.event(key).status, room.accepted()) == (EventStatus.RECEIVED, [])
    assert not Turn.objects.exists()
    assert 200 < _due_in_s(room) <= 300
    lift(row)
    assert _due_in_s(room) <= 0
    room.work()
    assert room.outcome(key) == ("replied", "")


@effect
def replies_stop(room: Room) -> None:
    switch("replies:stop")
    keys = room.say("Hello", "/help")
    room.work()
    assert {room.outcome(key) for key in keys} == {("silenced", "switch.stopped")}
    assert room.accepted() == [REFUSAL]
    assert room.calls("llm") == 0


@effect
def outbound_pause(room: Room) -> None:
    (key,) = _answered_but_not_sent(room)
    row = switch("outbound:pause")
    room.work()
    assert room.accepted() == []
    assert [message.delivery for message in room.outbox()] == [Delivery.QUEUED]
    lift(row)
    room.work()
    assert len(room.accepted()) == 1
    assert room.outcome(key) == ("replied", "")


@effect
def outbound_stop(room: Room) -> None:
    _answered_but_not_sent(room)
    switch("outbound:stop")
    room.work()
    (message,) = room.outbox()
    assert (message.delivery, message.error_code) == (Delivery.WITHDRAWN, "switch.stopped")
    assert room.accepted() == []


@effect
def model_pause(room: Room) -> None:
    row = switch("model:pause", scope="agent", target_id=room.agent.pk)
    (key, command) = room.say("Hello", "/help")
    room.work()
    assert room.calls("llm") == 0
    assert room.event(key).status == EventStatus.PROCESSING
    assert (room.turn().attempts, room.event(command).status) == (0, EventStatus.RECEIVED)
    lift(row)
    room.work()
    assert [room.outcome(each)[0] for each in (key, command)] == ["replied", "command"]


@effect
def model_degrade(room: Room) -> None:
    room.configure(fallback_model="small-model")
    row = switch("model:degrade")
    (key,) = room.say("Hello")
    room.work()
    assert room.outcome(key) == ("replied", "")
    asked = [(step.name, step.status, step.error_code) for step in room.steps()]
    assert asked == [
        (room.agent.model, "failed", "switch.degraded"),
        ("small-model", "succeeded", ""),
    ]
    lift(row)
    room.say("Hello again")
    room.work()
    assert room.steps()[-1].name == room.agent.model


@effect
def model_stop(room: Room) -> None:
    switch("model:stop")
    (key, command) = room.say("Hello", "/help")
    room.work()
    assert room.outcome(key) == ("silenced", "switch.stopped")
    assert room.outcome(command)[0] == "command"
    assert (room.calls("llm"), room.accepted()[0]) == (0, REFUSAL)


@effect
def tool_pause(room: Room) -> None:
    room.configure(allowed_tools=["ring_bell"])
    row = switch("tool:pause:ring_bell")
    (key,) = room.say("#tool ring_bell {}")
    room.work()
    assert (rang, room.event(key).status) == ([], EventStatus.PROCESSING)
    assert [step.kind for step in room.steps()] == ["model"]
    lift(row)
    room.work()
    assert (rang, room.outcome(key)[0]) == (["rang"], "replied")
    assert [step.kind for step in room.steps()] == ["model", "tool", "model"]


@effect
def tool_stop(room: Room) -> None:
    room.configure(allowed_tools=["ring_bell"])
    switch("tool:stop:ring_bell")
    (key,) = room.say("#tool ring_bell {}")
    room.work()
    assert [step.request["tools"] for step in room.steps()] == [[]]
    assert (room.outcome(key)[0], rang) == ("replied", [])


@effect
def voice_in_pause(room: Room) -> None:
    row = switch("voice_in:pause")
    key = _speak(room)
    room.work()
    assert (room.event(key).status, room.calls("llm")) == (EventStatus.PROCESSING, 0)
    lift(row)
    room.work()
    assert room.outcome(key)[0] == "replied"


@effect
def voice_in_degrade(room: Room) -> None:
    switch("voice_in:degrade")
    key = _speak(room)
    room.work()
    assert room.outcome(key)[0] == "replied"
    assert room.steps()[0].request["messages"][-1]["content"] == "[audio]"


@effect
def voice_in_stop(room: Room) -> None:
    switch("voice_in:stop")
    spoken = _speak(room)
    (written,) = room.say("Hello")
    room.work()
    assert room.outcome(spoken) == ("silenced", "switch.stopped")
    assert room.outcome(written)[0] == "replied"


@effect
def memory_degrade(room: Room) -> None:
    room.say("My name is Bruno")
    room.work()
    row = switch("memory:degrade", scope="tenant", target_id=room.channel.tenant_id)
    room.say("What is my name?")
    room.work()
    assert [said["role"] for said in room.steps()[-1].request["messages"]] == ["system", "user"]
    lift(row)
    room.say("And now?")
    room.work()
    assert len(room.steps()[-1].request["messages"]) == 6


HELD = {"replies_degrade", "tool_degrade"}
"""A person decides: the desk's own tests hold what these do."""


@pytest.fixture(autouse=True)
def _silent_bell() -> None:
    rang.clear()


@pytest.mark.parametrize("name", effects)
def test_switch_does_what_it_says(room: Room, name: str) -> None:
    effects[name](room)


def test_every_switch_that_is_offered_is_tested() -> None:
    assert {f"{capability}_{action}" for capability, action in OFFERED} == set(effects) | HELD


@pytest.mark.parametrize(
    ("fallback", "policy", "outcome"),
    [("", OutagePolicy.REPLY, "failed"), ("", OutagePolicy.PERSON, "needs_human")],
)
def test_without_a_fallback_model_the_outage_policy_decides(
    room: Room, fallback: str, policy: str, outcome: str
) -> None:
    room.configure(fallback_model=fallback, outage_policy=policy)
    switch("model:degrade")
    (key,) = room.say("Hello")
    room.work()
    assert room.outcome(key) == (outcome, "switch.degraded")


def test_an_answer_that_was_begun_is_not_given_once_replies_are_stopped(room: Room) -> None:
    """Set while the tool runs: the switch is met before the model is asked again."""
    room.configure(allowed_tools=["stop_replies"])
    (key,) = room.say("#tool stop_replies {}")
    room.work()
    assert room.outcome(key) == ("silenced", "switch.stopped")
    assert room.accepted() == [REFUSAL]


@tool(timeout_s=5, idempotent=True)
def stop_replies() -> str:
    """Somebody stops replies while this runs, and the worker's copy of the switches grows old."""
    switch("replies:stop")
    _forget_copy()
    connection.close()
    return "stopped"


def test_a_pause_that_comes_while_the_turn_runs_repeats_no_effect(room: Room) -> None:
    room.configure(allowed_tools=["pause_replies", "ring_bell"])
    (key,) = room.say("#tool ring_bell {} #tool pause_replies {}")
    room.work()
    assert (rang, room.event(key).status, room.turn().attempts) == (["rang"], EventStatus.PROCESSING, 0)
    lift(Switch.objects.get())
    room.work()
    assert (rang, room.outcome(key)[0]) == (["rang"], "replied")


@tool(timeout_s=5, idempotent=False)
def pause_replies() -> str:
    """Somebody pauses replies while this runs."""
    switch("replies:pause")
    _forget_copy()
    connection.close()
    return "paused"


def test_a_tool_that_was_stopped_after_it_was_offered_is_refused_and_the_model_told(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def still_offered(specs: Any, *_: object) -> Any:
        """As it was a moment ago."""
        return specs

    monkeypatch.setattr(agentic_loop, "_switched_on", still_offered)
    room.configure(allowed_tools=["ring_bell"])
    switch("tool:stop:ring_bell")
    (key,) = room.say("#tool ring_bell {}")
    room.work()
    _asked, called, told = room.steps()
    assert (called.status, called.error_code, rang) == ("failed", "switch.stopped", [])
    assert "switch.stopped" in told.request["messages"][-1]["content"]
    assert room.outcome(key) == ("replied", "")


def test_a_pause_is_met_in_the_send_transaction_itself(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes after the message was read and judged, a moment before it is marked."""
    _answered_but_not_sent(room)
    mark = outbox._mark_sending

    def late(*args: Any) -> bool:
        monkeypatch.setattr(outbox, "_mark_sending", mark)
        _in_another_connection(lambda: switch("outbound:pause"))
        return mark(*args)

    monkeypatch.setattr(outbox, "_mark_sending", late)
    room.work()
    assert [message.delivery for message in room.outbox()] == [Delivery.QUEUED]
    assert room.accepted() == []


def test_what_a_person_owns_reaches_them_though_replies_are_paused(room: Room) -> None:
    conversation = _conversation(room)
    now = timezone.now()
    Conversation.objects.filter(pk=conversation.pk).update(
        owner_kind=Owner.PERSON, owner=factories.user(), owned_since=now, owner_active_at=now
    )
    switch("replies:pause")
    (key,) = room.say("Hello")
    room.work()
    assert room.outcome(key)[0] == "needs_human"


def test_a_switch_over_one_contact_leaves_the_others_alone(room: Room) -> None:
    switch("replies:stop", scope="contact", target_id=_conversation(room).contact_id)
    (stopped,) = room.say("Hello")
    (answered,) = room.say("Hello", sender="5511999990002")
    room.work()
    assert (room.outcome(stopped)[0], room.outcome(answered)[0]) == ("silenced", "replied")


def test_a_switch_whose_time_is_up_ends_by_itself_and_wakes_what_waited(room: Room) -> None:
    soon = timezone.now() + timedelta(hours=1)
    row = switch("replies:pause", ends_at=soon)
    (key,) = room.say("Hello")
    room.work()
    assert operations.expire(now=timezone.now()) == 0
    assert operations.expire(now=soon) == 1
    row.refresh_from_db()
    assert (row.status, row.ended_by) == ("ended", None)
    room.work()
    assert room.outcome(key)[0] == "replied"


def _conversation(room: Room) -> Conversation:
    contact = factories.contact(channel=room.channel, address=ADDRESS)
    return factories.conversation(contact=contact)


def _answered_but_not_sent(room: Room) -> list[str]:
    """The answer waits in the outbox: the platform asked for some time."""
    room.fault("whatsapp", "rate_limit", count=1, retry_after=0.2)
    keys = room.say("Hello")
    row = switch("outbound:pause")
    room.work()
    lift(row)
    assert room.accepted() == []
    room.mend()
    return keys


def _speak(room: Room) -> str:
    message = text_message(type="audio", text=None, audio={"id": "9", "voice": True})
    assert room.meta.say(message).status == 200
    return str(message["id"])


def _due_in_s(room: Room) -> float:
    due_at = room.mailbox().due_at
    assert due_at is not None
    return (due_at - timezone.now()).total_seconds()


def _forget_copy() -> None:
    """A second passes."""
    switchboard._process.copy = switchboard._Copy()


def _in_another_connection(work: Callable[[], object]) -> None:
    def run() -> None:
        work()
        connection.close()

    thread = Thread(target=run)
    thread.start()
    thread.join(20)
