"""The agent's configuration that was in force for a turn, and what is different today."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse

from audit.records import DELETED, Change, differences
from conversations.models import Agent


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """`fields`: label and value. `changes`: from then to today; None when the agent is gone."""

    version: int
    address: str
    since: datetime
    fields: list[tuple[str, Any]]
    changes: list[Change] | None


def in_force(version: int) -> InForce | None:
    """None when the version is no longer kept."""
    row: Any = Agent.history.filter(history_id=version).first()
    if row is None:
        return None
    today: Any = Agent.history.filter(id=row.id).first()
    return InForce(
        version=version,
        address=reverse("admin:conversations_agent_simple_history", args=[row.id, version]),
        since=row.history_date,
        fields=[(str(f.verbose_name), getattr(row, f.attname)) for f in Agent._meta.concrete_fields],
        changes=None if today.history_type == DELETED else differences(row, today),
    )
