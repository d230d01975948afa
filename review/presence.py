"""Who looks at which conversation right now. Told to the others by the conversation's own topic."""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction

from conversations.live import announce, conversation_topic
from conversations.models import Conversation
from review.models import Presence

STALE = timedelta(seconds=60)
"""A browser renews its presence every 30 s; one that does not has gone without a word."""
FORGOTTEN = timedelta(hours=1)


@transaction.atomic
def arrive(socket: str, conversation_ids: Collection[int], *, by: User, now: datetime) -> None:
    """Idempotent. Tidies up after sockets whose server died."""
    Presence.objects.filter(seen_at__lt=now - FORGOTTEN).delete()
    found = Conversation.objects.filter(pk__in=conversation_ids).order_by("pk").values_list("pk", flat=True)
    rows = [Presence(socket=socket, conversation_id=pk, user=by, seen_at=now) for pk in found]
    Presence.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["socket", "conversation"], update_fields=["seen_at"]
    )
    announce(*(conversation_topic(row.conversation_id) for row in rows))


@transaction.atomic
def leave(socket: str, conversation_ids: Collection[int]) -> None:
    """Idempotent."""
    left = Presence.objects.filter(socket=socket, conversation_id__in=conversation_ids)
    if left.delete()[0]:
        announce(*map(conversation_topic, conversation_ids))


def renew(socket: str, *, now: datetime) -> None:
    Presence.objects.filter(socket=socket).update(seen_at=now)


def also_here(conversation_id: int, *, reader: User, now: datetime) -> list[str]:
    """The names of the others, each once."""
    here = Presence.objects.filter(conversation_id=conversation_id, seen_at__gt=now - STALE)
    names = here.exclude(user=reader).order_by("user__username").values_list("user__username", flat=True)
    return list(names.distinct())
