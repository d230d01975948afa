"""Channels stop sending when their credentials or account are refused, and go on when a person says they are mended.

Where the platform itself reports on its session, a pause that it made ends with its own good news.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Coalesce

from audit.models import ActorKind
from audit.operations import Fact, record
from conversations.live import DASHBOARD, announce
from conversations.models import Channel


@transaction.atomic
def pause(*, channel_id: int, reason: str, now: datetime, by: str = "") -> None:
    """Keep its messages queued. Idempotent: the first reason stands. `by`: the member of staff, if any."""
    paused = Channel.objects.filter(pk=channel_id, paused_at__isnull=True)
    if paused.update(paused_at=now, paused_reason=reason):
        actor_kind = ActorKind.PERSON if by else ActorKind.SYSTEM
        _record("channel.paused", channel_id, actor_kind, by, reason, now)


@transaction.atomic
def resume(*, channel_id: int, by: str, reason: str, now: datetime) -> None:
    """Let it send again. Idempotent. Whoever calls it wakes the conversations that wait."""
    paused = Channel.objects.filter(pk=channel_id, paused_at__isnull=False)
    if paused.update(paused_at=None, paused_reason="", paused_by_platform=False):
        _record("channel.resumed", channel_id, ActorKind.PERSON, by, reason, now)


@transaction.atomic
def note_platform_report(*, channel_id: int, at: datetime) -> bool:
    """False where the platform, or its retry, is late: it made a newer report, or this one has been noted."""
    newer = Q(platform_reported_at__isnull=True) | Q(platform_reported_at__lt=at)
    return bool(Channel.objects.filter(newer, pk=channel_id).update(platform_reported_at=at))


@transaction.atomic
def pause_by_platform(*, channel_id: int, reason: str, now: datetime) -> None:
    """Keep its messages queued until the platform reports that it works. Idempotent; any other pause stands."""
    own = Q(paused_at__isnull=True) | Q(paused_by_platform=True)
    paused = Channel.objects.filter(own, pk=channel_id).exclude(paused_reason=reason)
    if paused.update(paused_at=Coalesce("paused_at", now), paused_reason=reason, paused_by_platform=True):
        _record("channel.paused", channel_id, ActorKind.SYSTEM, "", reason, now)


@transaction.atomic
def resume_by_platform(*, channel_id: int, reason: str, now: datetime) -> bool:
    """End a pause that its platform made; False if there is none. Whoever calls it wakes what waits."""
    paused = Channel.objects.filter(pk=channel_id, paused_by_platform=True)
    if not paused.update(paused_at=None, paused_reason="", paused_by_platform=False):
        return False
    _record("channel.resumed", channel_id, ActorKind.SYSTEM, "", reason, now)
    return True


def _record(
    action: str, channel_id: int, actor_kind: ActorKind, actor: str, reason: str, now: datetime
) -> None:
    record(
        Fact(
            action=action,
            object_type="channel",
            object_id=channel_id,
            actor_kind=actor_kind,
            actor=actor,
            reason=reason,
            ids={"tenant_id": Channel.objects.values_list("tenant_id", flat=True).get(pk=channel_id)},
        ),
        now=now,
    )
    announce(DASHBOARD)
