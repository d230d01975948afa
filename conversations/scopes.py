"""Narrowing a member of staff to some tenants, and lifting that again."""

from collections.abc import Collection
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from audit.models import ActorKind
from audit.operations import Fact, record
from audit.records import newest_version
from conversations.models import StaffScope, Tenant


@transaction.atomic
def narrow(scope: StaffScope, *, tenants: Collection[Tenant], by: User, now: datetime) -> bool:
    """From now on its user sees these tenants alone. Idempotent; False if it was so before."""
    wanted = sorted(tenant.pk for tenant in tenants)
    is_new = scope._state.adding
    if not is_new and sorted(scope.tenants.values_list("pk", flat=True)) == wanted:
        return False
    scope._history_user = by  # type: ignore[attr-defined]  # simple-history reads it from here
    if is_new:
        scope.save()
    scope.tenants.set(wanted)
    _record(scope, "narrowed", by=by, now=now, tenants=wanted)
    return True


@transaction.atomic
def lift(scope: StaffScope, *, by: User, now: datetime) -> None:
    """From now on its user sees all tenants."""
    scope._history_user = by  # type: ignore[attr-defined]  # simple-history reads it from here
    _record(scope, "lifted", by=by, now=now, tenants=[])
    scope.delete()


def _record(scope: StaffScope, verb: str, *, by: User, now: datetime, tenants: list[int]) -> None:
    fact = Fact(
        action=f"staff_scope.{verb}",
        object_type="staff_scope",
        object_id=scope.pk,
        actor_kind=ActorKind.PERSON,
        actor=by.get_username(),
        details={"user": scope.user.get_username(), "tenants": tenants} | newest_version(scope),
    )
    record(fact, now=now)
