"""Whose turn it is: a tenant that floods its queue does not delay another's answer by more than a turn."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from django.db import connection

from conversations.models import Conversation, Tenant
from pipeline.engine import mailbox
from pipeline.engine.mailbox import Claim
from pipeline.models import Mailbox
from tests import factories

pytestmark = pytest.mark.django_db


def tenant_with(due: int, *, seconds_ago: float, max_in_flight: int = 100) -> Tenant:
    """`due` mailboxes, the longest due for `seconds_ago`, each a millisecond after the one before."""
    channel = factories.channel(agent=factories.agent(tenant=factories.tenant(max_in_flight=max_in_flight)))
    with connection.cursor() as cursor:
        cursor.execute(CONTACTS, [channel.tenant_id, channel.pk, due])
        cursor.execute(CONVERSATIONS, [channel.pk])
        cursor.execute(MAILBOXES, [seconds_ago, channel.pk])
        cursor.execute("ANALYZE pipeline_mailbox")
    return channel.tenant


CONTACTS = """
INSERT INTO conversations_contact (tenant_id, channel_id, address, name, created_at)
SELECT %s, %s, 'c-' || number, '', now() FROM generate_series(1, %s) AS number
"""
CONVERSATIONS = """
INSERT INTO conversations_conversation
    (tenant_id, channel_id, contact_id, owner_kind, owner_epoch, created_at, last_message_at)
SELECT tenant_id, channel_id, id, 'agent', 0, now(), now() FROM conversations_contact WHERE channel_id = %s ORDER BY id
"""
MAILBOXES = """
INSERT INTO pipeline_mailbox (conversation_id, tenant_id, due_at, lease_owner, lease_epoch)
SELECT id, tenant_id,
    now() - make_interval(secs => %s) + row_number() OVER (ORDER BY id) * interval '1 millisecond', '', 0
FROM conversations_conversation WHERE channel_id = %s
"""


def claimed(limit: int = 20) -> Counter[int]:
    """The tenants' ids of the next claims, counted."""
    return Counter(Mailbox.objects.get(pk=one.conversation_id).tenant_id for one in claim(limit))


def claim(limit: int) -> list[Claim]:
    return mailbox.claim(owner="worker-1", limit=limit)


def test_tenant_with_ten_thousand_waiting_delays_another_by_no_more_than_a_turn() -> None:
    flood = tenant_with(10_000, seconds_ago=600)
    small = tenant_with(1, seconds_ago=0.1)
    assert claimed(2) == {flood.pk: 1, small.pk: 1}


def test_another_that_comes_when_the_flood_is_in_flight_is_next() -> None:
    flood = tenant_with(10_000, seconds_ago=600)
    assert claimed(20) == {flood.pk: 20}
    small = tenant_with(3, seconds_ago=0.1)
    assert claimed(3) == {small.pk: 3}


def test_tenants_share_alike_whatever_they_have_waiting() -> None:
    first, second = tenant_with(10_000, seconds_ago=600), tenant_with(500, seconds_ago=300)
    third = tenant_with(12, seconds_ago=1)
    assert claimed(30) == {first.pk: 10, second.pk: 10, third.pk: 10}


def test_what_one_tenant_does_not_use_the_others_do() -> None:
    flood, small = tenant_with(10_000, seconds_ago=600), tenant_with(2, seconds_ago=1)
    assert claimed(20) == {flood.pk: 18, small.pk: 2}


def test_a_tenants_own_messages_are_claimed_longest_due_first() -> None:
    tenant_with(100, seconds_ago=600)
    waiting = list(Conversation.objects.order_by("pk").values_list("pk", flat=True))
    taken = [sorted(one.conversation_id for one in claim(10)) for _ in range(3)]
    assert taken == [waiting[:10], waiting[10:20], waiting[20:30]]


def test_no_tenant_gets_more_than_its_share_over_several_claims() -> None:
    limited = tenant_with(100, seconds_ago=600, max_in_flight=7)
    assert [claimed(5)[limited.pk] for _ in range(3)] == [5, 2, 0]


def test_share_is_free_again_when_a_conversation_is_done() -> None:
    limited = tenant_with(100, seconds_ago=600, max_in_flight=3)
    first, *_ = claim(3)
    assert claimed(5) == {}
    mailbox.clear_due(first.conversation_id, first.lease_epoch)
    mailbox.release(first, due_in_s=None)
    assert claimed(5) == {limited.pk: 1}


def test_tenant_at_its_limit_does_not_hold_back_the_others() -> None:
    tenant_with(100, seconds_ago=600, max_in_flight=1)
    other = tenant_with(100, seconds_ago=1)
    claim(2)
    assert claimed(5) == {other.pk: 5}


@pytest.mark.django_db(transaction=True)
def test_workers_that_claim_at_once_together_keep_the_tenants_limit() -> None:
    tenant_with(200, seconds_ago=600, max_in_flight=10)
    ready, taken = threading.Barrier(4), Counter[int]()

    def work(number: int) -> None:
        ready.wait(10)
        for _ in range(5):
            found = mailbox.claim(owner=f"worker-{number}", limit=5)
            taken.update(one.conversation_id for one in found)
        connection.close()

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert max(taken.values()) == 1, "the same conversation was claimed twice"
    assert Mailbox.objects.exclude(lease_owner="").count() == len(taken)
    assert len(taken) <= 10
