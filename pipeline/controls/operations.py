"""Setting a switch, letting a second person approve it, and taking it back. Each is one transaction with its evidence.

A switch over everything needs two people, unless an incident is open. What a switch held up is woken when it ends.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Model
from django.utils.translation import gettext as _

from conversations.models import Agent, Channel, Contact, Conversation, Tenant
from pipeline.controls.concerned import wake_concerned
from pipeline.controls.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    SecondPersonError,
)
from pipeline.controls.evidence import leave_evidence
from pipeline.controls.rights import require
from pipeline.models import Incident, Switch, SwitchStatus
from pipeline.policies.switches import OFFERED, Capability, SwitchAction, SwitchScope

TARGETS: dict[SwitchScope, type[Model]] = {
    SwitchScope.TENANT: Tenant,
    SwitchScope.CHANNEL: Channel,
    SwitchScope.AGENT: Agent,
    SwitchScope.CONVERSATION: Conversation,
    SwitchScope.CONTACT: Contact,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A switch as somebody asks for it. `target_id` is None over everything; `tool` names the one for `tool`."""

    scope: SwitchScope
    target_id: int | None
    capability: Capability
    action: SwitchAction
    reason: str
    tool: str = ""
    ends_at: datetime | None = None


@transaction.atomic
def set_switch(wanted: Wanted, *, by: User, now: datetime, only_tenant_id: int | None = None) -> Switch:
    """In force at once, or pending where it needs a second person. Raises `ControlError`.

    `only_tenant_id` narrows what may be switched further than the person's own tenants do.
    """
    _check(wanted, now)
    targets = _targets(wanted)
    require(by, "add_switch", targets.get("tenant_id"), only_tenant_id=only_tenant_id)
    _refuse_repetition(wanted, targets)
    incident = Incident.objects.filter(closed_at__isnull=True).first()
    needs_another = wanted.scope is SwitchScope.EVERYTHING and incident is None
    switch = Switch(
        scope=wanted.scope,
        **targets,
        capability=wanted.capability,
        tool=wanted.tool,
        action=wanted.action,
        reason=wanted.reason.strip(),
        status=SwitchStatus.PENDING if needs_another else SwitchStatus.ACTIVE,
        requested_by=by,
        requested_at=now,
        incident=incident if wanted.scope is SwitchScope.EVERYTHING else None,
        active_since=None if needs_another else now,
        ends_at=wanted.ends_at,
    )
    if needs_another:
        _write(switch, "switch.requested", by=by, reason=switch.reason, now=now)
    else:
        _write(switch, "switch.set", by=by, reason=switch.reason, now=now)
    return switch


def _check(wanted: Wanted, now: datetime) -> None:
    offer = OFFERED.get((wanted.capability, wanted.action))
    if offer is None or wanted.scope not in offer.scopes:
        raise InvalidError(
            _("There is no such switch: this cannot be done to that, or not for whom you named.")
        )
    if not wanted.reason.strip():
        raise InvalidError(_("Say why: the reason stands beside your name on every page."))
    if (wanted.capability is Capability.TOOL) != bool(wanted.tool):
        raise InvalidError(_("Name the tool for a switch over one tool, and only there."))
    if wanted.ends_at is not None and wanted.ends_at <= now:
        raise InvalidError(_("The end time has passed already."))


def _targets(wanted: Wanted) -> dict[str, int]:
    """The columns that say what it is over: the record itself, and its tenant."""
    if wanted.scope is SwitchScope.EVERYTHING:
        if wanted.target_id is not None:
            raise InvalidError(_("A switch over everything names nobody."))
        return {}
    record = target_of(wanted)
    if record is None:
        raise InvalidError(_("Whom or what the switch is for does not exist."))
    tenant_id = record.pk if wanted.scope is SwitchScope.TENANT else record.tenant_id
    return {"tenant_id": tenant_id, f"{wanted.scope}_id": record.pk}


def target_of(wanted: Wanted) -> Any:
    """The record that it would be over; None over everything, and where there is none."""
    model = TARGETS.get(wanted.scope)
    return model._default_manager.filter(pk=wanted.target_id).first() if model else None


def _refuse_repetition(wanted: Wanted, targets: dict[str, int]) -> None:
    same = Switch.objects.exclude(status=SwitchStatus.ENDED).filter(
        scope=wanted.scope, capability=wanted.capability, action=wanted.action, tool=wanted.tool, **targets
    )
    if twin := same.first():
        raise ConflictError(_("Switch %(id)s does this already.") % {"id": twin.pk})


@transaction.atomic
def approve(switch_id: int, *, by: User, now: datetime) -> Switch:
    """The second person's word: it is in force from now. Raises `ControlError`."""
    switch = _locked(switch_id, by)
    if switch.status != SwitchStatus.PENDING:
        raise ConflictError(_("Switch %(id)s does not wait for anybody.") % {"id": switch.pk})
    if switch.requested_by_id == by.pk:
        raise SecondPersonError(_("You asked for it yourself: another person has to approve it."))
    switch.status, switch.approved_by, switch.active_since = SwitchStatus.ACTIVE, by, now
    _write(switch, "switch.approved", by=by, reason=switch.reason, now=now)
    return switch


@transaction.atomic
def refuse(switch_id: int, *, by: User, now: datetime, reason: str = "") -> Switch:
    """A pending one never comes into force; whoever asked for it may take it back so, too. Raises `ControlError`."""
    switch = _locked(switch_id, by)
    if switch.status != SwitchStatus.PENDING:
        raise ConflictError(_("Switch %(id)s does not wait for anybody.") % {"id": switch.pk})
    _end(switch, "switch.refused", by=by, reason=reason, now=now)
    return switch


@transaction.atomic
def lift(switch_id: int, *, by: User, now: datetime, reason: str = "") -> Switch:
    """Undo it, and let go on what waited. Idempotent. Raises `ControlError`."""
    switch = _locked(switch_id, by)
    if switch.status == SwitchStatus.PENDING:
        _end(switch, "switch.refused", by=by, reason=reason, now=now)
    elif switch.status == SwitchStatus.ACTIVE:
        _end(switch, "switch.lifted", by=by, reason=reason, now=now)
    return switch


@transaction.atomic
def expire(*, now: datetime) -> int:
    """End those whose time is up; their number. Asked every second, and one query while there is none."""
    due = Switch.objects.exclude(status=SwitchStatus.ENDED).filter(ends_at__lte=now)
    switches = list(due.select_for_update(skip_locked=True, of=("self",)).order_by("pk"))
    for switch in switches:
        _end(switch, "switch.expired", by=None, reason="", now=now)
    return len(switches)


def _locked(switch_id: int, by: User) -> Switch:
    switch = Switch.objects.select_for_update(of=("self",)).filter(pk=switch_id).first()
    if switch is None:
        raise NotFoundError(_("There is no switch %(id)s.") % {"id": switch_id})
    require(by, "change_switch", switch.tenant_id)
    return switch


def _end(switch: Switch, action: str, *, by: User | None, reason: str, now: datetime) -> None:
    switch.status, switch.ended_at, switch.ended_by = SwitchStatus.ENDED, now, by
    switch.end_reason = reason.strip()
    _write(switch, action, by=by, reason=switch.end_reason, now=now)


def _write(switch: Switch, action: str, *, by: User | None, reason: str, now: datetime) -> None:
    """Save it, leave evidence, and wake whom the change concerns: a pause that begins lets all lie."""
    switch._history_user = by  # type: ignore[attr-defined]  # simple-history reads it from here
    switch.save()
    story = {name: getattr(switch, name) for name in ("scope", "capability", "action", "tool")}
    if switch.scope != SwitchScope.EVERYTHING:
        story["target"] = getattr(switch, f"{switch.scope}_id")
    leave_evidence(action, "switch", switch, by=by, reason=reason, now=now, details=story)
    begins = switch.status == SwitchStatus.ACTIVE and switch.action != SwitchAction.PAUSE
    if begins or (switch.status == SwitchStatus.ENDED and switch.active_since is not None):
        wake_concerned(switch)
