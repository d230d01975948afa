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


def known_contacts(channel: Channel, addresses: Collection[str]) -> dict[str, KnownContact]:
    """By address."""
    found = KNOWN.fetch(channel_id=channel.pk, addresses=list(addresses))
    return {who.address: who for who in found}


def open_conversations(
    *, channel: Channel, names: Mapping[str, str], known: Mapping[str, KnownContact], now: datetime
) -> dict[str, int]:
    """The conversation's id for each address of `names` (address → name), made where there is none. Idempotent.

    `known`: who is known already, by address. In the caller's transaction. A name given replaces the one known; an
    empty one does not.
    """
    _rename(known, names)
    conversations = _conversations(known, names)
    if len(conversations) < len(names):
        _make_contacts(channel, names, now)
        _make_conversations(channel, names, now)
        conversations = _conversations(known_contacts(channel, names), names)
    return conversations


def _conversations(known: Mapping[str, KnownContact], addresses: Collection[str]) -> dict[str, int]:
    found = {address: known[address].conversation_id for address in addresses if address in known}
    return {address: conversation_id for address, conversation_id in found.items() if conversation_id}


def _rename(known: Mapping[str, KnownContact], names: Mapping[str, str]) -> None:
    renamed = [
        Contact(id=known[address].id, name=name)
        for address, name in names.items()
        if address in known and name not in ("", known[address].name)
    ]
    if renamed:
        Contact.objects.bulk_update(renamed, ["name"])


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
