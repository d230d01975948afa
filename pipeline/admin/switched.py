"""The switches that were in force for a turn, and those that are today."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, Q
from django.urls import NoReverseMatch
from django.utils.translation import gettext as _

from audit.staff.show import Tone, page_address
from pipeline.models import Switch, SwitchScope, Turn

TARGETS = ("tenant", "channel", "agent", "conversation__contact", "contact")


@dataclass(frozen=True, slots=True, kw_only=True)
class Switched:
    """`standing`: then, today, or both. `until`: when it ended, or will. `address` is empty where it has no page."""

    switch: Switch
    what: str
    for_whom: str
    standing: str
    tone: Tone
    until: datetime | None
    address: str


def switched(turn: Turn, now: datetime) -> list[Switched]:
    """Those in force for the turn's conversation while it ran, and those in force now; the oldest first."""
    ran_until = turn.finished_at or now
    then, today = _in_force(turn.started_at, ran_until), _in_force(now, now)
    switches: Any = (
        Switch.objects.filter(then | today, _concerning(turn))
        .annotate(was=ExpressionWrapper(then, BooleanField()), lasts=ExpressionWrapper(today, BooleanField()))
        .select_related(*TARGETS, "requested_by", "ended_by")
        .order_by("pk")
    )
    return [_row(switch, switch.was, switch.lasts) for switch in switches]


def _in_force(since: datetime, until: datetime) -> Q:
    """At some moment of that time."""
    unended = Q(ended_at__isnull=True) | Q(ended_at__gt=since)
    unexpired = Q(ends_at__isnull=True) | Q(ends_at__gt=since)
    return Q(active_since__lte=until) & unended & unexpired


def _concerning(turn: Turn) -> Q:
    """A switch names the tenant of what it is over, too: only its scope says whether it is over all of the tenant."""
    where = turn.conversation
    targets = {
        SwitchScope.TENANT: where.tenant_id,
        SwitchScope.CHANNEL: where.channel_id,
        SwitchScope.AGENT: where.channel.agent_id,
        SwitchScope.CONVERSATION: where.pk,
        SwitchScope.CONTACT: where.contact_id,
    }
    concerning = Q(scope=SwitchScope.EVERYTHING)
    for scope, key in targets.items():
        concerning |= Q(scope=scope, **{f"{scope}_id": key})
    return concerning


def _row(switch: Switch, was: bool, lasts: bool) -> Switched:
    standing, tone = _standing(was, lasts)
    return Switched(
        switch=switch,
        what=_what(switch),
        for_whom=" ".join(_for_whom(switch)),
        standing=standing,
        tone=tone,
        until=switch.ended_at or switch.ends_at,
        address=_address(switch),
    )


def _address(switch: Switch) -> str:
    try:
        return page_address(Switch, switch.pk)
    except NoReverseMatch:
        return ""


def _standing(was: bool, lasts: bool) -> tuple[str, Tone]:
    if was and lasts:
        return _("then and today"), Tone.WARNING
    return (_("then, not today"), Tone.INFO) if was else (_("today, not then"), Tone.NEUTRAL)


def _what(switch: Switch) -> str:
    name = _("tool %(name)s") % {"name": switch.tool} if switch.tool else switch.get_capability_display()
    return f"{name}: {switch.get_action_display()}"


def _for_whom(switch: Switch) -> Iterator[str]:
    target: Any = getattr(switch, switch.scope, None)
    yield switch.get_scope_display()
    if target is not None:
        yield str(target)
