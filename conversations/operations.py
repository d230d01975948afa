"""Writes about who talks to us."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F

from audit.compiled import RowQuery, any_of, param
from conversations.models import Channel, Contact, Conversation


@dataclass(frozen=True, slots=True)
class KnownContact:
    id: int
    address: str
    name: str
    conversation_id: int | None


KNOWN = RowQuery(
    KnownContact,
    lambda: (
        Contact.objects.filter(any_of("address", "addresses", "text"), channel_id=param("channel_id"))
        .annotate(conversation_id=F("conversation__id"))
        .order_by()
    ),
)


def known_contacts(channel: Channel, addresses: Collection[str]) -> list[KnownContact]:
    return KNOWN.fetch(channel_id=channel.pk, addresses=list(addresses)) if addresses else []


def open_conversations(
    *, channel: Channel, names: Mapping[str, str], known: Collection[KnownContact], now: datetime
) -> dict[str, int]:
    """The conversation's id for each address of `names` (address → name), made where there is none. Idempotent.

    `known` are those of them that `known_contacts` found. In the caller's transaction. A name given replaces the one
    known; an empty one does not.
    """
    _rename(known, names)
    conversations = {who.address: who.conversation_id for who in known if who.conversation_id}
    if len(conversations) < len(names):
        _make_contacts(channel, names, now)
        _make_conversations(channel, names, now)
        conversations = {
            who.address: who.conversation_id for who in known_contacts(channel, names) if who.conversation_id
        }
    return conversations


def _rename(known: Collection[KnownContact], names: Mapping[str, str]) -> None:
    renamed = [who for who in known if names[who.address] not in ("", who.name)]
    if renamed:
        contacts = [Contact(id=who.id, name=names[who.address]) for who in renamed]
        Contact.objects.bulk_update(contacts, ["name"])


def _make_contacts(channel: Channel, names: Mapping[str, str], now: datetime) -> None:
    """In order of address, so that two who make the same ones don't deadlock."""
    Contact.objects.bulk_create(
        [
            Contact(
                tenant_id=channel.tenant_id,
                channel=channel,
                address=address,
                name=names[address],
                created_at=now,
            )
            for address in sorted(names)
        ],
        ignore_conflicts=True,
    )


def _make_conversations(channel: Channel, addresses: Collection[str], now: datetime) -> None:
    alone = Contact.objects.filter(channel=channel, address__in=addresses, conversation=None)
    Conversation.objects.bulk_create(
        [
            Conversation(
                tenant_id=channel.tenant_id,
                channel=channel,
                contact_id=contact_id,
                created_at=now,
                last_message_at=now,
            )
            for contact_id in alone.order_by("id").values_list("id", flat=True)
        ],
        ignore_conflicts=True,
    )
