"""Turns that wait for their model to answer again, or for a switch to be lifted: set aside, the attempt given back.

Each looks again by itself every now and then; the trail says once that it waits, however long that takes.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest

from audit.models import AuditEntry
from audit.operations import record
from conversations.live import announce, conversation_topic
from pipeline.engine import evidence, mailbox
from pipeline.models import Step, StepKind, StepStatus, Turn
from pipeline.phases.state import TurnInput
from pipeline.policies.errors import Code

SET_ASIDE = "@"
"""Parts the key of a step that failed before the turn was postponed from the step's number."""


@transaction.atomic
def pause(turn_input: TurnInput, *, now: datetime) -> None:
    """The turn waits as it is until a switch is lifted. Raises `StaleError` when the lease is lost."""
    _give_back(turn_input)
    told = AuditEntry.objects.filter(turn_id=str(turn_input.turn_id), action=evidence.PAUSED)
    if not told.exists():
        record(evidence.of_pause(turn_input, Code.SWITCH_PAUSED), now=now)


@transaction.atomic
def postpone(turn_input: TurnInput, *, now: datetime) -> None:
    """The turn waits for its model: what failed of its model steps is tried anew.

    The failed steps stay on record under another key. Raises `StaleError` when the lease is lost.
    """
    _give_back(turn_input)
    failed = Step.objects.filter(turn_id=turn_input.turn_id, kind=StepKind.MODEL, status=StepStatus.FAILED)
    steps = list(failed.only("key", "error_code").order_by("pk"))
    fresh = [step for step in steps if SET_ASIDE not in step.key]
    for step in fresh:
        Step.objects.filter(pk=step.pk).update(key=f"{step.key}{SET_ASIDE}{step.pk}")
    if fresh == steps:  # else it was postponed before
        record(evidence.of_postponement(turn_input, fresh[-1].error_code if fresh else ""), now=now)


def _give_back(turn_input: TurnInput) -> None:
    mailbox.hold(turn_input.conversation_id, turn_input.lease_epoch)
    Turn.objects.filter(pk=turn_input.turn_id).update(attempts=Greatest(F("attempts") - 1, 0), phase="")
    announce(conversation_topic(turn_input.conversation_id))
