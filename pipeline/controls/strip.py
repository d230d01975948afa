"""The strip on top of every staff page: what is switched, what waits for a second person, and a running incident."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AnonymousUser, User

from conversations.access import tenant_ids
from pipeline.controls import queries
from pipeline.models import Incident, Switch, SwitchScope, SwitchStatus

SHOWN = 3
"""More stand behind a click, so that a busy night leaves room for the page."""
MOST = 50
WATCHERS = ("pipeline.view_switch", "pipeline.view_turn", "conversations.view_conversation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    switch: Switch
    is_pending: bool
    may_approve: bool
    may_lift: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """`more` lines are shown on demand, `unshown` only in the list of switches."""

    lines: list[Line]
    more: list[Line]
    unshown: int
    incident: Incident | None
    is_live: bool
    may_view: bool
    may_view_incident: bool
    now: datetime

    def __bool__(self) -> bool:
        return bool(self.lines) or self.incident is not None


def strip_for(user: User, *, now: datetime) -> Strip:
    """One query for the switches, one for an incident; a third where the user's tenants are not known yet.

    An incident is the whole installation's: who sees only some tenants is told of the switches that concern them.
    """
    seen = tenant_ids(user)
    switches = list(queries.not_ended(seen)[: MOST + 1])
    may_lift = user.has_perm("pipeline.change_switch")
    lines = [_line(switch, user, may_lift) for switch in sorted(switches[:MOST], key=_weight)]
    return Strip(
        lines=lines[:SHOWN],
        more=lines[SHOWN:],
        unshown=max(0, len(switches) - MOST),
        incident=queries.open_incident() if seen is None else None,
        is_live=may_watch(user),
        may_view=user.has_perm("pipeline.view_switch"),
        may_view_incident=user.has_perm("pipeline.view_incident"),
        now=now,
    )


def _weight(switch: Switch) -> tuple[bool, bool, int]:
    """What is over everything first, then what waits for somebody, then the newest."""
    return switch.scope != SwitchScope.EVERYTHING, switch.status != SwitchStatus.PENDING, -switch.pk


def may_watch(user: User | AnonymousUser) -> bool:
    return any(user.has_perm(permission) for permission in WATCHERS)


def _line(switch: Switch, user: User, may_change: bool) -> Line:
    is_for_all = switch.scope == SwitchScope.EVERYTHING
    may_lift = may_change and (not is_for_all or tenant_ids(user) is None)
    is_pending = switch.status == SwitchStatus.PENDING
    return Line(
        switch=switch,
        is_pending=is_pending,
        may_approve=may_lift and is_pending and switch.requested_by_id != user.pk,
        may_lift=may_lift,
    )
