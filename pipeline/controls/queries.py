"""What is switched now and what was then, what a switch would touch, and whom a blocklist entry would have caught."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q, QuerySet

from pipeline.controls.concerned import COUNTED_UP_TO, BlastRadius, blast_radius
from pipeline.models import BlocklistKind, Incident, Switch, SwitchStatus
from pipeline.policies.switches import Subject, SwitchScope

__all__ = ["COUNTED_UP_TO", "BlastRadius", "blast_radius"]

SHOWN = 50
LOOK_BACK = timedelta(days=1)
EXAMPLES = 5
TARGETS = ("tenant", "channel", "agent", "conversation__contact", "contact")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caught:
    """Whom an entry would have caught in the last day: at most `COUNTED_UP_TO` contacts; some of their addresses."""

    contacts: int
    messages: int
    examples: list[str]


def not_ended(tenants: Collection[int] | None = None) -> QuerySet[Switch]:
    """In force or waiting for a second person, the newest first, of these tenants; None is all of them.

    A switch over everything concerns every tenant, so everybody sees it.
    """
    switches = Switch.objects.exclude(status=SwitchStatus.ENDED).order_by("-pk")
    if tenants is not None:
        switches = switches.filter(Q(scope=SwitchScope.EVERYTHING) | Q(tenant__in=tenants))
    return switches.select_related(*TARGETS, "requested_by", "approved_by")


def concerning_tenant(tenant_id: int) -> Q:
    return Q(scope=SwitchScope.EVERYTHING) | Q(tenant_id=tenant_id)


def open_incident() -> Incident | None:
    return Incident.objects.select_related("opened_by").filter(closed_at__isnull=True).first()


def in_force_at(subject: Subject, at: datetime) -> list[Switch]:
    """The switches that were in force for the subject at that moment, the oldest first."""
    switches = Switch.objects.filter(concerning(subject), in_force(at, at))
    return list(switches.select_related(*TARGETS, "requested_by", "ended_by").order_by("pk"))


def concerning(subject: Subject) -> Q:
    """A switch names the tenant of what it is over, too: only its scope says whether it is over all of the tenant."""
    mine = Q(scope=SwitchScope.EVERYTHING)
    for scope in SwitchScope:
        if scope is not SwitchScope.EVERYTHING:
            mine |= Q(scope=scope, **{f"{scope}_id": subject.target_id(scope)})
    return mine


def in_force(since: datetime, until: datetime) -> Q:
    """At some moment of that time."""
    unended = Q(ended_at__isnull=True) | Q(ended_at__gt=since)
    unexpired = Q(ends_at__isnull=True) | Q(ends_at__gt=since)
    return Q(active_since__lte=until) & unended & unexpired


def would_have_caught(kind: BlocklistKind, value: str, tenant_id: int | None, *, now: datetime) -> Caught:
    """Of the contacts who wrote in the last day. Reads the conversations of that day, not those before."""
    with connection.cursor() as cursor:
        cursor.execute(
            CAUGHT.format(match=MATCHES[kind]),
            {
                "since": now - LOOK_BACK,
                "tenant": tenant_id,
                "value": value.strip(),
                "most": COUNTED_UP_TO,
                "examples": EXAMPLES,
            },
        )
        contacts, messages, examples = cursor.fetchone()
    return Caught(contacts=contacts, messages=messages, examples=list(examples or ()))


MATCHES = {
    BlocklistKind.ADDRESS: "contact.address = %(value)s",
    BlocklistKind.PREFIX: "starts_with(contact.address, %(value)s)",
    BlocklistKind.PATTERN: "contact.address ~ %(value)s",
}
CAUGHT = """
WITH caught AS (
    SELECT conversation.id, contact.address FROM conversations_conversation AS conversation
    JOIN conversations_contact AS contact ON contact.id = conversation.contact_id
    WHERE conversation.last_message_at >= %(since)s AND {match}
        AND (%(tenant)s::bigint IS NULL OR conversation.tenant_id = %(tenant)s)
        AND EXISTS (
            SELECT FROM pipeline_processedevent AS event
            WHERE event.conversation_id = conversation.id AND event.received_at >= %(since)s
        )
    ORDER BY conversation.last_message_at DESC LIMIT %(most)s
)
SELECT (SELECT count(*) FROM caught),
    (SELECT count(*) FROM pipeline_processedevent AS event
     WHERE event.conversation_id IN (SELECT id FROM caught) AND event.received_at >= %(since)s),
    ARRAY(SELECT address FROM caught LIMIT %(examples)s)
"""
