"""What people do in these tests, in a few words."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth.models import User
from django.utils import timezone

from conversations.models import Conversation, Message
from conversations.writing import Words
from pipeline import takeover
from pipeline.takeover import Way


def fresh(conversation: Conversation) -> Conversation:
    return Conversation.objects.select_related("owner").get(pk=conversation.pk)


def take_over(conversation: Conversation, by: User, *, seen: int | None = None) -> None:
    takeover.take_over(
        conversation.pk, by=by, reason="asked for a person", owner_epoch=_epoch(conversation, seen), now=now()
    )


def hand_back(
    conversation: Conversation, by: User, way: Way, *, note: str = "", seen: int | None = None
) -> int:
    return takeover.hand_back(
        conversation.pk,
        way=way,
        note=note,
        by=by,
        reason="settled",
        owner_epoch=_epoch(conversation, seen),
        now=now(),
    )


def say(
    conversation: Conversation, by: User, text: str = "", *, seen: int | None = None, **words: Any
) -> Message:
    key: UUID = words.pop("key", None) or uuid4()
    return takeover.say(
        conversation.pk,
        Words(key=key, text=text, **words),
        by=by,
        owner_epoch=_epoch(conversation, seen),
        now=now(),
    )


def _epoch(conversation: Conversation, seen: int | None) -> int:
    """What the person's page shows: the present one, unless the test says otherwise."""
    return fresh(conversation).owner_epoch if seen is None else seen


now = timezone.now
