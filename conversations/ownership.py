"""Who answers in a conversation. Each change of owner raises `owner_epoch`, which fences what the agent still sends.

Whoever changes the owner says which epoch they saw. Where that is not the present one any more, somebody was faster,
and `OwnerChangedError` says who. All of it in the caller's transaction; the conversation is locked before its mailbox,
the order that commit point and sends keep, too.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from audit.models import ActorKind
from audit.operations import Fact, record
from conversations.live import DASHBOARD, announce, conversation_topic
from conversations.models import Conversation, Owner


class OwnerChangedError(Exception):
    """The text is the answer for whoever was too late, or is not the owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A takeover that is over: whose it was, and since when what came in may be unanswered."""

    owner: str
    unanswered_since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """A change of owner, for the trail. `by` empty: the engine's own."""

    action: str
    by: str
    reason: str
    now: datetime
    details: dict[str, Any] = field(default_factory=dict)


def locked(conversation_id: int) -> Conversation:
    """Raises `Conversation.DoesNotExist`."""
    conversations = Conversation.objects.select_for_update(of=("self",), no_key=True)
    return (
        conversations.select_related("owner", "channel").defer("channel__credentials").get(pk=conversation_id)
    )


@transaction.atomic
def take_over(conversation_id: int, *, by: User, reason: str, owner_epoch: int, now: datetime) -> bool:
    """From the agent, the phone, or another person. False where it is theirs already, as after a double click."""
    conversation = locked(conversation_id)
    if conversation.owner_id == by.pk:
        return False
    _check_epoch(conversation, owner_epoch)
    before = {"from": owner_name(conversation) or conversation.owner_kind}
    conversation.owner_kind = Owner.PERSON
    conversation.owner = by
    conversation.owned_since = conversation.owner_active_at = now
    conversation.owned_until = None
    change = _Change(
        action="conversation.taken_over", by=by.get_username(), reason=reason, now=now, details=before
    )
    _pass_on(conversation, change)
    return True


@transaction.atomic
def taken_by_phone(conversation_id: int, *, now: datetime) -> bool:
    """Somebody answered by hand on the phone itself: the agent is silent until the channel's time is over.

    Each further hand reply begins that time anew. A person's conversation stays theirs. True if the owner changed.
    """
    conversation = locked(conversation_id)
    if conversation.owner_kind == Owner.PERSON:
        return False
    is_new = conversation.owner_kind != Owner.PHONE
    conversation.owner_kind = Owner.PHONE
    conversation.owned_since = conversation.owned_since or now
    conversation.owner_active_at = now
    conversation.owned_until = now + timedelta(minutes=conversation.channel.hand_reply_minutes)
    if is_new:
        _pass_on(conversation, _Change(action="conversation.taken_by_phone", by="", reason="", now=now))
    else:
        conversation.save(update_fields=["owner_active_at", "owned_until"])
        announce(conversation_topic(conversation_id))
    return is_new


@transaction.atomic
def hand_back(
    conversation_id: int, *, by: str, reason: str, owner_epoch: int, now: datetime, **details: str
) -> Ended:
    """The agent answers again. `by` empty: by a policy of the engine's. `details` are for the trail."""
    conversation = locked(conversation_id)
    _check_epoch(conversation, owner_epoch)
    if conversation.owner_kind == Owner.AGENT:
        raise OwnerChangedError(_("The agent answers already."))
    ended = Ended(
        owner=owner_name(conversation) or conversation.owner_kind,
        unanswered_since=unanswered_since(conversation),
    )
    conversation.owner_kind = Owner.AGENT
    conversation.owner = None
    conversation.owned_since = conversation.owner_active_at = conversation.owned_until = None
    change = _Change(
        action="conversation.handed_back",
        by=by,
        reason=reason,
        now=now,
        details={"from": ended.owner, **details},
    )
    _pass_on(conversation, change)
    return ended


def touch(conversation_id: int, *, by: User, now: datetime) -> None:
    """The owner did something: the conversation is not idle. What others do does not count."""
    Conversation.objects.filter(pk=conversation_id, owner=by).update(
        owner_active_at=now, others_asked_at=None
    )


@transaction.atomic
def ask_others(conversation_id: int, *, owner_epoch: int, now: datetime) -> bool:
    """Say that somebody else should take over, as the owner is silent. Idempotent. False if it was said, or changed."""
    silent = Conversation.objects.filter(pk=conversation_id, owner_kind=Owner.PERSON, owner_epoch=owner_epoch)
    if not silent.filter(others_asked_at=None).update(others_asked_at=now):
        return False
    conversation = Conversation.objects.select_related("owner").get(pk=conversation_id)
    change = _Change(
        action="conversation.idle",
        by="",
        reason="",
        now=now,
        details={"owner": owner_name(conversation)},
    )
    _tell(conversation, change)
    return True


def check_is_owner(conversation: Conversation, by: User, owner_epoch: int) -> None:
    """Of a locked conversation. Raises `OwnerChangedError`."""
    if conversation.owner_epoch != owner_epoch:
        raise OwnerChangedError(_("%(what)s Nothing was sent.") % {"what": _what_happened(conversation)})
    if conversation.owner_id != by.pk:
        raise OwnerChangedError(
            _("You do not answer here: take the conversation over first. Nothing was sent.")
        )


def owner_name(conversation: Conversation) -> str:
    """Of the person; empty while the agent or the phone answers."""
    return conversation.owner.get_username() if conversation.owner else ""


def unanswered_since(conversation: Conversation) -> datetime:
    """Of one that a person or the phone owns: since when what came in may be unanswered.

    A hand reply on the phone stands for an answer to all before it; of a person's words nothing is assumed.
    """
    by_phone = conversation.owner_kind == Owner.PHONE
    since = conversation.owner_active_at if by_phone else conversation.owned_since
    assert since is not None  # held by a constraint
    return since


def ids_of(conversation: Conversation) -> dict[str, object]:
    """For evidence about it."""
    return {
        "tenant_id": conversation.tenant_id,
        "conversation_id": conversation.pk,
        "contact_id": conversation.contact_id,
    }


def _check_epoch(conversation: Conversation, seen: int) -> None:
    if conversation.owner_epoch != seen:
        raise OwnerChangedError(_what_happened(conversation))


def _what_happened(conversation: Conversation) -> str:
    if conversation.owner_kind == Owner.AGENT:
        return _("It was handed back to the agent a moment ago.")
    if conversation.owner_kind == Owner.PHONE:
        return _("Somebody took it over on the phone a moment ago.")
    return _("%(name)s took it over a moment ago.") % {"name": owner_name(conversation)}


def _pass_on(conversation: Conversation, change: _Change) -> None:
    conversation.owner_epoch += 1
    conversation.others_asked_at = None
    conversation.save(
        update_fields=[
            "owner_kind",
            "owner",
            "owner_epoch",
            "owned_since",
            "owner_active_at",
            "owned_until",
            "others_asked_at",
        ]
    )
    _tell(conversation, change)


def _tell(conversation: Conversation, change: _Change) -> None:
    fact = Fact(
        action=change.action,
        object_type="conversation",
        object_id=conversation.pk,
        actor_kind=ActorKind.PERSON if change.by else ActorKind.SYSTEM,
        actor=change.by,
        reason=change.reason,
        details=change.details,
        ids=ids_of(conversation),
    )
    record(fact, now=change.now)
    announce(conversation_topic(conversation.pk), DASHBOARD)
