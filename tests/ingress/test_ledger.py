"""Each event is one row, however often, however late and in whatever company it is delivered."""

from __future__ import annotations

import json
import uuid
from copy import copy

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.models import AuditEntry
from conversations.models import Contact, Conversation, Message
from pipeline.models import EventStatus, Mailbox, ProcessedEvent, QueuedTask
from tests import factories
from tests.ingress.answers import event, receipt, refusal
from tests.ingress.platforms import Json, Meta, OwnSystem, envelope, status_of, text_message, value


def test_new_message_is_recorded_made_due_and_a_worker_woken(meta: Meta) -> None:
    message = text_message(id="wamid.1")
    contacts = [{"profile": {"name": "Ana"}, "wa_id": message["from"]}]
    assert receipt(meta.post(envelope(value("1001", contacts=contacts, messages=[message])))) == (1, 0, 0)
    assert (event().dedupe_key, event().status, event().outcome) == ("wamid.1", EventStatus.RECEIVED, None)
    conversation = Conversation.objects.get()
    assert event().conversation == conversation
    assert (conversation.contact.address, conversation.contact.name) == (message["from"], "Ana")
    assert Mailbox.objects.get(conversation=conversation).due_at is not None
    assert QueuedTask.objects.count() == 1


def test_redelivered_event_is_acknowledged_and_counted_on_its_row(meta: Meta) -> None:
    message = text_message()
    assert receipt(meta.say(message)) == (1, 0, 0)
    assert receipt(meta.say(message)) == (0, 1, 0)
    assert receipt(meta.say(message, text_message())) == (1, 1, 0)
    known = ProcessedEvent.objects.get(dedupe_key=message["id"])
    assert (known.duplicates, known.conflicts) == (2, 0)


def test_redelivery_of_what_was_answered_wakes_nobody(meta: Meta) -> None:
    message = text_message()
    meta.say(message)
    Mailbox.objects.update(due_at=None)
    QueuedTask.objects.all().delete()
    assert receipt(meta.say(message)) == (0, 1, 0)
    assert Mailbox.objects.get().due_at is None
    assert not QueuedTask.objects.exists()


def test_redelivery_with_its_fields_in_another_order_is_the_same_event(meta: Meta) -> None:
    message = text_message()
    meta.say(message)
    meta.say(dict(reversed(message.items())))
    assert (event().duplicates, event().conflicts) == (1, 0)


def test_same_key_with_other_content_is_kept_as_it_was_flagged_and_audited(meta: Meta) -> None:
    meta.say(text_message("one", id="wamid.1"))
    assert receipt(meta.say(text_message("two", id="wamid.1"))) == (0, 1, 0)
    assert (event().payload["text"], event().duplicates, event().conflicts) == ("one", 1, 1)
    assert event().payload["conflicting"]["text"] == {"body": "two"}
    entry = AuditEntry.objects.get(action="event.conflict")
    assert (entry.object_id, entry.dedupe_key) == (str(event().pk), "wamid.1")


def test_copies_within_one_post_are_counted_like_redeliveries(meta: Meta) -> None:
    first, other = text_message("one", id="wamid.1"), text_message("two", id="wamid.1")
    assert receipt(meta.say(first, first, other)) == (1, 2, 0)
    assert (event().payload["text"], event().duplicates, event().conflicts) == ("one", 2, 1)
    assert event().payload["conflicting"]["text"] == {"body": "two"}
    assert AuditEntry.objects.filter(action="event.conflict").count() == 1


def test_first_content_that_conflicts_is_kept_and_no_further(meta: Meta) -> None:
    for text in ("one", "two", "three", "one", "two"):
        meta.say(text_message(text, id="wamid.1", timestamp="1"))
    assert (event().payload["text"], event().duplicates, event().conflicts) == ("one", 4, 3)
    assert event().payload["conflicting"]["text"] == {"body": "two"}
    entries = AuditEntry.objects.filter(action="event.conflict")
    assert len({entry.details["fingerprint"] for entry in entries}) == 2


def test_event_that_was_emptied_keeps_no_content_of_a_late_conflict(meta: Meta) -> None:
    meta.say(text_message("one", id="wamid.1"))
    ProcessedEvent.objects.update(payload={})
    meta.say(text_message("two", id="wamid.1"))
    assert (event().payload, event().conflicts) == ({}, 1)


def test_same_id_on_two_channels_is_two_events(meta: Meta) -> None:
    other = Meta(factories.channel(external_id="2001"))
    message = text_message()
    assert receipt(meta.say(message)) == (1, 0, 0)
    assert receipt(other.say(message)) == (1, 0, 0)


def test_one_post_can_speak_of_several_numbers_of_one_tenant(meta: Meta) -> None:
    sibling = factories.channel(agent=meta.channel.agent, external_id="1002")
    stranger = factories.channel(external_id="1003")
    switched_off = factories.channel(agent=meta.channel.agent, external_id="1004", is_active=False)
    numbers = ["1001", sibling.external_id, stranger.external_id, switched_off.external_id]
    body = envelope(*(value(number, messages=[text_message()]) for number in numbers))
    assert receipt(meta.post(body)) == (2, 0, 2)
    assert receipt(meta.post(body)) == (0, 4, 0)
    assert sorted(Contact.objects.values_list("channel", flat=True)) == [meta.channel.pk, sibling.pk]
    assert not ProcessedEvent.objects.filter(channel__in=[stranger, switched_off]).exists()


def test_messages_of_one_conversation_keep_their_order_in_a_batch(meta: Meta) -> None:
    texts = [f"{number}" for number in range(50)]
    meta.say(*(text_message(text, **{"from": f"55{int(text) % 3}"}) for text in texts))
    stored = ProcessedEvent.objects.order_by("id").values_list("payload__text", flat=True)
    assert list(stored) == texts


def test_known_contact_is_found_again_and_renamed_only_by_a_name(meta: Meta) -> None:
    def said_by(name: str | None) -> Json:
        contacts = [{"profile": {"name": name} if name else {}, "wa_id": "551"}]
        return envelope(value("1001", contacts=contacts, messages=[text_message(**{"from": "551"})]))

    for name in ("Ana", None, "Ana Maria", None):
        assert receipt(meta.post(said_by(name))) == (1, 0, 0)
    assert Contact.objects.get().name == "Ana Maria"
    assert Conversation.objects.count() == 1


@pytest.mark.parametrize("kind", ["messages", "statuses", "redeliveries"])
def test_cost_of_a_post_does_not_grow_with_its_updates(meta: Meta, kind: str) -> None:
    """Meta sends up to 1 000 updates in one POST and wants its answer fast."""
    assert queries_for(meta, kind, 10) == queries_for(meta, kind, 1000)


def queries_for(meta: Meta, kind: str, number: int) -> int:
    if kind == "statuses":
        updates = {"statuses": [status_of(each, "delivered") for each in sent_messages(meta, number)]}
    else:
        updates = {"messages": [text_message(**{"from": f"55{number}{n}"}) for n in range(number)]}
    body = envelope(value("1001", **updates))
    if kind == "redeliveries":
        receipt(meta.post(body))
    with CaptureQueriesContext(connection) as queries:
        taken = receipt(meta.post(body))
    assert taken == ((0, number, 0) if kind == "redeliveries" else (number, 0, 0))
    return len(queries)


def sent_messages(meta: Meta, number: int) -> list[str]:
    first = factories.outbound(conversation=factories.conversation(channel=meta.channel), delivery="sent")
    ids = [f"wamid.{first.pk}.{n}" for n in range(number)]
    copies = [copy(first) for _ in ids]
    for message, provider_id in zip(copies, ids, strict=True):
        message.pk, message.idempotency_key, message.provider_id = None, uuid.uuid4(), provider_id
    Message.objects.bulk_create(copies)
    return ids


def test_batch_of_three_megabytes_is_taken_whole(meta: Meta) -> None:
    messages = [text_message("é" * 280, **{"from": f"55{n}"}) for n in range(1000)]
    body = envelope(value("1001", messages=messages))
    padding = 3_000_000 - len(json.dumps(body))
    messages[0]["text"]["body"] = "x" * padding
    assert receipt(meta.post(body)) == (1000, 0, 0)
    assert ProcessedEvent.objects.count() == 1000


@pytest.mark.parametrize("over", [0, 1, 1_000_000])
def test_body_may_have_four_mebibytes_and_no_more(meta: Meta, over: int) -> None:
    empty = len(json.dumps(envelope(value("1001", messages=[text_message("", id="wamid.1")]))))
    text = "x" * (4 * 1024 * 1024 - empty + over)
    answer = meta.say(text_message(text, id="wamid.1"))
    if over:
        assert refusal(answer, 413)["code"] == "body_too_large"
        assert not ProcessedEvent.objects.exists()
    else:
        assert receipt(answer) == (1, 0, 0)


def test_own_system_is_deduplicated_by_its_webhook_id_alone(own_system: OwnSystem) -> None:
    assert receipt(own_system.say("one", webhook_id="msg_1")) == (1, 0, 0)
    assert receipt(own_system.say("one again", webhook_id="msg_1")) == (0, 1, 0)
    assert receipt(own_system.say("one", webhook_id="msg_2")) == (1, 0, 0)
