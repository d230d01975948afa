"""Admission and claims cost what waits, not what has been."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from conversations.models import Channel, OverloadPolicy
from pipeline.engine import mailbox
from pipeline.ingress import door
from pipeline.models import ProcessedEvent
from tests import factories
from tests.ingress.answers import receipt
from tests.ingress.platforms import Meta, text_message

pytestmark = pytest.mark.django_db

DONE = 100_000


def history(channel: Channel, events: int) -> None:
    """Answered events of a thousand conversations of the channel, as the database makes them fastest."""
    with connection.cursor() as cursor:
        cursor.execute(CONTACTS, [channel.tenant_id, channel.pk])
        cursor.execute(CONVERSATIONS, [channel.pk])
        cursor.execute(EVENTS, [channel.pk, events])
        cursor.execute(MAILBOXES, [channel.pk])
        cursor.execute("ANALYZE conversations_contact, conversations_conversation")
        cursor.execute("ANALYZE pipeline_processedevent, pipeline_mailbox")


CONTACTS = """
INSERT INTO conversations_contact (tenant_id, channel_id, address, name, created_at)
SELECT %s, %s, 'old-' || number, '', now() FROM generate_series(1, 1000) AS number
"""
CONVERSATIONS = """
INSERT INTO conversations_conversation
    (tenant_id, channel_id, contact_id, owner_kind, owner_epoch, created_at, last_message_at)
SELECT tenant_id, channel_id, id, 'agent', 0, now(), now() FROM conversations_contact
WHERE channel_id = %s AND starts_with(address, 'old-')
"""
EVENTS = """
INSERT INTO pipeline_processedevent
    (tenant_id, channel_id, conversation_id, dedupe_key, fingerprint, kind, payload, request_id, received_at,
     duplicates, conflicts, status, outcome, outcome_code, done_at, requeues)
SELECT tenant_id, channel_id, id, 'old-' || number, '', 'message', '{}', '', now() - interval '1 day',
    0, 0, 'done', 'replied', '', now() - interval '1 day', 0
FROM (SELECT *, row_number() OVER (ORDER BY id) AS place FROM conversations_conversation WHERE channel_id = %s) AS c
JOIN generate_series(1, %s) AS number ON number %% 1000 = place - 1
"""
MAILBOXES = """
INSERT INTO pipeline_mailbox (conversation_id, tenant_id, lease_owner, lease_epoch)
SELECT id, tenant_id, '', 3 FROM conversations_conversation WHERE channel_id = %s ON CONFLICT DO NOTHING
"""


@pytest.fixture
def meta() -> Meta:
    return Meta(factories.channel(overload_policy=OverloadPolicy.SHED))


def plan(query: str, parameters: list[Any] | dict[str, Any]) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {query}", parameters)
        return "\n".join(row[0] for row in cursor.fetchall())


def question(channel: Channel, waiting: list[ProcessedEvent]) -> dict[str, Any]:
    conversations = [event.conversation for event in waiting]
    return {
        "channel_id": channel.pk,
        "dedupe_keys": [event.dedupe_key for event in waiting],
        "addresses": [conversation.contact.address for conversation in conversations if conversation],
        "tenant_id": channel.tenant_id,
        "is_limited": True,
        "max_waiting": 10_000,
        "max_of_conversation": 100,
    }


def test_a_hundred_thousand_answered_messages_are_not_read_to_admit_and_claim(meta: Meta) -> None:
    """Only partial indexes over what waits."""
    history(meta.channel, DONE)
    waiting = [factories.event(channel=meta.channel) for _ in range(5)]
    factories.mailbox(conversation=waiting[0].conversation, due_at="2026-01-01T00:00:00Z")
    admitted = plan(door.KNOWN, question(meta.channel, waiting))
    claims = plan(mailbox.CLAIM, {"owner": "a", "lease_s": 1, "limit": 20})
    assert len(re.findall("Scan using event_(?:waiting|pending)", admitted)) == 2
    assert "mailbox_due" in claims
    assert "Seq Scan" not in admitted
    assert "Seq Scan on pipeline_" not in claims


def test_taking_a_message_in_asks_as_much_of_the_database_with_and_without_history(meta: Meta) -> None:
    assert receipt(meta.say(text_message("warm up"))) == (1, 0, 0)
    with counted() as before:
        assert receipt(meta.say(text_message())) == (1, 0, 0)
    history(meta.channel, 10_000)
    with counted() as after:
        assert receipt(meta.say(text_message())) == (1, 0, 0)
    assert len(after) == len(before)


def test_taking_a_hundred_messages_in_asks_as_much_as_taking_one(meta: Meta) -> None:
    meta.say(text_message("warm up"))
    with counted() as one:
        meta.say(text_message(**{"from": "5511888880000"}))
    with counted() as hundred:
        meta.say(*(text_message(**{"from": f"55117777{number:05}"}) for number in range(100)))
    assert len(hundred) == len(one)


@contextmanager
def counted() -> Iterator[CaptureQueriesContext]:
    with CaptureQueriesContext(connection) as queries:
        yield queries
