"""Channels stop sending when their credentials or account are refused, and go on when a person says they are mended."""

from datetime import datetime

from django.db import transaction

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
    if paused.update(paused_at=None, paused_reason=""):
        _record("channel.resumed", channel_id, ActorKind.PERSON, by, reason, now)


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
