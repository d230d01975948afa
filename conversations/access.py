"""Which tenants a member of staff may see."""

from typing import TypeVar

from django.contrib.auth.models import User
from django.db.models import Model, QuerySet

from conversations.models import StaffScope

M = TypeVar("M", bound=Model)
KEPT = "_kept_tenant_ids"


def tenant_ids(user: User) -> frozenset[int] | None:
    """None for all of them. Read once for each `user` object, as Django reads permissions: load it anew to ask anew."""
    if user.is_superuser:
        return None
    if not hasattr(user, KEPT):
        setattr(user, KEPT, _scope_of(user))
    kept: frozenset[int] | None = getattr(user, KEPT)
    return kept


def may_see(user: User, tenant_id: int | None) -> bool:
    """What has no tenant belongs to the whole installation: only who sees all tenants sees it."""
    seen = tenant_ids(user)
    return seen is None or tenant_id in seen


def visible(rows: QuerySet[M], user: User, path: str = "tenant") -> QuerySet[M]:
    """Those of the user's tenants. `path` leads from a row to its tenant, as in `conversation__tenant`."""
    seen = tenant_ids(user)
    return rows if seen is None else rows.filter(**{f"{path}__in": seen})


def _scope_of(user: User) -> frozenset[int] | None:
    """In one query: a scope without tenants is one row that names none."""
    named = list(StaffScope.objects.filter(user=user).order_by().values_list("tenants", flat=True))
    return frozenset(pk for pk in named if pk is not None) if named else None
