"""A bot never talks over a person: whatever the agent is doing when somebody takes over, it can no longer send."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from conversations.models import Conversation, Message
from pipeline.engine import mailbox
from pipeline.engine.gate import Gate
from pipeline.engine.journal import StepJournal
from pipeline.models import Mailbox, Step
from pipeline.policies.calls import Call
from pipeline.policies.errors import Code, StaleError
from pipeline.ports import Effect, Json
from pipeline.takeover import Way
from tests import factories
from tests.acceptance.load import eventually
from tests.engine.flights import begun
from tests.engine.test_mailbox import until_it_waits_for_a_lock
from tests.engine.test_sends import closing_connections, deliver
from tests.engine_room import Room
from tests.takeover.acts import fresh, hand_back, take_over

RACES = 8


@contextmanager
def at_work(room: Room) -> Iterator[None]:
    """A worker works beside the test, until nothing is due."""
    worker = threading.Thread(target=closing_connections(room.work))
    worker.start()
    yield
    worker.join()


def queued(room: Room, number: int = 1) -> tuple[Conversation, list[Message]]:
    conversation = factories.conversation(channel=room.channel)
    messages = [factories.outbound(conversation=conversation, text=f"{n}") for n in range(number)]
    Mailbox.objects.create(conversation=conversation, tenant=conversation.tenant, due_at=timezone.now())
    return conversation, messages


def test_send_that_meets_a_takeover_under_way_waits_for_it_and_is_withdrawn(room: Room, rita: User) -> None:
    conversation, (message,) = queued(room)
    (claim,) = mailbox.claim(owner="a worker", limit=1)
    with ThreadPoolExecutor(1) as elsewhere:
        with transaction.atomic():
            take_over(conversation, rita)
            sending = elsewhere.submit(closing_connections(lambda: deliver(claim)))
            until_it_waits_for_a_lock(sending)
        sending.result(20)
    message.refresh_from_db()
    assert (message.delivery, message.error_code) == ("withdrawn", Code.SEND_OWNER_CHANGED)
    assert room.accepted() == []


def test_nothing_is_marked_for_sending_after_a_takeover_whoever_is_faster(room: Room, rita: User) -> None:
    for _ in range(RACES):
        conversation, messages = queued(room, 5)
        with at_work(room):
            take_over(conversation, rita)
            sent_by_then = set(_out(messages).values_list("pk", flat=True))
        went_out = set(_out(messages).values_list("pk", flat=True))
        assert went_out == sent_by_then
        assert not Message.objects.filter(pk__in=[m.pk for m in messages], delivery="queued").exists()


def _out(messages: list[Message]) -> QuerySet[Message]:
    """Those that went out, or were on their way."""
    return Message.objects.filter(pk__in=[m.pk for m in messages]).exclude(
        delivery__in=["queued", "withdrawn"]
    )


def test_turn_in_flight_says_nothing_once_a_person_took_over(room: Room, rita: User) -> None:
    (key,) = room.say("#sleep 1.5 Hello")
    with at_work(room):
        eventually(lambda: room.calls("llm") == 1, within_s=20)
        take_over(room.conversation(), rita)
    assert room.outcome(key) == ("needs_human", "")
    assert (room.accepted(), room.outbox()) == ([], [])


def test_turn_in_flight_is_answered_when_it_is_handed_back(room: Room, rita: User) -> None:
    (key,) = room.say("#sleep 1.5 Hello")
    with at_work(room):
        eventually(lambda: room.calls("llm") == 1, within_s=20)
        take_over(room.conversation(), rita)
    hand_back(room.conversation(), rita, Way.ANSWER)
    room.work()
    assert room.outcome(key)[0] == "replied"
    assert len(room.accepted()) == 1


def test_effect_that_must_not_happen_twice_does_not_begin_after_a_takeover(
    database_threads: None, rita: User
) -> None:
    flight = begun()
    assert flight.event.conversation is not None
    take_over(flight.event.conversation, rita)
    refund = Effect(
        key="tool:0.0", call=Call.TOOL, name="refund", request={}, is_idempotent=False, deadline_s=5
    )

    async def run(idempotency_key: UUID) -> Json:
        raise AssertionError("it began")

    async def perform() -> None:
        await (await StepJournal.open(flight.turn, Gate())).perform(refund, run)

    with pytest.raises(StaleError) as stale:
        asyncio.run(perform())
    assert stale.value.code == Code.TURN_OWNER_CHANGED
    assert not Step.objects.exists()
    assert fresh(flight.event.conversation).owner == rita
