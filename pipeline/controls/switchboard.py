"""Which switches are in force, as the engine asks it.

Phases ask a copy that is at most `FRESH_S` old. A turn that begins, a message that is sent and a webhook that comes in
read the table in their own transaction; while nothing is switched, that costs none of them a query of its own.
"""

import time
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, Q
from django.db.models.functions import Now

from conversations.models import Channel
from pipeline.engine.database import in_database
from pipeline.models import Switch, SwitchStatus
from pipeline.phases.state import TurnInput
from pipeline.policies.switches import (
    Capability,
    Rule,
    Subject,
    SwitchAction,
    SwitchScope,
    strictest,
)

FRESH_S = 1.0
COUNTS = Q(status=SwitchStatus.ACTIVE) & (Q(ends_at__isnull=True) | Q(ends_at__gt=Now()))
"""In force: a switch whose time is up is not, also before the sweep has ended it."""


@dataclass(frozen=True, slots=True)
class _Copy:
    rules: tuple[Rule, ...] = ()
    good_until: float = 0.0


@dataclass(slots=True)
class _Process:
    """The copy that all of a process's flights share."""

    copy: _Copy = _Copy()


_process = _Process()


class Switchboard:
    """The `Controls` port."""

    async def in_force(self, capability: Capability, turn: TurnInput, tool: str = "") -> SwitchAction | None:
        rules = _fresh_copy()
        if rules is None:
            rules = await in_database(read)
        rule = strictest(rules, subject_of(turn), capability, tool) if rules else None
        return rule.action if rule else None


def _fresh_copy() -> tuple[Rule, ...] | None:
    copy = _process.copy
    return copy.rules if time.monotonic() < copy.good_until else None


def read() -> tuple[Rule, ...]:
    """The switches in force at this moment, in the caller's transaction, if any."""
    return remember(tuple(map(_rule, Switch.objects.filter(COUNTS).order_by("pk"))))


def remember(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """What was just read is what the phases go by for the next `FRESH_S`."""
    _process.copy = _Copy(rules, time.monotonic() + FRESH_S)
    return rules


def read_if(is_switched: bool) -> tuple[Rule, ...]:
    """`read`, spared where `any_in_force` found nothing."""
    return read() if is_switched else remember(())


def any_in_force() -> Exists:
    """For a query that is asked anyway: whether anything is switched at all."""
    return Exists(Switch.objects.filter(COUNTS))


def subject_of(turn: TurnInput) -> Subject:
    return Subject(
        tenant_id=turn.tenant_id,
        channel_id=turn.channel_id,
        agent_id=turn.agent_id,
        conversation_id=turn.conversation_id,
        contact_id=turn.contact_id,
    )


def subject_at(
    channel: Channel, conversation_id: int | None = None, contact_id: int | None = None
) -> Subject:
    return Subject(
        tenant_id=channel.tenant_id,
        channel_id=channel.pk,
        agent_id=channel.agent_id,
        conversation_id=conversation_id,
        contact_id=contact_id,
    )


def _rule(switch: Any) -> Rule:
    scope = SwitchScope(switch.scope)
    return Rule(
        id=switch.pk,
        scope=scope,
        target_id=None if scope is SwitchScope.EVERYTHING else getattr(switch, f"{scope}_id"),
        capability=Capability(switch.capability),
        tool=switch.tool,
        action=SwitchAction(switch.action),
    )
