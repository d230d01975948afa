"""An answer that a person reads before the contact does."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.models import Step
from pipeline.policies.errors import Code
from review.models import ReviewDecision
from tests.engine_room import Room
from tests.holds.people import decide, open_items, the_item

pytestmark = pytest.mark.django_db(transaction=True)

PORTUGUESE = "Bom dia, eu queria saber onde está o meu pedido, por favor."
ENGLISH = "Good morning, I would like to know where my order is, please."


@pytest.fixture
def supervised(room: Room) -> Room:
    room.configure(mode="supervised", allowed_tools=[])
    room.say("Hello")
    room.work()
    return room


def test_answer_of_a_supervised_agent_waits(supervised: Room) -> None:
    item = the_item()
    assert (item.kind, item.why_code) == ("reply_approval", Code.REVIEW_SUPERVISED)
    assert "Hello" in item.proposal["text"]
    assert supervised.accepted() == []


def test_approved_answer_is_sent_as_it_was_proposed(supervised: Room) -> None:
    item = the_item()
    decide(item, ReviewDecision.APPROVE)
    supervised.work()
    assert supervised.accepted() == [item.proposal["text"]]
    assert supervised.calls("llm") == 1


def test_changed_answer_is_sent_as_changed(supervised: Room) -> None:
    item = decide(the_item(), ReviewDecision.EDIT, text="Hello Bruno!")
    supervised.work()
    assert supervised.accepted() == ["Hello Bruno!"]
    assert item.decided == {"text": "Hello Bruno!"}


def test_rejected_answer_is_not_sent_and_the_next_one_waits_too(supervised: Room) -> None:
    first = the_item()
    decide(first, ReviewDecision.REJECT, reason="Do not repeat what they said.")
    supervised.work()
    second = the_item()
    assert second.proposal["text"] != first.proposal["text"]
    told = Step.objects.filter(kind="model").order_by("pk")[1].request["messages"][-1]
    assert told["role"] == "system"
    assert "Do not repeat what they said." in told["content"]
    decide(second, ReviewDecision.APPROVE)
    supervised.work()
    assert supervised.accepted() == [second.proposal["text"]]


def test_after_three_rejections_the_conversation_is_left_to_people(supervised: Room) -> None:
    for _ in range(3):
        decide(the_item(), ReviewDecision.REJECT, reason="No.")
        supervised.work()
    assert supervised.accepted() == []
    assert supervised.outcomes() == ["needs_human"]
    assert (the_item().kind, the_item().why_code) == ("policy", Code.REVIEW_REJECTED)


@pytest.mark.parametrize(
    ("rule", "said", "is_held"),
    [
        ({"on": "language", "not_in": ["en"]}, PORTUGUESE, True),
        ({"on": "language", "not_in": ["en", "pt"]}, PORTUGUESE, False),
        ({"on": "language", "not_in": ["en"]}, ENGLISH, False),
        ({"on": "language", "not_in": ["en"]}, "oi", False),
        ({"on": "confidence", "below": 0.6}, "Hello #unsure", True),
        ({"on": "confidence", "below": 0.6}, "Hello", False),
    ],
)
def test_rules_hold_an_answer_by_language_and_by_how_sure_the_model_is(
    room: Room, rule: dict[str, Any], said: str, is_held: bool
) -> None:
    room.configure(risk_rules=[rule], allowed_tools=[])
    room.say(said)
    room.work()
    assert bool(open_items()) == is_held
    assert bool(room.accepted()) != is_held


def test_command_is_answered_at_once_also_under_supervision(room: Room) -> None:
    room.configure(mode="supervised")
    room.say("/help")
    room.work()
    assert len(room.accepted()) == 1
