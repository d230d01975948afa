"""Switches for scripts, behind a key. A key acts in the name of whoever made it, as far as its scopes and tenant go."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema, Status
from ninja.security import HttpBearer
from pydantic import AwareDatetime, Field

from conversations.access import tenant_ids
from pipeline.controls import keys, operations, queries, words
from pipeline.controls.errors import NotAllowedError, NotFoundError
from pipeline.controls.operations import Wanted
from pipeline.ingress.api import ErrorSchema
from pipeline.models import ApiKey, ApiScope, Switch
from pipeline.policies.switches import Capability, SwitchAction, SwitchScope

REFUSALS = frozenset({401, 403, 404, 409, 422})


class KeyBearer(HttpBearer):
    def authenticate(self, request: HttpRequest, token: str) -> ApiKey | None:
        return keys.find(token, now=timezone.now())


router = Router(tags=["switches"], auth=KeyBearer())


class SwitchSchema(Schema):
    id: int
    scope: SwitchScope
    target_id: int | None
    capability: Capability
    tool: str
    action: SwitchAction
    status: str
    reason: str
    requested_by: str
    approved_by: str | None
    active_since: datetime | None
    ends_at: datetime | None


class WantedSchema(Schema):
    """`target_id`: the tenant's, channel's, agent's, conversation's or contact's; none over everything."""

    scope: SwitchScope
    target_id: int | None = Field(None, ge=1, le=2**63 - 1)
    capability: Capability
    action: SwitchAction
    tool: str = Field("", max_length=128)
    reason: str = Field(max_length=500)
    ends_at: AwareDatetime | None = None


@router.get("", response={200: list[SwitchSchema], REFUSALS: ErrorSchema})
def list_switches(request: HttpRequest) -> list[dict[str, Any]]:
    """Those in force and those that wait for a second person, as far as the key reaches."""
    key = _key(request, ApiScope.READ_SWITCHES)
    return [words.as_json(switch) for switch in _within_reach(key)]


@router.post("", response={201: SwitchSchema, 202: SwitchSchema, REFUSALS: ErrorSchema})
def set_switch(request: HttpRequest, wanted: WantedSchema) -> Status[dict[str, Any]]:
    """201: in force within two seconds. 202: it waits for a second person."""
    key = _key(request, ApiScope.SET_SWITCHES)
    asked = Wanted(**wanted.dict())
    switch = operations.set_switch(asked, by=key.created_by, only_tenant_id=key.tenant_id, now=timezone.now())
    return Status(201 if switch.active_since else 202, words.as_json(switch))


@router.delete("/{switch_id}", response={200: SwitchSchema, REFUSALS: ErrorSchema})
def lift_switch(request: HttpRequest, switch_id: int, reason: str = "") -> dict[str, Any]:
    """Lift it, or take back one that waits. Lifting twice is harmless."""
    key = _key(request, ApiScope.SET_SWITCHES)
    if (
        key.tenant_id is not None
        and not Switch.objects.filter(pk=switch_id, tenant_id=key.tenant_id).exists()
    ):
        raise NotFoundError(f"There is no switch {switch_id} within this key's reach.")
    switch = operations.lift(switch_id, by=key.created_by, reason=reason[:500], now=timezone.now())
    return words.as_json(switch)


def _key(request: HttpRequest, scope: ApiScope) -> ApiKey:
    key: ApiKey = request.auth  # type: ignore[attr-defined]  # set by KeyBearer
    if scope not in key.scopes:
        raise NotAllowedError(f"This key lacks the scope {scope}.")
    return key


def _within_reach(key: ApiKey) -> QuerySet[Switch]:
    """What concerns all tenants concerns the key's, too."""
    if not key.created_by.has_perm("pipeline.view_switch"):
        raise NotAllowedError("Who made this key may not see switches any more.")
    switches = queries.not_ended(tenant_ids(key.created_by))
    return switches if key.tenant_id is None else switches.filter(queries.concerning_tenant(key.tenant_id))
