"""Who answers in a conversation, and what this reader may do about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User

from conversations.models import Conversation, Owner
from conversations.ownership import owner_name, unanswered_since
from conversations.writing import window_closes_at
from pipeline import takeover
from review import presence
from review.access import ADD_NOTE, TAKE_OVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """`since`, `until` and `missed` are of a takeover; `others_asked_at` where its person fell silent.

    `missed`: how many messages the agent would answer at once, if it were handed back so.
    """

    id: int
    owner_kind: str
    owner_name: str
    owner_epoch: int
    agent_name: str
    time_zone: str
    since: datetime | None
    until: datetime | None
    others_asked_at: datetime | None
    is_mine: bool
    missed: int
    window_closes_at: datetime | None
    is_window_open: bool
    also_here: Sequence[str]
    may_act: bool
    may_note: bool

    @property
    def is_taken(self) -> bool:
        return self.owner_kind != Owner.AGENT

    @property
    def may_write(self) -> bool:
        """Now, and not only by right."""
        return self.may_act and self.is_mine and self.is_window_open


def standing(conversation_id: int, *, reader: User, now: datetime) -> Standing:
    """Raises `Conversation.DoesNotExist`."""
    found = (
        Conversation.objects.select_related("owner", "tenant", "channel__agent")
        .defer("channel__credentials")
        .get(pk=conversation_id)
    )
    closes_at = window_closes_at(conversation_id, found.channel.kind)
    is_taken = found.owner_kind != Owner.AGENT
    may_act = reader.has_perm(TAKE_OVER)
    return Standing(
        id=conversation_id,
        owner_kind=found.owner_kind,
        owner_name=owner_name(found),
        owner_epoch=found.owner_epoch,
        agent_name=found.channel.agent.name,
        time_zone=found.tenant.time_zone,
        since=found.owned_since,
        until=found.owned_until,
        others_asked_at=found.others_asked_at,
        is_mine=found.owner_id == reader.pk,
        missed=takeover.missed(conversation_id, unanswered_since(found)).count() if is_taken else 0,
        window_closes_at=closes_at,
        is_window_open=closes_at is None or closes_at > now,
        also_here=presence.also_here(conversation_id, reader=reader, now=now),
        may_act=may_act,
        may_note=may_act or reader.has_perm(ADD_NOTE),
    )
