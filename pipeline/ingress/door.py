"""What is known of a POST's events before anything is written: asked in one statement, so that refusing stays cheap.

Counts only what waits, and never more of it than the limit: the cost does not grow with history.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass

from audit.compiled import fetch
from conversations.models import Channel, OverloadPolicy
from conversations.operations import KnownContact


@dataclass(frozen=True, slots=True)
class Known:
    """`waiting`: events of the tenant, counted to its limit. `full`: conversations that are at theirs.

    What waits for people is not counted; nothing is where the channel's policy is to queue.
    """

    seen: frozenset[str]
    contacts: dict[str, KnownContact]
    waiting: int
    full: frozenset[int]


def look(channel: Channel, *, dedupe_keys: Collection[str], addresses: Collection[str]) -> Known:
    """The keys that are on the ledger and the contacts by address, of those given. `fence.insert` has the last word."""
    tenant = channel.tenant
    ((seen, contacts, waiting, full),) = fetch(
        KNOWN,
        {
            "channel_id": channel.pk,
            "dedupe_keys": list(dedupe_keys),
            "addresses": list(addresses),
            "tenant_id": tenant.pk,
            "is_limited": channel.overload_policy != OverloadPolicy.QUEUE,
            "max_waiting": tenant.max_waiting,
            "max_of_conversation": tenant.max_waiting_per_conversation,
        },
    )
    known = (KnownContact(*columns) for columns in json.loads(contacts))
    return Known(frozenset(seen), {who.address: who for who in known}, waiting, frozenset(full))


KNOWN = """
WITH who AS (
    SELECT contact.id, contact.address, contact.name, conversation.id AS conversation_id
    FROM conversations_contact AS contact
    LEFT JOIN conversations_conversation AS conversation ON conversation.contact_id = contact.id
    WHERE contact.channel_id = %(channel_id)s AND contact.address = ANY(%(addresses)s::text[])
)
SELECT ARRAY(
    SELECT dedupe_key FROM pipeline_processedevent
    WHERE channel_id = %(channel_id)s AND dedupe_key = ANY(%(dedupe_keys)s::text[])
), (
    SELECT coalesce(jsonb_agg(jsonb_build_array(id, address, name, conversation_id)), '[]') FROM who
), (
    SELECT count(*) FROM (
        SELECT FROM pipeline_processedevent
        WHERE %(is_limited)s AND tenant_id = %(tenant_id)s AND status <> 'done' AND status <> 'held'
        LIMIT %(max_waiting)s
    ) AS of_tenant
), ARRAY(
    SELECT conversation_id FROM pipeline_processedevent
    WHERE %(is_limited)s AND conversation_id = ANY(ARRAY(SELECT conversation_id FROM who))
        AND status <> 'done' AND status <> 'held'
    GROUP BY conversation_id HAVING count(*) >= %(max_of_conversation)s
)
"""
