"""Who may steer what: a right of its own for each kind of control, and only for the tenants somebody may see."""

from django.contrib.auth.models import User
from django.utils.translation import gettext as _

from conversations.access import may_see
from pipeline.controls.errors import NotAllowedError


def require(user: User, permission: str, tenant_id: int | None, *, only_tenant_id: int | None = None) -> None:
    """`tenant_id` None: for all tenants at once; `only_tenant_id`: of a key for one. Raises `NotAllowedError`."""
    if not user.is_active or not user.has_perm(f"pipeline.{permission}"):
        raise NotAllowedError(_("You have not the right to do this."))
    if may_see(user, tenant_id) and only_tenant_id in (None, tenant_id):
        return
    if tenant_id is None:
        raise NotAllowedError(_("You may do this for your own tenants only, not for all of them."))
    raise NotAllowedError(_("You may do this for your own tenants only."))
