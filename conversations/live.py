"""Telling staff's browsers what changed.

An announcement goes out when the caller's transaction commits, and never before: as a NOTIFY of that transaction, or,
where Redis carries the live feed, through its channel layer on commit. It carries a topic and nothing else; a browser
fetches the fragment it shows, under its own rights.
"""

from functools import partial
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import transaction

from audit.compiled import execute

NOTIFY_CHANNEL = "zupa_live"
NOTIFY = "SELECT pg_notify('zupa_live', topic) FROM unnest(%(topics)s::text[]) AS topic"
"""For a statement to end in; it brings what is `notified`, and `relay` follows it."""
DASHBOARD = "dashboard"
SWITCHES = "switches"
"""What is switched, and what waits for a second person: the strip on top of every staff page."""


def conversation_topic(conversation_id: int) -> str:
    return f"conversation.{conversation_id}"


def changed(topic: str) -> dict[str, Any]:
    """The channel layer's message for an announcement."""
    return {"type": "live.changed", "topic": topic}


def announce(*topics: str) -> None:
    """Equal topics announced twice in one transaction go out once (PostgreSQL folds equal notifications)."""
    if by_notify := notified(*topics):
        execute(NOTIFY, {"topics": by_notify})
    relay(*topics)


def notified(*topics: str) -> list[str]:
    """Those that PostgreSQL announces: none where Redis carries the live feed."""
    return [] if settings.ZUPA.redis_url else list(topics)


def relay(*topics: str) -> None:
    """Announce through the channel layer, on commit, what is not `notified`."""
    if settings.ZUPA.redis_url:
        transaction.on_commit(partial(_send_through_layer, topics))


def _send_through_layer(topics: tuple[str, ...]) -> None:
    layer = get_channel_layer()
    for topic in topics:
        async_to_sync(layer.group_send)(topic, changed(topic))
