"""The switches that were in force for a turn, and those that are today."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper
from django.utils.translation import gettext as _

from audit.staff.show import Tone, page_address
from pipeline.controls import queries, words
from pipeline.controls.switchboard import subject_at
from pipeline.models import Switch, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Switched:
    """`standing`: then, today, or both. `until`: when it ended, or will."""

    switch: Switch
    what: str
    for_whom: str
    standing: str
    tone: Tone
    until: datetime | None
    address: str


def switched(turn: Turn, now: datetime) -> list[Switched]:
    """Those in force for the turn's conversation while it ran, and those in force now; the oldest first."""
    where = turn.conversation
    subject = subject_at(where.channel, where.pk, where.contact_id)
    ran_until = turn.finished_at or now
    then, today = queries.in_force(turn.started_at, ran_until), queries.in_force(now, now)
    switches: Any = (
        Switch.objects.filter(then | today, queries.concerning(subject))
        .annotate(was=ExpressionWrapper(then, BooleanField()), lasts=ExpressionWrapper(today, BooleanField()))
        .select_related(*queries.TARGETS, "requested_by", "ended_by")
        .order_by("pk")
    )
    return [_row(switch, switch.was, switch.lasts) for switch in switches]


def _row(switch: Switch, was: bool, lasts: bool) -> Switched:
    standing, tone = _standing(was, lasts)
    return Switched(
        switch=switch,
        what=words.what(switch),
        for_whom=words.over(switch),
        standing=standing,
        tone=tone,
        until=switch.ended_at or switch.ends_at,
        address=page_address(Switch, switch.pk),
    )


def _standing(was: bool, lasts: bool) -> tuple[str, Tone]:
    if was and lasts:
        return _("then and today"), Tone.WARNING
    return (_("then, not today"), Tone.INFO) if was else (_("today, not then"), Tone.NEUTRAL)
