"""Letting a channel send again: what the machine adds to `conversations.channels`."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_noop

from conversations import channels
from pipeline import dead_letters

WORKS_AGAIN = gettext_noop("Its platform reports that it works again.")


@transaction.atomic
def resume(*, channel_id: int, by: str, reason: str, now: datetime) -> None:
    """Let it send again, and have what waited for it sent now. Idempotent."""
    channels.resume(channel_id=channel_id, by=by, reason=reason, now=now)
    dead_letters.wake_channel(channel_id=channel_id)


@transaction.atomic
def follow_platform(*, channel_id: int, trouble: str, at: datetime, now: datetime) -> bool:
    """What the platform reported at `at` of its session: `trouble` pauses the channel, none ends such a pause.

    Idempotent, in whatever order reports come. False where this one is not newer than the last.
    """
    if not channels.note_platform_report(channel_id=channel_id, at=at):
        return False
    if trouble:
        channels.pause_by_platform(channel_id=channel_id, reason=trouble, now=now)
    elif channels.resume_by_platform(channel_id=channel_id, reason=WORKS_AGAIN, now=now):
        dead_letters.wake_channel(channel_id=channel_id)
    return True
