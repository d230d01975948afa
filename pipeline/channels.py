"""Letting a channel send again: what the machine adds to `conversations.channels`."""

from datetime import datetime

from django.db import transaction

from conversations import channels
from pipeline import dead_letters


@transaction.atomic
def resume(*, channel_id: int, by: str, reason: str, now: datetime) -> None:
    """Let it send again, and have what waited for it sent now. Idempotent."""
    channels.resume(channel_id=channel_id, by=by, reason=reason, now=now)
    dead_letters.wake_channel(channel_id=channel_id)
