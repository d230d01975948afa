"""What failed for good can be sent back into the queue by a person, and is then answered once."""

from __future__ import annotations

import pytest
from django.utils import timezone

from audit.models import AuditEntry
from conversations.models import OverloadPolicy
from pipeline import dead_letters
from pipeline.models import ProcessedEvent, Turn
from pipeline.policies.errors import Code
from tests import factories
from tests.engine_room import ADDRESS, Room
from tests.ingress.answers import receipt
from tests.ingress.platforms import text_message


def requeue(*keys: str) -> int:
    ids = ProcessedEvent.objects.filter(dedupe_key__in=keys).values_list("pk", flat=True)
    return dead_letters.requeue(event_ids=list(ids), by="ada", reason="the key is mended", now=timezone.now())


def fail(room: Room, *texts: str) -> list[str]:
    """Said while our key is refused."""
    room.fault("llm", "error", status=401)
    keys = room.say(*texts)
    room.work()
    room.mend()
    return keys


def test_failed_event_keeps_its_code_and_story(room: Room) -> None:
    (key,) = fail(room, "Hello")
    event = room.event(key)
    assert (event.status, event.outcome, event.outcome_code) == ("done", "failed", Code.MODEL_CREDENTIALS)
    assert event.turn is not None
    assert event.turn.error_detail


def test_requeued_event_is_answered_once(room: Room) -> None:
    (key,) = fail(room, "Hello")
    assert requeue(key) == 1
    assert room.outcome(key) == (None, "")
    room.work()
    assert room.outcome(key) == ("replied", "")
    assert [text for text in room.accepted() if "Hello" in text] == room.accepted()[1:]
    assert len(room.accepted()) == 2, "the fallback reply, then the answer"


def test_requeueing_twice_is_requeueing_once(room: Room) -> None:
    (key,) = fail(room, "Hello")
    assert [requeue(key), requeue(key)] == [1, 0]
    room.work()
    assert requeue(key) == 0
    assert room.event(key).requeues == 1


def test_many_are_requeued_and_each_conversation_keeps_its_order(room: Room) -> None:
    keys = fail(room, "One", "Two", "Three")
    room.fault("llm", "error", status=401)
    (other,) = room.say("Four", sender="5511999990002")
    room.work()
    room.mend()
    assert requeue(*keys, other) == 4
    room.work()
    answers = room.accepted(to=f"+{ADDRESS}") or room.accepted(to=ADDRESS)
    assert [word in text for word, text in zip(("One", "Two", "Three"), answers[3:], strict=True)] == [
        True
    ] * 3
    assert set(room.outcomes()) == {"replied"}


def test_each_requeue_is_audited_with_its_person_and_reason(room: Room) -> None:
    keys = fail(room, "One", "Two")
    requeue(*keys)
    entries = AuditEntry.objects.filter(action="event.requeued").order_by("pk")
    assert [(entry.actor_kind, entry.actor, entry.reason) for entry in entries] == [
        ("person", "ada", "the key is mended")
    ] * 2
    assert [entry.details["code"] for entry in entries] == [Code.MODEL_CREDENTIALS] * 2


def test_requeued_event_keeps_the_story_of_its_failed_turn(room: Room) -> None:
    (key,) = fail(room, "Hello")
    requeue(key)
    room.work()
    assert list(Turn.objects.order_by("started_at").values_list("status", flat=True)) == [
        "failed",
        "succeeded",
    ]


def test_event_that_was_rate_limited_is_answered_when_a_person_says_so(room: Room) -> None:
    room.configure(rate_limit_per_minute=1)
    _, over = room.say("One", "Two")
    room.work()
    assert room.outcome(over)[0] == "rate_limited"
    requeue(over)
    room.work()
    assert room.outcome(over) == ("replied", "")


def test_event_that_was_shed_is_answered_when_a_person_says_so(room: Room) -> None:
    room.channel.overload_policy = OverloadPolicy.SHED
    room.channel.save()
    room.channel.tenant.max_waiting = 0
    room.channel.tenant.save()
    (key,) = room.say("Hello")
    assert room.outcome(key)[0] == "shed"
    requeue(key)
    room.work()
    assert room.outcome(key) == ("replied", "")


def test_redelivery_of_a_requeued_event_is_still_a_duplicate(room: Room) -> None:
    room.fault("llm", "error", status=401)
    message = text_message("Hello", **{"from": ADDRESS})
    assert receipt(room.meta.say(message)) == (1, 0, 0)
    room.work()
    room.mend()
    requeue(message["id"])
    assert receipt(room.meta.say(message)) == (0, 1, 0)
    room.work()
    assert room.outcome(message["id"]) == ("replied", "")
    assert len(room.accepted()) == 2


@pytest.mark.parametrize("outcome", ["replied", "merged", "command", "ignored"])
@pytest.mark.django_db
def test_what_did_not_go_wrong_is_not_requeued(outcome: str) -> None:
    event = factories.event(outcome=outcome)
    assert dead_letters.requeue(event_ids=[event.pk], by="ada", reason="why not", now=timezone.now()) == 0


@pytest.mark.django_db
def test_event_whose_contents_are_gone_cannot_be_requeued() -> None:
    event = factories.event(outcome="failed", payload={})
    assert dead_letters.requeue(event_ids=[event.pk], by="ada", reason="too late", now=timezone.now()) == 0


def test_requeued_message_stands_once_in_the_transcript(room: Room) -> None:
    (key,) = fail(room, "Hello")
    requeue(key)
    room.work()
    said = room.conversation().messages.filter(direction="in")
    assert said.count() == 1
