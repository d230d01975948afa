"""What the door does when too much waits already: push back, queue, or shed."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from conversations.models import Contact, Conversation, Direction, Message, OverloadPolicy
from pipeline.models import Mailbox, ProcessedEvent, QueuedTask
from pipeline.policies.errors import Code
from tests import factories
from tests.engine_room import ADDRESS, Room
from tests.ingress.answers import Answer, receipt, refusal
from tests.ingress.platforms import Meta, envelope, text_message, value

pytestmark = pytest.mark.django_db


def door(policy: OverloadPolicy, *, max_waiting: int = 3, per_conversation: int = 100) -> Meta:
    tenant = factories.tenant(max_waiting=max_waiting, max_waiting_per_conversation=per_conversation)
    agent = factories.agent(tenant=tenant, overload_reply="Too much at once.")
    return Meta(factories.channel(agent=agent, overload_policy=policy))


def said(meta: Meta, number: int, sender: str = ADDRESS) -> Answer:
    return meta.say(text_message("Hello", id=f"wamid.{number}", **{"from": sender}))


def fill(meta: Meta, events: int, sender: str = ADDRESS) -> None:
    for number in range(events):
        assert receipt(said(meta, number, sender)) == (1, 0, 0)


def rows() -> tuple[int, ...]:
    models = (ProcessedEvent, Contact, Conversation, Mailbox, Message, QueuedTask)
    return tuple(model._default_manager.count() for model in models)


def test_push_back_answers_429_with_a_time_to_come_back_and_records_nothing() -> None:
    meta = door(OverloadPolicy.PUSH_BACK)
    fill(meta, 3)
    before = rows()
    answer = said(meta, 4, "5511999990002")
    error = refusal(answer, 429)
    assert error["code"] == "overloaded"
    assert Code.TENANT_OVERLOADED in error["message"]
    assert int(answer.headers["retry-after"]) > 0
    assert rows() == before


def test_push_back_ends_when_the_queue_does() -> None:
    meta = door(OverloadPolicy.PUSH_BACK)
    fill(meta, 3)
    refusal(said(meta, 4), 429)
    ProcessedEvent.objects.update(status="done", outcome="replied", done_at=timezone.now())
    assert receipt(said(meta, 4)) == (1, 0, 0)


def test_redelivery_of_what_is_known_is_acknowledged_also_under_overload() -> None:
    """Or the platform would bring it for days."""
    meta = door(OverloadPolicy.PUSH_BACK)
    fill(meta, 3)
    assert receipt(said(meta, 0)) == (0, 1, 0)


def test_a_post_of_known_and_new_messages_is_pushed_back_as_a_whole() -> None:
    meta = door(OverloadPolicy.PUSH_BACK)
    fill(meta, 3)
    known, new = text_message("Hello", id="wamid.0", **{"from": ADDRESS}), text_message("Hi")
    refusal(meta.say(known, new), 429)
    assert ProcessedEvent.objects.get(dedupe_key="wamid.0").duplicates == 0


def test_statuses_are_taken_under_overload() -> None:
    """They wait for nobody; without them unknown sends would stay unknown."""
    meta = door(OverloadPolicy.PUSH_BACK)
    fill(meta, 3)
    conversation = Conversation.objects.get()
    sent = factories.outbound(
        conversation=conversation,
        delivery="unknown",
        idempotency_key=UUID(int=1),
        error_code="send.unanswered",
    )
    status = {"id": "wamid.out", "status": "sent", "timestamp": "1700000000", "recipient_id": ADDRESS}
    assert receipt(meta.report({**status, "biz_opaque_callback_data": str(UUID(int=1))})) == (1, 0, 0)
    sent.refresh_from_db()
    assert sent.delivery == "sent"


def test_one_flooded_conversation_is_pushed_back_and_others_are_not() -> None:
    meta = door(OverloadPolicy.PUSH_BACK, max_waiting=1000, per_conversation=2)
    fill(meta, 2)
    error = refusal(said(meta, 3), 429)
    assert Code.CONVERSATION_OVERLOADED in error["message"]
    assert receipt(said(meta, 4, "5511999990002")) == (1, 0, 0)


def test_limit_is_a_tenants_own() -> None:
    full, other = door(OverloadPolicy.PUSH_BACK), door(OverloadPolicy.PUSH_BACK)
    fill(full, 3)
    refusal(said(full, 10), 429)
    assert receipt(said(other, 11)) == (1, 0, 0)


def test_queue_takes_everything() -> None:
    meta = door(OverloadPolicy.QUEUE, per_conversation=1)
    fill(meta, 10)
    assert ProcessedEvent.objects.filter(status="received").count() == 10


def test_shed_records_the_message_with_its_outcome() -> None:
    meta = door(OverloadPolicy.SHED)
    fill(meta, 3)
    assert receipt(said(meta, 4, "5511999990002")) == (1, 0, 0)
    event = ProcessedEvent.objects.get(dedupe_key="wamid.4")
    assert (event.status, event.outcome, event.outcome_code) == ("done", "shed", Code.TENANT_OVERLOADED)


def test_shed_message_that_is_delivered_again_stays_shed_and_is_answered_no_more() -> None:
    meta = door(OverloadPolicy.SHED)
    fill(meta, 3)
    said(meta, 4, "5511999990002")
    ProcessedEvent.objects.filter(status="received").update(
        status="done", outcome="replied", done_at=timezone.now()
    )
    assert receipt(said(meta, 4, "5511999990002")) == (0, 1, 0)
    assert ProcessedEvent.objects.get(dedupe_key="wamid.4").outcome == "shed"


def test_only_the_flooded_conversation_is_shed() -> None:
    meta = door(OverloadPolicy.SHED, max_waiting=1000, per_conversation=2)
    fill(meta, 2)
    over = text_message("More", id="wamid.over", **{"from": ADDRESS})
    fine = text_message("Hi", id="wamid.fine", **{"from": "5511999990002"})
    assert receipt(meta.say(over, fine)) == (2, 0, 0)
    outcomes = dict(ProcessedEvent.objects.values_list("dedupe_key", "outcome"))
    assert (outcomes["wamid.over"], outcomes["wamid.fine"]) == ("shed", None)


def test_contact_whose_messages_are_shed_is_told_so_once_a_minute() -> None:
    meta = door(OverloadPolicy.SHED)
    fill(meta, 3)
    for number in range(4, 9):
        said(meta, number, "5511999990002")
    said(meta, 9, "5511999990003")
    replies = Message.objects.filter(direction=Direction.OUT)
    by_contact = sorted(replies.values_list("conversation__contact__address", "text"))
    minutes = {timezone.now().replace(second=0, microsecond=0)}
    assert {text for _, text in by_contact} == {"Too much at once."}
    assert {address for address, _ in by_contact} == {"5511999990002", "5511999990003"}
    assert len(by_contact) <= 2 * (len(minutes) + 1), "the clock may have passed a minute, once"


def test_overload_reply_goes_out(room: Room) -> None:
    room.configure(overload_reply="Too much at once.")
    room.channel.overload_policy = OverloadPolicy.SHED
    room.channel.save()
    room.channel.tenant.max_waiting = 0
    room.channel.tenant.save()
    (key,) = room.say("Hello")
    room.work()
    assert room.outcome(key) == ("shed", Code.TENANT_OVERLOADED)
    assert room.accepted() == ["Too much at once."]


def test_contact_who_talks_to_a_person_is_not_interrupted_by_the_overload_reply() -> None:
    meta = door(OverloadPolicy.SHED, max_waiting=0)
    contact = factories.contact(channel=meta.channel, address=ADDRESS)
    factories.conversation(contact=contact, owner=factories.user())
    said(meta, 1)
    assert ProcessedEvent.objects.get().outcome == "shed"
    assert not Message.objects.exists()


def test_messages_of_a_minute_ago_do_not_hold_back_the_next_overload_reply() -> None:
    meta = door(OverloadPolicy.SHED, max_waiting=0)
    said(meta, 1)
    Message.objects.update(
        created_at=timezone.now() - timedelta(minutes=2), idempotency_key=UUID(int=7), delivery="sent"
    )
    said(meta, 2)
    assert Message.objects.count() == 2


def test_body_of_the_refusal_is_the_one_shape_of_all_errors() -> None:
    meta = door(OverloadPolicy.PUSH_BACK, max_waiting=0)
    raw = json.dumps(envelope(value(meta.channel.external_id, messages=[text_message()]))).encode()
    refusal(meta.post(raw), 429)
