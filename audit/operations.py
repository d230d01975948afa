"""Writing evidence. Call inside the transaction that makes the fact true, so that both stand or neither does."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from audit import correlation
from audit.compiled import insert
from audit.models import ActorKind, AuditEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that happened. `details` must be JSON; `ids` and `policy_version` override those of the context."""

    action: str
    object_type: str
    object_id: object
    actor_kind: ActorKind = ActorKind.SYSTEM
    actor: str = ""
    reason: str = ""
    policy_version: object = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    ids: Mapping[str, object] = field(default_factory=dict)


def record(fact: Fact, *, now: datetime) -> None:
    record_all([fact], now=now)


def record_all(facts: Iterable[Fact], *, now: datetime) -> None:
    """Append one entry a fact, in order, in one statement."""
    insert([_entry(fact, now) for fact in facts])


def _entry(fact: Fact, now: datetime) -> AuditEntry:
    ids = {**correlation.current(), **{name: str(value) for name, value in fact.ids.items()}}
    return AuditEntry(
        at=now,
        actor_kind=fact.actor_kind,
        actor=fact.actor,
        action=fact.action,
        object_type=fact.object_type,
        object_id=str(fact.object_id),
        reason=fact.reason,
        policy_version=str(fact.policy_version or correlation.policy_version() or ""),
        details=dict(fact.details),
        **ids,
    )
