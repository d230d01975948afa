"""What the controls' operations share: the audit entry, and telling staff's pages."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User

from audit.models import ActorKind
from audit.operations import Fact, record
from audit.records import newest_version
from conversations.live import DASHBOARD, SWITCHES, announce


def leave_evidence(
    action: str,
    kind: str,
    row: Any,
    *,
    by: User | None,
    reason: str,
    now: datetime,
    details: Mapping[str, Any] | None = None,
) -> None:
    """After the row is saved, in the same transaction. `by` None: time did it."""
    version = newest_version(row) if hasattr(row, "history") else {}
    record(
        Fact(
            action=action,
            object_type=kind,
            object_id=row.pk,
            actor_kind=ActorKind.PERSON if by else ActorKind.SYSTEM,
            actor=by.get_username() if by else "",
            reason=reason,
            details={**(details or {}), **version},
            ids={"tenant_id": getattr(row, "tenant_id", None) or ""},
        ),
        now=now,
    )
    announce(DASHBOARD, SWITCHES)
