"""Places where a test kills the worker by name: between any two boundaries of the journal, the commit and the send.

`ZUPA_KILL_AT` names a point and how often it kills: `outbox.accepted=0.2`. Production refuses to start with it.
"""

import os
import random
import signal
from enum import StrEnum


class FaultPoint(StrEnum):
    TURN_BEGUN = "turn.begun"
    STEP_BEFORE = "step.before"
    STEP_STARTED = "step.started"
    STEP_DONE = "step.done"
    STEP_RECORDED = "step.recorded"
    SUSPEND_BEFORE = "suspend.before"
    SUSPENDED = "suspend.after"
    COMMIT_BEFORE = "commit.before"
    COMMIT_INSIDE = "commit.inside"
    COMMITTED = "commit.after"
    OUTBOX_MARKED = "outbox.marked"
    OUTBOX_ACCEPTED = "outbox.accepted"
    OUTBOX_RECORDED = "outbox.recorded"


def _armed() -> tuple[str, float]:
    point, _, rate = os.environ.get("ZUPA_KILL_AT", "").partition("=")
    return point, float(rate or 1)


_POINT, _RATE = _armed()


def passing(point: FaultPoint) -> None:
    if point == _POINT and random.random() < _RATE:
        os.kill(os.getpid(), signal.SIGKILL)
