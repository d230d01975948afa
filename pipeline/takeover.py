"""Takeover: a person, or somebody on the phone itself, answers in the agent's place, and gives the conversation back.

Each operation is one transaction over who owns the conversation (`conversations.ownership`) and what the engine does
about it. What the agent had queued is withdrawn by the outbox, and a turn in flight can neither commit nor begin an
effect that must not happen twice: all of them compare the owner's epoch in their own transactions.
"""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from conversations import ownership, writing
from conversations.models import Conversation, IdleTakeoverPolicy, Message, Owner
from conversations.ownership import Ended
from conversations.queries import minutes
from conversations.writing import Words
from pipeline import dead_letters
from pipeline.desk import Kind, Request, desk
from pipeline.engine import holds, mailbox
from pipeline.engine.broker import enqueue_drain
from pipeline.models import EventStatus, Outcome, ProcessedEvent
from pipeline.policies.errors import Code

MISSED_CODES = ("", Code.TURN_OWNER_CHANGED)
"""How an event ends as `needs_human` because of a takeover, and for no other reason."""
IDLE = "idle"
OVER = "over"
"""Reasons of the engine's own for handing back: the person fell silent; the phone's time is over."""


class Way(StrEnum):
    """How a conversation is handed back."""

    ANSWER = "answer"
    WAIT = "wait"
    NOTE = "note"


@transaction.atomic
def take_over(conversation_id: int, *, by: User, reason: str, owner_epoch: int, now: datetime) -> None:
    """The agent is silent from now on. Raises `OwnerChangedError`. Idempotent for the same person."""
    if ownership.take_over(conversation_id, by=by, reason=reason, owner_epoch=owner_epoch, now=now):
        _silence(conversation_id, now)


@transaction.atomic
def taken_by_phone(conversation_id: int, *, now: datetime) -> None:
    """Somebody answered by hand on the phone itself. To be called once for each such reply."""
    if ownership.taken_by_phone(conversation_id, now=now):
        _silence(conversation_id, now)


@transaction.atomic
def hand_back(
    conversation_id: int,
    *,
    way: Way,
    by: User,
    reason: str,
    owner_epoch: int,
    now: datetime,
    note: str = "",
) -> int:
    """The agent answers again: what was missed, or the next message, or that with a note read first.

    The number of messages that are answered now. Raises `OwnerChangedError` and `NotWrittenError`.
    """
    if way is Way.NOTE:
        writing.note(conversation_id, note, by=by, now=now, for_agent=True)
    who = by.get_username()
    ended = ownership.hand_back(
        conversation_id, by=who, reason=reason, owner_epoch=owner_epoch, now=now, way=way
    )
    desk().settle_conversation(conversation_id, now=now)
    return _answer_missed(conversation_id, ended, who, reason, now) if way is Way.ANSWER else 0


@transaction.atomic
def say(conversation_id: int, words: Words, *, by: User, owner_epoch: int, now: datetime) -> Message:
    """See `conversations.writing.say`; what was said goes out at once."""
    message = writing.say(conversation_id, words, by=by, owner_epoch=owner_epoch, now=now)
    desk().settle_conversation(conversation_id, now=now)
    _wake(conversation_id)
    return message


def missed(conversation_id: int, since: datetime) -> QuerySet[ProcessedEvent]:
    """What came in, or was being answered, while somebody else than the agent owned the conversation."""
    ended = ProcessedEvent.objects.filter(
        conversation_id=conversation_id, outcome=Outcome.NEEDS_HUMAN, outcome_code__in=MISSED_CODES
    )
    return dead_letters.requeueable(ended.filter(status=EventStatus.DONE, done_at__gte=since))


def end_due(*, now: datetime, limit: int) -> int:
    """Takeovers by phone whose time is over, and those whose owner fell silent, by their agent's policy. Their number.

    The one place where a takeover ends by itself. What was missed is answered.
    """
    return sum(_end(conversation, now) for conversation in _due(now, limit))


def _due(now: datetime, limit: int) -> Iterator[Conversation]:
    owned = Conversation.objects.select_related("channel__agent").defer("channel__credentials")
    yield from owned.filter(owner_kind=Owner.PHONE, owned_until__lte=now).order_by("owned_until")[:limit]
    idle_since = now - minutes("channel__agent__takeover_idle_minutes")
    idle = owned.filter(owner_kind=Owner.PERSON, owner_active_at__lte=idle_since, others_asked_at=None)
    yield from idle.order_by("owner_active_at")[:limit]


@transaction.atomic
def _end(conversation: Conversation, now: datetime) -> bool:
    """False where it changed hands, or its owner did something, since it was found."""
    policy = conversation.channel.agent.takeover_idle_policy
    if not _is_still_due(conversation):
        return False
    if conversation.owner_kind == Owner.PERSON and policy == IdleTakeoverPolicy.REASSIGN:
        return _ask_others(conversation, now)
    reason = OVER if conversation.owner_kind == Owner.PHONE else IDLE
    ended = ownership.hand_back(
        conversation.pk,
        by="",
        reason=reason,
        owner_epoch=conversation.owner_epoch,
        now=now,
        way=Way.ANSWER,
    )
    _answer_missed(conversation.pk, ended, "", reason, now)
    return True


def _is_still_due(found: Conversation) -> bool:
    """Locks it: what its owner does from here on comes too late, and is told so."""
    held = ownership.locked(found.pk)
    return (held.owner_epoch, held.owner_active_at) == (found.owner_epoch, found.owner_active_at)


def _ask_others(conversation: Conversation, now: datetime) -> bool:
    """It stays with its owner; its page, the list and the desk say that somebody else should take it over."""
    if not ownership.ask_others(conversation.pk, owner_epoch=conversation.owner_epoch, now=now):
        return False
    asked = Request(
        kind=Kind.PERSON_ASKED,
        conversation_id=conversation.pk,
        why_code=Code.TAKEOVER_IDLE,
        basis=[conversation.pk, conversation.owner_epoch, now.isoformat()],
    )
    desk().open([asked], now=now)
    return True


def _answer_missed(conversation_id: int, ended: Ended, by: str, reason: str, now: datetime) -> int:
    events = list(missed(conversation_id, ended.unanswered_since).values_list("pk", flat=True))
    return dead_letters.requeue(event_ids=events, by=by, reason=reason, now=now)


def _silence(conversation_id: int, now: datetime) -> None:
    """What the agent proposed is asked no more; what it queued is withdrawn at once and not when it is next due."""
    holds.let_go(conversation_id, now=now)
    _wake(conversation_id)


def _wake(conversation_id: int) -> None:
    mailbox.wake([conversation_id])
    enqueue_drain()
