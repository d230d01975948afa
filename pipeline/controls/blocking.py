"""Putting contacts on the blocklist and taking them off it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from conversations import sessions
from pipeline.controls import blocklist
from pipeline.controls.errors import InvalidError
from pipeline.controls.evidence import leave_evidence
from pipeline.controls.rights import require
from pipeline.models import BlocklistEntry, BlocklistKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwanted:
    """`tenant_id` None: for all tenants."""

    kind: BlocklistKind
    value: str
    reason: str
    tenant_id: int | None = None
    expires_at: datetime | None = None


@transaction.atomic
def block(unwanted: Unwanted, *, by: User, now: datetime) -> BlocklistEntry:
    """From their next message on, no agent answers them. Raises `ControlError`.

    With an address, what was going on with it ends, too; whom a prefix or a pattern names, nobody counts here.
    """
    require(by, "add_blocklistentry", unwanted.tenant_id)
    if refusal := blocklist.refusal(unwanted.kind, unwanted.value):
        raise InvalidError(refusal)
    if not unwanted.reason.strip():
        raise InvalidError(_("Say why: the reason stands beside your name."))
    if unwanted.expires_at is not None and unwanted.expires_at <= now:
        raise InvalidError(_("The end time has passed already."))
    entry = BlocklistEntry(
        tenant_id=unwanted.tenant_id,
        kind=unwanted.kind,
        value=unwanted.value.strip(),
        reason=unwanted.reason.strip(),
        created_by=by,
        created_at=now,
        expires_at=unwanted.expires_at,
    )
    _write(entry, "blocklist.added", by=by, reason=entry.reason, now=now)
    if entry.kind == BlocklistKind.ADDRESS:
        sessions.close_of_blocked(
            address=entry.value, tenant_id=entry.tenant_id, by=by.get_username(), reason=entry.reason, now=now
        )
    return entry


@transaction.atomic
def unblock(entry_ids: Collection[int], *, by: User, reason: str, now: datetime) -> int:
    """Their messages are answered again. Idempotent. Raises `ControlError`. The number of entries ended."""
    entries = BlocklistEntry.objects.select_for_update(of=("self",)).filter(
        pk__in=entry_ids, ended_at__isnull=True
    )
    ended = list(entries.order_by("pk"))
    for entry in ended:
        require(by, "change_blocklistentry", entry.tenant_id)
        entry.ended_at, entry.ended_by = now, by
        _write(entry, "blocklist.ended", by=by, reason=reason, now=now)
    return len(ended)


def _write(entry: BlocklistEntry, action: str, *, by: User, reason: str, now: datetime) -> None:
    entry._history_user = by  # type: ignore[attr-defined]  # simple-history reads it from here
    entry.save()
    leave_evidence(
        action, "blocklist_entry", entry, by=by, reason=reason, now=now, details={"kind": entry.kind}
    )
