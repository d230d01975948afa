"""What a test sets and lifts, as staff do."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from pipeline.controls import operations
from pipeline.controls.operations import Wanted
from pipeline.models import Switch
from pipeline.policies.switches import Capability, SwitchAction, SwitchScope
from tests import factories

REASON = "the shop's API is on fire"


def wanted(what: str, scope: str = "everything", target_id: int | None = None, **more: Any) -> Wanted:
    """`what` is a capability and an action, such as "replies:pause"; a tool's also its name: "tool:stop:refund"."""
    capability, action, *tool = what.split(":")
    return Wanted(
        scope=SwitchScope(scope),
        target_id=target_id,
        capability=Capability(capability),
        action=SwitchAction(action),
        tool="".join(tool),
        **{"reason": REASON} | more,
    )


def switch(what: str, by: User | None = None, **more: Any) -> Switch:
    """In force, with all the people that it needs."""
    set_ = operations.set_switch(wanted(what, **more), by=by or factories.superuser(), now=timezone.now())
    if set_.status == "pending":
        set_ = operations.approve(set_.pk, by=factories.superuser(), now=timezone.now())
    return set_


def lift(row: Switch) -> None:
    operations.lift(row.pk, by=factories.superuser(), now=timezone.now())
